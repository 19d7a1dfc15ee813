"""Merged policy and the options of one run → the compose model, a plain dictionary. Nothing here starts anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentbox import egress
from agentbox.binds import Bind, Options, binds
from agentbox.engine import AGENT, BROKER, OWNER, RUN, USER, WORKSPACE
from agentbox.forwarder import STOP_SECONDS
from agentbox.hostenv import escape
from agentbox.identity import Identity
from agentbox.policy_model import Limits, Policy, Tmpfs
from agentbox.resources import tree
from agentbox.workspace import TARGET


def tag(identity: Identity, name: str) -> str:
    """The image of an agent, of `base` or of `egress`."""
    return f"local/{identity.tag}-{name}"


def model(policy: Policy, options: Options) -> dict[str, Any]:
    """The whole compose file of one run: the agent, and beside it its broker."""
    services = {policy.agent: service(policy, options)}
    found: dict[str, Any] = {"name": f"agentbox-{options.run_id or policy.agent}", "services": services}
    if options.broker is not None:
        services[egress.SERVICE] = broker(policy, options, options.broker)
        found["networks"] = egress.networks(options.broker, _run_labels(options))
    return found


def broker(policy: Policy, options: Options, place: egress.Broker) -> dict[str, Any]:
    """The sidecar: hardened as the agents are, with nothing of theirs."""
    uid, gid = str(options.identity.uid), str(options.identity.gid)
    found = {
        "image": tag(options.identity, egress.SERVICE),
        "pull_policy": "never",
        "user": f"{uid}:{gid}",
        "labels": {BROKER: policy.agent, **_run_labels(options)},
        **hardening(egress.LIMITS, options.cpus),
        "tmpfs": [tmpfs(Tmpfs("/tmp", 64 << 20, "0700", False, ""), uid, gid)],
        "volumes": [
            bind(str(place.rules), "/etc/agentbox-egress", read_only=True),
            bind(str(place.secrets), "/run/secrets/agentbox", read_only=True),
            bind(str(place.authority), "/run/secrets/agentbox-ca", read_only=True),
            bind(str(place.audit), "/var/log/agentbox-egress"),
        ],
        "networks": {"inner": {}, "outer": {}},
        "dns_search": ["."],
        "restart": "on-failure:5",
    }
    if place.addresses:
        found["extra_hosts"] = _lines(place.addresses)
    if ports := _published(policy, options):
        found["ports"] = ports
    return found


def service(policy: Policy, options: Options) -> dict[str, Any]:
    """The one service. Every hardening line has its reason in containers/compose.yaml."""
    user = f"{options.identity.uid}:{options.identity.gid}"
    result: dict[str, Any] = {
        "image": tag(options.identity, policy.agent),
        "pull_policy": "never",
        "command": [escape(word) for word in options.command],
        "user": user,
        "working_dir": TARGET,
        "stdin_open": True,
        "tty": options.tty,
        "labels": _labels(policy, options),
        **hardening(policy.limits, options.cpus),
        "tmpfs": [tmpfs(place, str(options.identity.uid), str(options.identity.gid)) for place in policy.tmpfs],
        "volumes": volumes(policy, options),
        "environment": {**options.environment, **_answered(policy, options)},
    }
    if options.broker is not None:
        return result | egress.behind()
    result["network_mode"] = "none" if policy.network.mode == "none" else "bridge"
    if policy.network.addresses:
        result["extra_hosts"] = _lines(policy.network.addresses)
    if ports := _published(policy, options):
        result["ports"] = ports
    return result


def _lines(addresses: Mapping[str, str]) -> list[str]:
    return [f"{name}:{address}" for name, address in addresses.items()]


def _published(policy: Policy, options: Options) -> list[str]:
    return [f"127.0.0.1:{port.host}:{port.container}" for port in policy.published(options.ports)]


def _answered(policy: Policy, options: Options) -> dict[str, str]:
    """What the entrypoint passes on to the container's loopback."""
    found = [str(port.container) for port in policy.published(options.ports) if port.for_login]
    return {"AGENTBOX_LOGIN_PORTS": " ".join(found)} if found else {}


def hardening(limits: Limits, cpus: int = 0) -> dict[str, Any]:
    """What is the same for whoever runs, wherever it runs."""
    return {
        "init": True,
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true", f"seccomp={escape(str(tree('containers') / 'seccomp.json'))}"],
        "pids_limit": limits.pids,
        "mem_limit": human(limits.memory),
        "memswap_limit": human(limits.memory),
        "cpus": min(limits.cpus, float(cpus)) if cpus else limits.cpus,
        "ulimits": {"nofile": {"soft": limits.nofile, "hard": limits.nofile}, "core": 0},
        "stop_grace_period": f"{STOP_SECONDS}s",
    }


def tmpfs(place: Tmpfs, uid: str, gid: str) -> str:
    """One line of `tmpfs:`; the long form under `volumes:` has no noexec, uid or gid."""
    execution = "exec" if place.executable else "noexec"
    size = human(place.size)
    return f"{escape(place.path)}:{execution},nosuid,nodev,size={size},mode={place.mode},uid={uid},gid={gid}"


def human(size: int) -> str:
    """Bytes as Compose and tmpfs read them, in the largest unit that divides them."""
    for shift, unit in ((30, "g"), (20, "m"), (10, "k")):
        if size % (1 << shift) == 0:
            return f"{size >> shift}{unit}"
    return str(size)


def volumes(policy: Policy, options: Options) -> list[dict[str, Any]]:
    """The mounts in the long form: any name will do."""
    return [volume(each) for each in binds(policy, options)]


def volume(each: Bind) -> dict[str, Any]:
    if each.source:
        return bind(each.source, each.target, each.read_only)
    return {
        "type": "tmpfs", "target": escape(each.target), "read_only": True, "tmpfs": {"size": 4096, "mode": 0o555},
    }  # fmt: skip


def bind(source: str, target: str, read_only: bool = False) -> dict[str, Any]:
    """A bind mount that fails, rather than making a folder of root's, where the source is gone."""
    result: dict[str, Any] = {"type": "bind", "source": escape(source), "target": escape(target)}
    if read_only:
        result["read_only"] = True
    return {**result, "bind": {"create_host_path": False}}


def _labels(policy: Policy, options: Options) -> dict[str, str]:
    return {AGENT: policy.agent, USER: options.identity.tag, **_run_labels(options)}


def _run_labels(options: Options) -> dict[str, str]:
    labels = {WORKSPACE: escape(str(options.mounts[0].source))} if options.mounts else {}
    return labels | ({RUN: options.run_id, OWNER: options.owner} if options.run_id else {})
