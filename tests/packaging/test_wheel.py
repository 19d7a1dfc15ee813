"""The wheel is complete: installed into an empty environment, outside the checkout, everything is there and works."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def run(*argv: str | Path, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(a) for a in argv], cwd=cwd, env=env, text=True, capture_output=True, check=False)


def clean_environment(home: Path) -> dict[str, str]:
    """An environment in which nothing points at the checkout or at the caller's own settings."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AGENTBOX_", "PYTHON", "XDG_", "VIRTUAL_ENV"))}
    return env | {"HOME": str(home), "HOST_UID": "1000", "HOST_GID": "1000", "REAL_USER": "dev"}


def build_wheel(tmp: Path, native: str) -> Path:
    """Build from a copy of what git tracks, so that no file left over from another build gets in."""
    source = tmp / "source"
    source.mkdir()
    names = run("git", "ls-files", "-z", cwd=ROOT).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    env = os.environ | {"AGENTBOX_NATIVE": native}
    done = run(sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", tmp / "dist", ".", cwd=source, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (tmp / "dist").glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"), native="1")


@pytest.fixture(scope="module")
def pure_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("pure"), native="0")


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of a new virtual environment that holds the wheel and its dependencies, nothing else."""
    venv = tmp_path_factory.mktemp("venv")
    assert run(sys.executable, "-m", "venv", venv, cwd=venv).returncode == 0
    done = run(venv / "bin/pip", "install", "-q", wheel, cwd=venv)
    assert done.returncode == 0, done.stderr
    return venv / "bin"


def test_wheel_is_a_platform_wheel_for_any_python_from_3_11(wheel: Path) -> None:
    _, _, python, abi, platform = wheel.stem.split("-")
    assert (python, abi) == ("cp311", "abi3")
    assert platform.startswith("linux_")


@pytest.mark.parametrize(
    "name",
    [
        "agentbox/_vault.abi3.so",
        "agentbox/lib/fs-vault.so",
        "agentbox/lib/agentbox-enter",
        "agentbox/lib/agentbox-launch",
        "agentbox/defaults.toml",
        *[f"agentbox/agents/{name}.toml" for name in ("pi", "claude", "opencode", "hermes")],
        *[f"agentbox/_tree/containers/{name}/Dockerfile" for name in ("base", "pi", "claude", "opencode", "hermes")],
        "agentbox/_tree/containers/seccomp.json",
        "agentbox/_tree/containers/compose.yaml",
        "agentbox/_tree/containers/entrypoint.sh",
        "agentbox/_tree/csrc/build.sh",
        "agentbox/_tree/csrc/interpose.c",
        "agentbox/_tree/js/app-firewall.js",
        "agentbox/verify/inside/start.sh",
        "agentbox/verify/inside/fake_model.py",
    ],
)
def test_wheel_carries(wheel: Path, name: str) -> None:
    assert name in zipfile.ZipFile(wheel).namelist()


def test_wheel_carries_every_tracked_file_of_the_trees(wheel: Path) -> None:
    tracked = run("git", "ls-files", "js", "containers", "csrc", cwd=ROOT).stdout.split("\n")
    inside = set(zipfile.ZipFile(wheel).namelist())
    assert [n for n in tracked if n and (ROOT / n).is_file() and f"agentbox/_tree/{n}" not in inside] == []


def test_wheel_carries_every_attack(wheel: Path) -> None:
    tracked = run("git", "ls-files", "agentbox/verify/attacks", cwd=ROOT).stdout.split()
    assert set(tracked) <= set(zipfile.ZipFile(wheel).namelist())


def test_pure_wheel_carries_sources_and_no_binary(pure_wheel: Path) -> None:
    names = zipfile.ZipFile(pure_wheel).namelist()
    assert pure_wheel.stem.endswith("-none-any")
    assert [n for n in names if n.endswith(".so") or n.startswith("agentbox/lib/")] == []
    assert "agentbox/_tree/csrc/interpose.c" in names


def test_installed_wheel_works_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    env = clean_environment(tmp_path)
    agents = run(installed / "agentbox", "agents", "--json", cwd=tmp_path, env=env)
    assert agents.returncode == 0, agents.stderr
    assert [a["agent"] for a in json.loads(agents.stdout)] == ["claude", "hermes", "opencode", "pi"]
    project = tmp_path / "project"
    project.mkdir()
    model = run(installed / "agentbox", "compose", "pi", "--json", cwd=project, env=env)
    assert model.returncode == 0, model.stderr
    assert json.loads(model.stdout)["services"]["pi"]["read_only"] is True


def test_installed_preload_denies_and_control_does_not(installed: Path, tmp_path: Path) -> None:
    """The preload of the wheel itself: `cat` of auth.json fails with EACCES under it, and works without it."""
    secret = tmp_path / "auth.json"
    secret.write_text("the key")
    where = "from agentbox.resources import lib; print(lib('fs-vault.so'))"
    preload = run(installed / "python", "-c", where, cwd=tmp_path, env=clean_environment(tmp_path)).stdout.strip()
    assert Path(preload).is_relative_to(installed.parent)
    control = run("cat", secret, cwd=tmp_path)
    assert control.stdout == "the key"
    # No policy file on this host: a preload without its policy lets nothing run at all.
    closed = run("cat", secret, cwd=tmp_path, env=os.environ | {"LD_PRELOAD": preload})
    assert (closed.returncode, closed.stdout) == (125, "")


def test_docker_and_psutil_are_not_imported_for_help(installed: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv=['agentbox','--help']\n"
        "from agentbox.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'docker','psutil','rich','yaml','requests'} & set(sys.modules)), file=sys.stderr)"
    )
    done = run(installed / "python", "-c", code, cwd=tmp_path, env=clean_environment(tmp_path))
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(("include", "said"), [("/nowhere", True), (sysconfig.get_path("include"), False)])
def test_without_pythons_headers_it_installs_for_docker_only(include: str, said: bool) -> None:
    """The second is the control. Where nothing else keeps it, a missing Python.h was the compiler's error."""
    program = (
        "import runpy, setuptools, sysconfig\nfound, setuptools.setup = sysconfig.get_path, lambda **_: None\n"
        f"sysconfig.get_path = lambda name, *words: {include!r} if name == 'include' else found(name, *words)\n"
        "runpy.run_path('setup.py')"
    )
    environ = {name: text for name, text in os.environ.items() if name != "AGENTBOX_NATIVE"}
    done = run(sys.executable, "-W", "default", "-c", program, cwd=ROOT, env=environ)
    assert done.returncode == 0, done.stderr
    assert ("there are no headers of this Python" in done.stderr) == said
