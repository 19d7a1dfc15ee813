"""Which registries the user's npm and pip use, and how: the few settings that also hold for what agentbox installs.

Everything else in those files is about the user's own projects. A project's files (its .npmrc, say) are never read:
they come from a folder that the agent can write.
"""

from __future__ import annotations

import base64
import configparser
import contextlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

NPM_REGISTRY = "https://registry.npmjs.org/"
PIP_INDEX = "https://pypi.org/simple/"
# Settings of pip that are handed on, and whether they are lists.
PIP_KEYS = {
    "index-url": False, "extra-index-url": True, "find-links": True, "trusted-host": True, "no-index": False,
    "proxy": False, "client-cert": False, "timeout": False, "retries": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Npm:
    """`registries` by scope, "" being all else; `headers` are values of Authorization by the address they are for,
    without its scheme; `cafile` is what npm trusts."""

    registries: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)
    proxy: str = ""
    cafile: str = ""

    def registry(self, package: str) -> str:
        return self.registries.get(package.partition("/")[0] if package[0] == "@" else "", self.registries[""])


@dataclass(frozen=True, slots=True)
class Pip:
    """The values of PIP_KEYS that are set, and `cert`."""

    values: Mapping[str, tuple[str, ...]]
    cert: str = ""

    @property
    def index(self) -> str:
        return self.values.get("index-url", (PIP_INDEX,))[0].rstrip("/") + "/"

    def options(self) -> list[str]:
        """As pip takes them on its command line."""
        flags = [f"--{key}={value}" for key, values in self.values.items() for value in values if key != "no-index"]
        return flags + (["--no-index"] if self.values.get("no-index", ("0",))[0] in ("1", "true", "yes", "on") else [])


def npm(home: Path, environ: Mapping[str, str]) -> Npm:
    """From the system's npmrc, the user's, and npm_config_* variables, the last one winning."""
    named = {
        name.lower().removeprefix("npm_config_").replace("_", "-"): value
        for name, value in environ.items()
        if name.lower().startswith("npm_config_") and value
    }
    files = [Path(named.get("globalconfig", "/etc/npmrc")), Path(named.get("userconfig", home / ".npmrc"))]
    found: dict[str, str] = {}
    for path in files:
        found |= _npmrc(path, environ)
    found |= named
    registries = {"": _folder(found.get("registry") or NPM_REGISTRY)}
    registries |= {
        key.partition(":")[0]: _folder(value) for key, value in found.items() if re.match("@[^:]+:registry$", key)
    }
    return Npm(
        registries=registries,
        headers=_authorizations(found),
        proxy=found.get("https-proxy") or found.get("proxy") or "",
        cafile=found.get("cafile", ""),
    )


def _npmrc(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines:
        key, equals, value = line.strip().partition("=")
        if equals and key[0:1] not in ("#", ";", ""):
            value = value.strip().strip("\"'")
            found[key.strip()] = re.sub(r"\$\{([^}]+)\}", lambda match: environ.get(match[1], match[0]), value)
    return found


def _authorizations(found: Mapping[str, str]) -> dict[str, str]:
    """`//host/path/:_authToken` and its relatives, as headers by `//host/path/`."""
    headers = {}
    for key, value in found.items():
        place, _, kind = key.rpartition(":")
        if not place.startswith("//"):
            continue
        if kind == "_authToken":
            headers[place] = f"Bearer {value}"
        elif kind == "_auth":
            headers[place] = f"Basic {value}"
        elif kind == "_password" and (user := found.get(f"{place}:username")):
            with contextlib.suppress(ValueError):  # of an unset variable, say: the registry will ask for a login
                headers[place] = basic(user, base64.b64decode(value).decode(errors="replace"))
    return headers


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def pip(home: Path, environ: Mapping[str, str]) -> Pip:
    """From pip's files in the order in which pip reads them, then PIP_* variables."""
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), home / ".pip/pip.conf", config / "pip/pip.conf"]
    named = environ.get("PIP_CONFIG_FILE", "")
    files = [] if named == os.devnull else [*files, *([Path(named)] if named else [])]
    found: dict[str, str] = {}
    for path in files:
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read(path)
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                found |= {key.replace("_", "-"): value for key, value in parser.items(section)}
    found |= {
        name[4:].lower().replace("_", "-"): value
        for name, value in environ.items()
        if name.startswith("PIP_") and value
    }
    values = {
        key: tuple(found[key].split()) if many else (found[key].strip(),)
        for key, many in PIP_KEYS.items()
        if found.get(key)
    }
    return Pip(values, found.get("cert", ""))


def package_url(registry: str, package: str) -> str:
    """Where an npm registry tells all about a package."""
    return registry + quote(package, safe="@")


def _folder(url: str) -> str:
    return url.rstrip("/") + "/"
