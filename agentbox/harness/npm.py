"""Installs an npm package without npm: the exact tree that the package itself lists, each part checked by its hash, no
script of any package run.

The agents come in two kinds. pi ships npm-shrinkwrap.json, which names each dependency with version and hash. Claude
Code and opencode are one executable, in a package of its own for each platform; their install script would move it to
where the main package expects it, and `_place_binary` does that here.
"""

from __future__ import annotations

import json
import re
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from agentbox.errors import InstallError
from agentbox.harness import settings, web
from agentbox.harness.installed import PREFIX, inside
from agentbox.harness.job import Job
from agentbox.harness.platform import Platform, fits
from agentbox.harness.progress import Bytes
from agentbox.harness.tarball import unpack
from agentbox.harness.web import Digest, Tell, Web
from agentbox.policy_load import PACKAGE
from agentbox.policy_model import Policy
from agentbox.state import remove_tree

ABBREVIATED = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8"
THREADS = 8
UNLIKE = "this version is made unlike the tested one (--version-of AGENT=pinned)"
MIRRORED = re.compile(r"^https?://registry\.npmjs\.org/")


@dataclass(frozen=True, slots=True)
class Tarball:
    """One package of the tree: `place` is its folder below node_modules."""

    name: str
    version: str
    place: str
    url: str
    digest: Digest

    @property
    def what(self) -> str:
        return f"{self.name}@{self.version}"


class Registry:
    """What an npm registry says about packages."""

    def __init__(self, user: settings.Npm, http: Web) -> None:
        self._user, self.http = user, http

    def all(self, name: str) -> Any:
        """The package's document: its versions and tags."""
        url = settings.package_url(self._user.registry(name), name)
        found = self.http.json(url, ABBREVIATED, name)
        if not isinstance(found, dict):
            raise InstallError(name, f"{url} does not answer as an npm registry does")
        return found

    def version(self, name: str, version: str) -> Any:
        found = self.all(name).get("versions", {}).get(version)
        if not isinstance(found, dict):
            raise InstallError(
                f"{name}@{version}",
                "the registry has no such version",
                "`agentbox update` takes the newest, --version-of AGENT=pinned the tested one",
            )
        return found

    def tarball(self, name: str, version: str, place: str = "", document: Any = None) -> Tarball:
        dist = (document or self.version(name, version)).get("dist", {})
        return self.named(name, version, place or name, dist.get("tarball"), dist.get("integrity"))

    def named(self, name: str, version: str, place: str, url: object, integrity: object) -> Tarball:
        own = self._user.registry(name)
        # As npm does: an address at the public registry means the registry that is in use.
        address = MIRRORED.sub(own, str(url or ""))
        return Tarball(name, version, place, address, web.integrity(integrity, f"{name}@{version}"))


def newest(registry: Registry, name: str) -> str:
    found = registry.all(name).get("dist-tags", {}).get("latest")
    if not found:
        raise InstallError(name, "the registry names no newest version", "see --version-of")
    return str(found)


def install(job: Job, registry: Registry, here: Platform) -> dict[str, Any]:
    """Build the agent in the job's folder, as it would lie below /usr/local in an image. Returns facts to keep."""
    policy, modules = job.policy, job.root / "lib" / "node_modules"
    document = registry.version(policy.package.name, policy.package.version)
    top = registry.tarball(policy.package.name, policy.package.version, document=document)
    fetch = _Fetch(registry.http, job)
    fetch.all([top])
    unpack(fetch.file(top), modules / top.place, top.what)
    if policy.command.script:
        parts = list(_dependencies(modules / top.place, top, registry, here))
        node = _node(policy, registry, here)
        fetch.all([*parts, node])
        job.report(f"unpacking {len(parts) + 2} packages")
        for part in parts:
            unpack(fetch.file(part), modules / part.place, part.what)
        unpack(fetch.file(node), job.root, node.what, wanted={"bin/node"}.__contains__)
        parts.append(node)
    else:
        parts = [_platform_package(top, document, registry, here)]
        fetch.all(parts)
        job.report("unpacking")
        unpack(fetch.file(parts[0]), job.root / "platform", parts[0].what)
        _place_binary(job.root / "platform", policy, job.root, parts[0].what)
    for path in (policy.command.exe, policy.command.script):
        if path and not inside(job.root, path).is_file():
            raise InstallError(top.what, f"has no {path.removeprefix(PREFIX)}", UNLIKE)
    return {"packages": {part.place: f"{part.version} {part.digest}" for part in [top, *parts]}}


class _Fetch:
    """Downloads of one installation, several at a time, with progress."""

    def __init__(self, http: Web, job: Job) -> None:
        self._http, self._job = http, job

    def file(self, part: Tarball) -> Path:
        return self._job.store / part.digest.hex[:64]

    def all(self, parts: list[Tarball]) -> None:
        what = parts[0].what if len(parts) == 1 else f"{len(parts)} packages"
        told = Bytes(f"downloading {what}", self._job.report)
        waiting = list({part.digest: part for part in parts}.values())
        failed: list[BaseException] = []

        def work() -> None:
            while not failed:
                try:
                    part = waiting.pop()  # from the end, where the largest is: Node
                except IndexError:
                    return
                tell = told.of(part)

                def go_on(done: int, whole: int, tell: Tell = tell) -> None:
                    if failed:
                        raise KeyboardInterrupt
                    tell(done, whole)

                try:
                    self._http.download(part.url, self.file(part), part.digest, part.what, go_on)
                except BaseException as error:
                    failed.append(error)

        # Daemons, so that nobody who interrupts this waits for a registry that has fallen silent.
        threads = [threading.Thread(target=work, daemon=True) for _ in range(min(THREADS, len(waiting)))]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException as error:
            failed.append(error)
            raise
        if failed:
            raise failed[0]


def _dependencies(package: Path, top: Tarball, registry: Registry, here: Platform) -> Iterator[Tarball]:
    """What the package's own lock file lists for this platform, in folders below the package's."""
    try:
        lock = json.loads((package / "npm-shrinkwrap.json").read_bytes())["packages"]
    except FileNotFoundError:
        if not json.loads((package / "package.json").read_bytes()).get("dependencies"):
            return
        raise InstallError(
            top.what, "does not say which versions of its dependencies it was made with",
            "the version in use stays; another one that you install yourself is taken with --use-installed",
        ) from None  # fmt: skip
    except (ValueError, KeyError):
        raise InstallError(top.what, "its npm-shrinkwrap.json cannot be read") from None
    for key, entry in lock.items():
        if not key or entry.get("dev") or entry.get("link") or entry.get("inBundle") or not _fits(entry, here):
            continue
        parts = PurePosixPath(key).parts
        if parts[0] != "node_modules" or ".." in parts:
            raise InstallError(top.what, f"its npm-shrinkwrap.json has a place of its own for a package: {key}")
        name, place = entry.get("name") or key.rpartition("node_modules/")[2], f"{top.place}/{key}"
        if "integrity" in entry:
            yield registry.named(name, entry["version"], place, entry.get("resolved"), entry["integrity"])
        else:
            yield registry.tarball(name, entry["version"], place)


def _fits(entry: Any, here: Platform) -> bool:
    return fits(entry.get("os"), "linux") and fits(entry.get("cpu"), here.cpu) and fits(entry.get("libc"), here.libc)


def _platform_package(top: Tarball, document: Any, registry: Registry, here: Platform) -> Tarball:
    """The optional dependency with the executable for this platform, by its name: not all say so in their fields."""
    offered = document.get("optionalDependencies") or {}
    musl = "-musl" if here.libc == "musl" else ""
    endings = [f"-linux-{here.cpu}{old}{musl}" for old in (["-baseline"] if here.baseline else []) + [""]]
    for ending in endings:
        for name, version in offered.items():
            if name.endswith(ending) and re.fullmatch(r"[0-9][0-9A-Za-z.+-]*", version):
                return registry.tarball(name, version)
    raise InstallError(top.what, f"is not made for {here}", "use Docker: --engine docker")


def _place_binary(unpacked: Path, policy: Policy, root: Path, what: str) -> None:
    name, target = policy.command.argv[0], inside(root, policy.command.exe)
    binary = next((path for path in (unpacked / name, unpacked / "bin" / name) if path.is_file()), None)
    if binary is None:
        raise InstallError(what, f"has no executable called {name}", UNLIKE)
    target.parent.mkdir(parents=True, exist_ok=True)
    binary.replace(target)
    target.chmod(0o755)
    remove_tree(unpacked)


def node_major(policy: Policy) -> int:
    """The major version of Node in the agents' image, or in agentbox's own where the user has another."""
    shipped = tomllib.loads((PACKAGE / "defaults.toml").read_text())["image"]["base"]
    for base in (policy.image.base, shipped):
        if match := re.search(r"(?:^|/)node:(\d+)", base):
            return int(match[1])
    raise AssertionError("agentbox's own base image is no node:MAJOR")


def _node(policy: Policy, registry: Registry, here: Platform) -> Tarball:
    """The newest Node of the images' major version: the image's tag moves just so."""
    if here.libc != "glibc":
        raise InstallError(
            "Node", f"npm has no build for {here}", "install Node and the agent, and pass --use-installed"
        )
    name, major = f"node-linux-{here.cpu}", node_major(policy)
    versions = registry.all(name).get("versions", {})
    found = [version for version in versions if re.fullmatch(rf"{major}\.\d+\.\d+", version)]
    if not found:
        raise InstallError(name, f"the registry has no version {major}")
    version = max(found, key=lambda text: [int(part) for part in text.split(".")])
    return registry.tarball(name, version, document=versions[version])
