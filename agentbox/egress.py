"""The broker beside an agent, as Compose and the broker itself want it: its networks, its rules and its secrets.

docs/internals.md, "The broker", has the formats; containers/egress is what runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from agentbox import authority
from agentbox.allowed import add_rule
from agentbox.credentials import Keys
from agentbox.errors import StateError, UsageError
from agentbox.hosts import OWN_HOST, WEB, covers, parse
from agentbox.identity import Identity
from agentbox.policy_model import Limits, Policy
from agentbox.state import make_dir, remove_tree, write_file

SERVICE = "egress"
PORT = 8080
PROXY = f"http://{SERVICE}:{PORT}"
PROXY_NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
NO_PROXY_NAMES = ("NO_PROXY", "no_proxy")
LIMITS = Limits(pids=128, memory=256 << 20, cpus=2.0, nofile=16384)
# Since this version a bridge can do without an address of the host's; before, another option had that effect.
ISOLATED_SINCE = 28


class Broker(NamedTuple):
    """Where one run's broker finds its things on the host."""

    rules: Path
    secrets: Path
    authority: Path
    audit: Path
    addresses: Mapping[str, str]
    isolate: Mapping[str, str]


def environment() -> dict[str, str]:
    """What makes programs use the broker. Node does so only when told; the CA is in the image's system bundle."""
    found = dict.fromkeys(PROXY_NAMES, PROXY) | dict.fromkeys(NO_PROXY_NAMES, "localhost,127.0.0.1,::1")
    return found | {"NODE_USE_ENV_PROXY": "1"}


def lay_out(  # noqa: PLR0913  what a broker is made of
    policy: Policy,
    identity: Identity,
    keys: Keys,
    run_id: str,
    *,
    owner: str,
    folder: Path,
    audit: Path,
    engine_version: str,
    ports: list[int],
    environ: Mapping[str, str],
    bundle: bytes | None,
    contained: bool = True,
) -> Broker:
    """Write what the broker reads: the rules into the run's `folder`, and the secrets where they stay in memory.
    A `contained` one sees them at other places."""
    secrets = _secrets(identity, run_id, owner)
    proxy, auth = upstream(environ)
    for name, text in {**keys.values, **auth}.items():
        write_file(secrets / name, text.encode(), identity)
    found = rules(policy, keys, run_id, ports) | ({"upstream_proxy": proxy} if proxy else {})
    place = make_dir(folder / "rules", identity)
    if bundle is not None:
        write_file(place / "ca.pem", bundle, identity)
        found["ca_bundle"] = "/etc/agentbox-egress/ca.pem" if contained else str(place / "ca.pem")
    write_file(place / "rules.json", json.dumps(found).encode(), identity)
    addresses = dict(policy.network.addresses)
    if any(rule["host"] == OWN_HOST for rule in found["allow"]):
        addresses.setdefault(OWN_HOST, "host-gateway")
    return Broker(
        rules=place,
        secrets=secrets,
        authority=authority.folder(identity),
        audit=audit,
        addresses=addresses,
        isolate=isolation(engine_version),
    )


def rules(policy: Policy, keys: Keys, run_id: str, ports: list[int]) -> dict[str, Any]:
    """rules.json. A host that a key is for is allowed: what else would the key be for."""
    found: dict[str, Any] = {
        "version": 1,
        "agent": policy.agent,
        "run": run_id,
        "mode": "allowlist",
        "listen": PORT,
        "allow": [],
        "inject": [],
        "inbound": [{"listen": port, "host": policy.agent, "port": port} for port in ports],
    }
    for allowed in policy.network.allowed:
        add_rule(found, allowed.host, allowed.source)
    for each in keys.used:
        named = [parse(item) for item in each.hosts]
        for host in named:
            if not any(covers(allowed.host.name, host.name) for allowed in policy.network.allowed):
                add_rule(found, host, f"credential {each.name}")
        found["inject"].append(
            {
                "name": each.name,
                "hosts": [host.name for host in named],
                "headers": list(each.headers),
                "query": list(each.query),
                "placeholder": keys.placeholders[each.name],
            }
        )
    return found


def unserved(policy: Policy, keys: Keys, environment: Mapping[str, str]) -> Iterator[str]:
    """Lines about servers of the user's own, named by a variable like ANTHROPIC_BASE_URL, that the broker lets nothing
    through to, or puts no key into requests for. Agents try for minutes, and say only that it failed."""
    found = rules(policy, keys, "", [])
    for name in environment:
        if not name.endswith("_BASE_URL"):
            continue
        host, port = _server(environment[name])
        if host in ("", "localhost", "127.0.0.1", "::1"):
            continue
        ports = [rule["ports"] for rule in found["allow"] if covers(rule["host"], host)]
        place = host if port in WEB else f"{host}:{port}"
        if found["mode"] != "open" and not any(some == "*" or port in some for some in ports):
            yield f"{name}: {place} is not on the allow-list; to allow it: agentbox allow {place}"
        elif keys.used and not any(covers(known, host) for each in found["inject"] for known in each["hosts"]):
            yield f"{name}: no key is for {host}, it gets placeholders; name it in the hosts of a [[credential]]"


def _server(url: str) -> tuple[str, int]:
    """Host, empty where there is none, and port of a URL."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError:
        return "", 0


def isolation(engine_version: str) -> dict[str, str]:
    """Options of a bridge on which the host has no address: with `internal` alone it does, and listens there."""
    major = engine_version.partition(".")[0]
    if major.isdigit() and int(major) >= ISOLATED_SINCE:
        return {"com.docker.network.bridge.gateway_mode_ipv4": "isolated"}
    return {"com.docker.network.bridge.inhibit_ipv4": "true"}


def networks(broker: Broker, labels: Mapping[str, str]) -> dict[str, Any]:
    """`inner` leads to the broker alone, `outer` from there on; both are this run's."""
    inner = {
        "internal": True,
        "enable_ipv6": False,
        "driver": "bridge",
        "driver_opts": dict(broker.isolate),
        "labels": dict(labels),
    }
    return {"inner": inner, "outer": {"driver": "bridge", "labels": dict(labels)}}


def behind() -> dict[str, Any]:
    """What the agent's service has in place of a network of its own.

    The engine's resolver knows the broker's name, and would carry others outside: it is told to ask on the agent's own
    loopback, where nobody answers. A program that looks a name up all the same hears so after a second.
    """
    return {
        "networks": {"inner": {}},
        "depends_on": {SERVICE: {"condition": "service_healthy"}},
        "dns": ["127.0.0.1"],
        "dns_search": ["."],
        "dns_opt": ["timeout:1", "attempts:1"],
    }


def _secrets(identity: Identity, run_id: str, owner: str) -> Path:
    """Raises StateError where the place, which may be one for everybody, is somebody else's."""
    root = make_dir(identity.secrets, identity)
    info = root.lstat()
    if root.is_symlink() or info.st_uid != identity.uid or info.st_mode & 0o077:
        hint = f"look at it and remove it: ls -ld {root}"
        raise StateError(str(root), "is not yours alone, and keys would lie there", hint)
    folder = make_dir(root / run_id, identity)
    write_file(folder / "owner", owner.encode(), identity)
    return make_dir(folder / "keys", identity)


def remove_secrets(identity: Identity, run_id: str) -> None:
    remove_tree(identity.secrets / run_id)


def upstream(environ: Mapping[str, str]) -> tuple[dict[str, str] | None, dict[str, str]]:
    """The host's own proxy, for the broker: its address, and apart from it user and password. Raises UsageError."""
    from urllib.parse import unquote, urlsplit

    named = next(
        (name for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy") if environ.get(name)), None
    )
    if named is None:
        return None, {}
    text = environ[named]
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        if not parts.hostname or parts.port == 0:
            raise ValueError
    except ValueError:
        hint = f"set it to http://HOST:PORT, or unset {named}"
        raise UsageError(named, "is no address of a proxy", hint) from None  # which may hold a password
    url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    if not parts.username:
        return {"url": url}, {}
    name = "UPSTREAM_PROXY_AUTH"
    return {"url": url, "auth": name}, {name: f"{unquote(parts.username)}:{unquote(parts.password or '')}"}
