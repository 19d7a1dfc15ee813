"""The native build; everything else is in pyproject.toml.

AGENTBOX_NATIVE=0 builds no native parts (the image build then compiles the sources), AGENTBOX_NATIVE=1 makes a missing
compiler an error; without it they are built where that is possible.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import warnings
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
TREES = ("js", "containers", "csrc")
COMPILER = os.environ.get("CC") or "cc"


def wants_native() -> bool:
    choice = os.environ.get("AGENTBOX_NATIVE", "auto")
    if choice == "0":
        reason = "AGENTBOX_NATIVE=0"
    elif not sys.platform.startswith("linux"):
        reason = f"the host is {sys.platform}"
    elif shutil.which(COMPILER.split()[0]) is None:
        reason = f"there is no C compiler ({COMPILER})"
    elif not Path(sysconfig.get_path("include"), "Python.h").exists():
        reason = "there are no headers of this Python (Debian's package is python3-dev)"
    else:
        return True
    if choice == "1":
        raise SystemExit(f"agentbox: AGENTBOX_NATIVE=1, but {reason}")
    warnings.warn(f"agentbox: no native parts, as {reason}; the image build will compile them", stacklevel=1)
    return False


NATIVE = wants_native()


class BuildTree(build_py):
    """Adds what is not Python: the objects of csrc/build.sh and the folders that the image build needs."""

    def run(self) -> None:
        super().run()
        package = ROOT / "agentbox" if self.editable_mode else Path(self.build_lib) / "agentbox"
        if NATIVE:
            environment = {**os.environ, "CC": COMPILER, "OUTDIR": str((package / "lib").resolve())}
            if subprocess.run(["sh", str(ROOT / "csrc" / "build.sh")], env=environment, check=False).returncode != 0:
                # An editable installation goes on after any other exception, with the objects of before.
                raise SystemExit("agentbox: csrc/build.sh failed: the compiler's words are above")
        if not self.editable_mode:
            for name in TREES:
                target = package / "_tree" / name
                shutil.rmtree(target, ignore_errors=True)
                shutil.copytree(
                    ROOT / name, target, ignore=shutil.ignore_patterns("*.o", "*.so", "__pycache__", "node_modules")
                )


native = {
    "cffi_modules": ["agentbox/_vault_build.py:ffibuilder"],
    "options": {"bdist_wheel": {"py_limited_api": "cp311"}},
}
if NATIVE and sysconfig.get_config_var("Py_GIL_DISABLED"):
    native.pop("options")  # the stable ABI does not exist for free-threaded builds
setup(cmdclass={"build_py": BuildTree}, **(native if NATIVE else {}))
