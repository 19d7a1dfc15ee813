"""The rules: what rules.json may say (docs/internals.md, "The broker"), and the verdict on a host and port. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from broker.addresses import BadName, as_address, canonical, may_be_allowed, objection

DEFAULT_PORTS = frozenset({443, 80})
MODES = ("allowlist", "open")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
HEADER = re.compile(r"[a-z0-9-]{1,64}")
PLACEHOLDER = re.compile(r"[A-Za-z0-9._-]{16,512}")


class Malformed(ValueError):
    """rules.json cannot be taken over; the message says why."""


@dataclass(frozen=True, slots=True)
class Allow:
    """One host (or what is below it), its ports (None: any), and whether it may be private."""

    host: str
    ports: frozenset[int] | None = DEFAULT_PORTS
    private: bool = False
    source: str = "allow"


@dataclass(frozen=True, slots=True)
class Inject:
    """A placeholder, and where it is exchanged for the secret of this name."""

    name: str
    hosts: tuple[str, ...]
    headers: tuple[str, ...]
    query: tuple[str, ...]
    placeholder: str


@dataclass(frozen=True, slots=True)
class Inbound:
    """A port of the broker that leads to the agent."""

    listen: int
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class UpstreamProxy:
    """The proxy that the broker itself goes through."""

    scheme: str
    host: str
    port: int
    auth: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request passes, by which rule, and what to say where it does not."""

    allowed: bool
    rule: str
    reason: str = ""
    private: bool = False
    # What to write after `agentbox allow`; empty where no such command would help.
    remedy: str = ""


@dataclass(frozen=True)
class Rules:
    """All of rules.json."""

    agent: str
    run: str
    mode: str
    listen: int
    allow: tuple[Allow, ...]
    inject: tuple[Inject, ...]
    inbound: tuple[Inbound, ...]
    upstream_proxy: UpstreamProxy | None
    ca_bundle: str | None

    def decide(self, host: str, port: int) -> Verdict:
        """The verdict on a host in its canonical spelling. What its name leads to is judged later."""
        named = self._named(host)
        fitting = [rule for rule in named if rule.ports is None or port in rule.ports]
        if fitting:
            return Verdict(True, fitting[0].source, private=any(rule.private for rule in fitting))
        if as_address(host):
            reason = f"{host} is an address that is not on the allow-list"
            return Verdict(False, "default", reason, remedy=_remedy_for_address(host, port))
        if self.mode == "open":
            return Verdict(True, "open")
        if named:
            ports = ", ".join(str(port) for rule in named for port in sorted(rule.ports or ()))
            reason = f"port {port} of {host} is not on the allow-list, only {ports}"
            return Verdict(False, named[0].source, reason, remedy=remedy(host, port))
        return Verdict(False, "default", f"{host} is not on the allow-list", remedy=remedy(host, port))

    def injections(self, host: str) -> list[Inject]:
        """The injection rules for a host."""
        return [rule for rule in self.inject if any(matches(pattern, host) for pattern in rule.hosts)]

    def _named(self, host: str) -> list[Allow]:
        exact = self._exact.get(host, [])
        return [*exact, *(rule for rule in self._below if matches(rule.host, host))]

    @cached_property
    def _exact(self) -> dict[str, list[Allow]]:
        found: dict[str, list[Allow]] = {}
        for rule in self.allow:
            found.setdefault(rule.host, []).append(rule)
        return found

    @cached_property
    def _below(self) -> list[Allow]:
        return [rule for rule in self.allow if rule.host.startswith("*.")]


def matches(pattern: str, host: str) -> bool:
    """`*.domain` is what is below domain, not domain itself."""
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def remedy(host: str, port: int) -> str:
    """HOST or HOST:PORT, as `agentbox allow` takes it."""
    if port in DEFAULT_PORTS:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _remedy_for_address(host: str, port: int) -> str:
    address = as_address(host)
    if not address or not may_be_allowed(address):
        return ""
    return remedy(host, port) + (" --private" if objection(address, private=False) else "")


def parse(text: str | bytes) -> Rules:
    """Read rules.json. Raises Malformed; nothing in it is passed over."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not JSON: {error}") from None
    fields = _Fields("rules", data, {"version", "agent", "run", "mode", "listen", "allow", "inject", "inbound",
                                     "upstream_proxy", "ca_bundle"})  # fmt: skip
    if fields.get("version", int) != 1:
        raise Malformed("version: only 1 is known")
    mode = fields.get("mode", str)
    if mode not in MODES:
        raise Malformed(f"mode: {mode!r} is none of {', '.join(MODES)}")
    rules = Rules(
        agent=_printable("agent", fields.get("agent", str)),
        run=_printable("run", fields.get("run", str)),
        mode=mode,
        listen=_port("listen", fields.get("listen", int)),
        allow=tuple(_allow(entry) for entry in fields.get("allow", list)),
        inject=tuple(_inject(entry) for entry in fields.get("inject", list, [])),
        inbound=tuple(_inbound(entry) for entry in fields.get("inbound", list, [])),
        upstream_proxy=_upstream(fields.get("upstream_proxy", dict, None)),
        ca_bundle=fields.get("ca_bundle", str, None),
    )
    placeholders = [rule.placeholder for rule in rules.inject]
    if any(one in other for i, one in enumerate(placeholders) for j, other in enumerate(placeholders) if i != j):
        raise Malformed("inject: one placeholder is part of another")
    return rules


_REQUIRED = object()


class _Fields:
    """A JSON object whose keys are all known."""

    def __init__(self, where: str, data: Any, known: Iterable[str]) -> None:
        if not isinstance(data, Mapping):
            raise Malformed(f"{where}: not an object")
        if unknown := sorted(set(data) - set(known)):
            raise Malformed(f"{where}: unknown key {unknown[0]!r}")
        self.where, self.data = where, data

    def get(self, key: str, kind: type, default: Any = _REQUIRED) -> Any:
        value = self.data.get(key)
        if value is None:
            if default is _REQUIRED:
                raise Malformed(f"{self.where}: {key} is missing")
            return default
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise Malformed(f"{self.where}: {key} is not a {kind.__name__}")
        return value

    def strings(self, key: str, check: Callable[[str], str], default: Any = _REQUIRED) -> tuple[str, ...]:
        values = self.get(key, list, default)
        if not all(isinstance(value, str) for value in values):
            raise Malformed(f"{self.where}: {key} holds something that is not a string")
        return tuple(check(value) for value in values)


def _allow(data: Any) -> Allow:
    fields = _Fields("allow", data, {"host", "ports", "private", "from"})
    ports = fields.get("ports", object, sorted(DEFAULT_PORTS))
    if ports != "*" and not (isinstance(ports, list) and ports):
        raise Malformed('allow: ports is neither a list nor "*"')
    return Allow(
        host=_pattern(fields.get("host", str)),
        ports=None if ports == "*" else frozenset(_port("allow: ports", port) for port in ports),
        private=fields.get("private", bool, False),
        source=_printable("allow: from", fields.get("from", str, "allow")),
    )


def _inject(data: Any) -> Inject:
    fields = _Fields("inject", data, {"name", "hosts", "headers", "query", "placeholder"})
    return Inject(
        name=_match("inject: name", NAME, fields.get("name", str)),
        hosts=fields.strings("hosts", _pattern),
        headers=fields.strings("headers", lambda value: _match("inject: headers", HEADER, value.lower())),
        query=fields.strings("query", lambda value: _match("inject: query", NAME, value), []),
        placeholder=_match("inject: placeholder", PLACEHOLDER, fields.get("placeholder", str)),
    )


def _inbound(data: Any) -> Inbound:
    fields = _Fields("inbound", data, {"listen", "host", "port"})
    return Inbound(
        listen=_port("inbound: listen", fields.get("listen", int)),
        host=_pattern(fields.get("host", str)),
        port=_port("inbound: port", fields.get("port", int)),
    )


def _upstream(data: Any) -> UpstreamProxy | None:
    if data is None:
        return None
    fields = _Fields("upstream_proxy", data, {"url", "auth"})
    try:
        url = urlsplit(fields.get("url", str))
        port = url.port or (443 if url.scheme == "https" else 80)
    except ValueError:
        raise Malformed("upstream_proxy: url is not one") from None
    if url.scheme not in ("http", "https") or not url.hostname or url.path.strip("/") or url.query or url.fragment:
        raise Malformed("upstream_proxy: url is not http://HOST:PORT or https://HOST:PORT")
    if url.username is not None:
        raise Malformed("upstream_proxy: url holds a user; put user:password into a secret and name it in auth")
    auth = fields.get("auth", str, None)
    name = _pattern(url.hostname)
    return UpstreamProxy(url.scheme, name, port, auth and _match("upstream_proxy: auth", NAME, auth))


def _pattern(value: str) -> str:
    """A host, or `*.` before one."""
    star = value[:2] if value.startswith("*.") else ""
    try:
        name = canonical(value.removeprefix(star))
    except BadName as error:
        raise Malformed(f"{value!r}: {error}") from None
    if star and as_address(name):
        raise Malformed(f"{value!r}: an address has nothing below it")
    return star + name


def _port(where: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 65536:
        raise Malformed(f"{where}: {value!r} is not a port")
    return value


def _printable(where: str, value: str) -> str:
    if len(value) > 200 or not value.isprintable():
        raise Malformed(f"{where}: not a line of text")
    return value


def _match(where: str, pattern: re.Pattern[str], value: str) -> str:
    if not pattern.fullmatch(value):
        raise Malformed(f"{where}: {value[:40]!r} does not fit {pattern.pattern}")
    return value
