"""Installs a Python package into a virtual environment of its own: wheels only, so that nothing of a package runs, each
checked by the hash that its index gave when pip worked out which ones are needed.

pip itself is a wheel from the same index, run where it is unpacked: Debian's Python has none, a user's is of any age.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from agentbox.errors import InstallError
from agentbox.harness import cache, settings, web
from agentbox.harness.job import Job
from agentbox.harness.progress import Bytes, Seldom
from agentbox.harness.web import Digest, Web
from agentbox.state import remove_tree

SIMPLE = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
PYTHONS = ("python3.13", "python3.12", "python3.11", "python3")
# Of the user's environment; PIP_* are handed on as options (settings.PIP_KEYS).
ENVIRONMENT = (
    "HOME", "PATH", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wheel:
    name: str
    version: str
    url: str
    digest: Digest
    python: str  # which Pythons it is for: `<3.14,>=3.11`


class Index:
    """What a PyPI index says about packages: as JSON (PEP 691), or as the HTML that older ones have."""

    def __init__(self, user: settings.Pip, http: Web, bundles: list[Path]) -> None:
        self.user, self.http, self.bundles = user, http, bundles

    def wheels(self, name: str) -> list[Wheel]:
        """The wheels of pure Python."""
        page = f"{self.user.index}{quote(normal(name))}/"
        text, kind = self.http.read(page, SIMPLE, name)
        try:
            files = json.loads(text)["files"] if kind.endswith("json") else _links(text.decode(errors="replace"))
        except (ValueError, KeyError, TypeError):
            raise InstallError(
                name, f"{urlsplit(page).hostname} answered with something that is no package index"
            ) from None
        return [wheel for file in files if (wheel := _wheel(normal(name), page, file))]

    def newest(self, name: str) -> Wheel:
        found = [wheel for wheel in self.wheels(name) if re.fullmatch(r"\d+(\.\d+)*", wheel.version)]
        if not found:
            raise InstallError(name, "the index lists no release")
        return max(found, key=lambda wheel: [int(part) for part in wheel.version.split(".")])


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _project(wheel: Path) -> str:
    return normal(wheel.name.partition("-")[0])


def _wheel(name: str, page: str, file: Mapping[str, Any]) -> Wheel | None:
    parts = str(file.get("filename", "")).split("-")
    if len(parts) != 5 or parts[4] != "any.whl" or normal(parts[0]) != name or file.get("yanked"):
        return None
    sha256 = str(file.get("hashes", {}).get("sha256", "")).lower()
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        return None
    return Wheel(
        name, parts[1], urljoin(page, file["url"]), Digest("sha256", sha256), str(file.get("requires-python") or "")
    )


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, Any]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        url, _, fragment = (given.get("href") or "").partition("#")
        if tag == "a" and url:
            self.found.append(
                {
                    "filename": unquote(urlsplit(url).path.rpartition("/")[2]),
                    "url": url,
                    "hashes": dict([fragment.split("=", 1)]) if "=" in fragment else {},
                    "requires-python": given.get("data-requires-python"),
                    "yanked": "data-yanked" in given,
                }
            )


def _links(text: str) -> list[dict[str, Any]]:
    parser = _Links()
    parser.feed(text)
    return parser.found


def install(job: Job, index: Index) -> dict[str, Any]:
    """Make the job's folder a virtual environment with the package. Returns facts to keep."""
    package, name = job.policy.package, job.policy.command.argv[0]
    what = f"{package.name} {package.version}"
    wheel = next((one for one in index.wheels(package.name) if one.version == package.version), None)
    if wheel is None:
        raise InstallError(what, "the index has no wheel of this version", "`agentbox update` takes the newest")
    python = find_python(wheel.python, what)
    argv = [python, "-I", "-m", "venv", "--without-pip", str(job.root)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InstallError(python, f"cannot make a virtual environment: {_last(done.stderr + done.stdout)}")
    pip = _Pip(job, index)
    job.report("working out what it needs")
    lock = pip.fetch(wheel)
    job.report(f"unpacking {len(lock)} packages")
    pip.install(lock)
    _compile(job.root)
    _relocate(job.root)
    if not (job.root / "bin" / name).is_file():
        raise InstallError(what, f"has no command {name}", "this version is made unlike the tested one")
    return {"python": python, "packages": {key: f"{version} sha256:{hash_}" for key, (version, hash_) in lock.items()}}


class _Pip:
    """pip in the new environment, with nothing of the user's but which index is used and how."""

    def __init__(self, job: Job, index: Index) -> None:
        self._job = job
        self._wheels = job.store / "wheels"
        certificates = web.bundle(index.bundles, job.store / "certificates.pem")
        self._argv = [str(job.root / "bin" / "python"), "-I", f"{_pip_folder(index, job)}/pip"]
        self._network = [*index.user.options(), *([f"--cert={certificates}"] if certificates else [])]
        self._environ = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        self._environ["PIP_CONFIG_FILE"] = os.devnull

    def fetch(self, wheel: Wheel) -> dict[str, tuple[str, str]]:
        """Download the package and what it needs, each checked by pip against its index. Returns (version, SHA-256) by
        name. What an earlier call has downloaded is not fetched again."""
        extras = ",".join(self._job.policy.package.extras)
        asked = f"{wheel.name}[{extras}]=={wheel.version}" if extras else f"{wheel.name}=={wheel.version}"
        words = [f"--dest={self._wheels}", "--only-binary=:all:", *self._network, asked]
        self._run("download", *words)
        paths = sorted(self._wheels.glob("*.whl"))
        if len({_project(path) for path in paths}) < len(paths):  # of another day, and superseded meanwhile
            remove_tree(self._wheels)
            self._run("download", *words)
            paths = sorted(self._wheels.glob("*.whl"))
        found = {}
        for path in paths:
            with path.open("rb") as file:
                found[_project(path)] = (path.name.split("-")[1], hashlib.file_digest(file, "sha256").hexdigest())
        if found.get(wheel.name, ("", ""))[1] != wheel.digest.hex:
            raise InstallError(
                f"{wheel.name} {wheel.version}", "pip found another file than the index names", "see pip's own settings"
            )
        return found

    def install(self, lock: Mapping[str, tuple[str, str]]) -> None:
        wanted = self._job.store / "requirements.txt"
        wanted.write_text(
            "".join(f"{name}=={version} --hash=sha256:{hash_}\n" for name, (version, hash_) in lock.items())
        )
        self._run(
            "install", "--no-index", f"--find-links={self._wheels}", "--no-deps", "--require-hashes", "--no-compile",
            f"--requirement={wanted}",
        )  # fmt: skip

    def _run(self, command: str, *words: str) -> None:
        options = ["--no-input", "--disable-pip-version-check", "--no-cache-dir", "--no-color", "--progress-bar=off"]
        told = Seldom(self._job.report)
        lines: list[str] = []
        argv, pipe = [*self._argv, command, *options, *words], subprocess.PIPE
        with subprocess.Popen(
            argv, env=self._environ, cwd="/", stdin=subprocess.DEVNULL, stdout=pipe, stderr=subprocess.STDOUT,
            text=True, errors="replace",
        ) as process:  # fmt: skip
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    lines.append(line.strip())
                    if line.strip().startswith("Downloading "):
                        told(line.strip().replace("Downloading", "downloading", 1))
            except BaseException:
                process.terminate()
                raise
        if process.returncode:
            raise failure(self._job.title, lines)


def failure(title: str, lines: list[str]) -> InstallError:
    """What pip's last words mean, in one line."""
    text = "\n".join(lines)
    if "No space left on device" in text or "Disk quota exceeded" in text:
        return web.disk_full(OSError(28, ""))
    if "DO NOT MATCH THE HASHES" in text:
        return InstallError(
            title, "a package that was downloaded is not what its index promised (SHA-256 differs)",
            "try again; where it stays so, a proxy or a mirror changes what it hands out",
        )  # fmt: skip
    if re.search(r"CERTIFICATE_VERIFY_FAILED|certificate verify failed", text):
        hint = "behind a proxy that intercepts TLS, name its certificate in AGENTBOX_CA_BUNDLE"
        return InstallError(title, "the package index has a certificate that is not trusted", hint)
    if re.search(r"NewConnectionError|NameResolutionError|ConnectTimeoutError|ProxyError", text):
        return InstallError(title, "the package index cannot be reached", "behind a proxy, set HTTPS_PROXY")
    errors = [line for line in lines if line.startswith("ERROR:")] or [line for line in lines if line]
    cause = errors[0].removeprefix("ERROR:").strip() if errors else "pip ended without a word"
    return InstallError(title, f"pip could not install it: {cause}", "pip's own settings say which index is used")


def _last(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it says nothing")


def _pip_folder(index: Index, job: Job) -> Path:
    wheel = index.newest("pip")
    archive, folder = job.store / f"{wheel.digest.hex}.whl", job.store / f"pip-{wheel.version}"
    told = Bytes(f"downloading pip {wheel.version}", job.report)
    index.http.download(wheel.url, archive, wheel.digest, f"pip {wheel.version}", told.of(archive))
    remove_tree(folder)
    with zipfile.ZipFile(archive) as files:
        files.extractall(folder)
    return folder


def find_python(wanted: str, what: str) -> str:
    """The Python to install for: agentbox's own if it will do, else one on PATH."""
    own = getattr(sys, "_base_executable", None) or sys.executable
    for candidate in (own, *PYTHONS):
        told = _version_of(candidate)
        if told and admits(wanted, told[1]):
            return told[0]
    raise InstallError(
        what, f"needs a Python {wanted}, and there is none on PATH", "install one, or use Docker: --engine docker"
    )


def _version_of(python: str) -> tuple[str, tuple[int, ...]] | None:
    program = "import sys; print(sys.executable, *sys.version_info[:3], sep='\\n')"
    try:
        done = subprocess.run([python, "-I", "-c", program], capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    path, *version = done.stdout.splitlines()
    return path, tuple(int(number) for number in version)


def admits(wanted: str, version: tuple[int, ...]) -> bool:
    """Whether `>=3.11,<3.14` admits a version. Clauses of other kinds are pip's to judge."""
    for clause in wanted.split(","):
        match = re.fullmatch(r"\s*(>=|<=|<|>)\s*(\d+(?:\.\d+)*)\s*", clause)
        if match is None:
            continue
        bound = tuple(int(part) for part in match[2].split("."))
        own = (*version, 0, 0)[: max(len(bound), 2)] if match[1] in ("<=", ">") else version
        holds = {">=": own >= bound, "<=": own <= bound, "<": own < bound, ">": own > bound}[match[1]]
        if not holds:
            return False
    return True


def _compile(root: Path) -> None:
    """All at once on all cores, since nothing can write there later; with the paths of the folder's later place."""
    packages = next(root.glob("lib/python3*/site-packages"))
    argv = [str(root / "bin" / "python"), "-I", "-m", "compileall", "-q", "-j0", f"-s{root}", f"-p{_final(root)}"]
    # A package may carry files for other Pythons, which do not compile.
    subprocess.run([*argv, str(packages)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def _final(root: Path) -> Path:
    return root.with_name(root.name.removeprefix(cache.PART))


def _relocate(root: Path) -> None:
    """Let the scripts name the Python of the folder's later place: it is renamed when it is whole."""
    for path in (root / "bin").iterdir():
        if path.name.lower().startswith("activate"):
            path.unlink()  # they hold the old place in several languages
        elif path.is_file() and not path.is_symlink():
            text = path.read_bytes()
            if text.startswith(b"#!"):
                path.write_bytes(text.replace(os.fsencode(root), os.fsencode(_final(root)), 1))
