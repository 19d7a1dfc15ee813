"""Each protection that an attack may run into, and what a container looks like without just that one.

This is the one place that switches protections off: for the controls of `agentbox verify`, and for the tests that see
it notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentbox.compose import bind
from agentbox.guard_render import LIBRARY
from agentbox.policy_model import Policy

Model = dict[str, Any]
# A variable of the host's that nobody has named.
UNKNOWN = "AGENTBOX_VERIFY_UNKNOWN"
# What makes an agent's in-process guard: a file of its image, and what to put there to be without.
GUARDS = {
    "pi": (f"{LIBRARY}/prepare.sh", 'agent=pi\nprepare_agent() { exec pi --no-approve "$@"; }\n'),
    "claude": ("/etc/agentbox/managed-settings.json", "{}\n"),
    "opencode": ("/etc/agentbox/opencode.json", "{}\n"),
    "hermes": (f"{LIBRARY}/hermes-guard/__init__.py", "def register(ctx): pass\n"),
}


@dataclass(frozen=True, slots=True)
class Context:
    """What taking a protection away needs to know: the agent, a folder of the host's for files to mount, the network of
    the listener with its address, and where a broker's secrets are."""

    agent: str
    folder: Path
    network: str = ""
    listener: str = ""
    secrets: Path = Path()


def _same(policy: Policy) -> Policy:
    return policy


def _untouched(service: Model, context: Context) -> None:
    del service, context


@dataclass(frozen=True, slots=True)
class Protection:
    """`policy` and `service` are what becomes of the policy, and of the container's part of the compose model, without
    it. What has neither is left out by trial.py, which lays the container out, or by the native engine alone
    (sandboxes.py)."""

    says: str
    policy: Callable[[Policy], Policy] = _same
    service: Callable[[Model, Context], None] = _untouched


def _no_vault(service: Model, context: Context) -> None:
    """Nothing is preloaded, and nothing is started through agentbox-launch."""
    _cover(service, context, "/etc/ld.so.preload", "")
    service["entrypoint"] = ["/bin/sh", "/verify/start.sh", "--bare"]


def _no_guard(service: Model, context: Context) -> None:
    _cover(service, context, *GUARDS[context.agent])


def _open_network(policy: Policy) -> Policy:
    return policy._replace(network=policy.network._replace(mode="open"))


def _keys_inside(policy: Policy) -> Policy:
    names = tuple(each.name for each in policy.credentials)
    return _open_network(policy._replace(env=policy.env._replace(keep=(*policy.env.keep, *names))))


def _whole_environment(policy: Policy) -> Policy:
    return policy._replace(env=policy.env._replace(passed=(*policy.env.passed, UNKNOWN)))


def _writable_hooks(policy: Policy) -> Policy:
    return policy._replace(hooks="write")


def _security(service: Model, wanted: Callable[[str], str]) -> None:
    service["security_opt"] = [text for each in service["security_opt"] if (text := wanted(each))]


def _no_seccomp(service: Model, _: Context) -> None:
    _security(service, lambda each: "seccomp=unconfined" if each.startswith("seccomp=") else each)


def _new_privileges(service: Model, _: Context) -> None:
    _security(service, lambda each: "" if each.startswith("no-new-privileges") else each)


def _capabilities(service: Model, _: Context) -> None:
    service.pop("cap_drop")


def _root(service: Model, _: Context) -> None:
    """User 0, who owns what the image's user does otherwise. IS_SANDBOX: Claude Code refuses root without."""
    service["user"] = "0:0"
    service["tmpfs"] = [
        ",".join(f"{word[:4]}0" if word[:4] in ("uid=", "gid=") else word for word in line.split(","))
        for line in service["tmpfs"]
    ]
    service["environment"]["IS_SANDBOX"] = "1"


def _writable(service: Model, _: Context) -> None:
    service["read_only"] = False


def _executable(service: Model, _: Context) -> None:
    service["tmpfs"] = [line.replace(":noexec,", ":exec,") for line in service["tmpfs"]]


def _no_pids(service: Model, _: Context) -> None:
    service["pids_limit"] = -1


def _no_memory(service: Model, _: Context) -> None:
    del service["mem_limit"], service["memswap_limit"]


def _home(service: Model, context: Context) -> None:
    service["volumes"].append(bind(str(context.folder / "home"), "/host-home"))


PROTECTIONS: dict[str, Protection] = {
    "vault": Protection("the kernel vault on every process that is not the agent", service=_no_vault),
    "guard": Protection("the guards inside the agents, for their own file tools", service=_no_guard),
    "seccomp": Protection("agentbox's seccomp profile", service=_no_seccomp),
    "network": Protection("the broker, its allow-list, and no other way out", policy=_open_network),
    "keys": Protection("keys stay outside, with the broker", policy=_keys_inside),
    "environment": Protection("of the host's environment only named variables", policy=_whole_environment),
    "masks": Protection("secrets of the workspace are covered"),
    "mounts": Protection("of the host's home nothing is mounted but the agent's state", service=_home),
    "hooks": Protection("git's hooks are read-only", policy=_writable_hooks),
    "report": Protection("after a session agentbox names what it changed that the host runs later"),
    "user": Protection("a user who is not root", service=_root),
    "capabilities": Protection("no capability", service=_capabilities),
    "privileges": Protection("no_new_privs: none are gained by exec", service=_new_privileges),
    "rootfs": Protection("a read-only root file system", service=_writable),
    "noexec": Protection("nothing in temporary places can be executed", service=_executable),
    "processes": Protection("other processes are out of reach"),
    "pids": Protection("a bound on processes", service=_no_pids),
    "memory": Protection("a bound on memory", service=_no_memory),
}


def policy_without(policy: Policy, off: Iterable[str]) -> Policy:
    for name in off:
        policy = PROTECTIONS[name].policy(policy)
    return policy


def model_without(model: Model, off: Iterable[str], context: Context) -> None:
    """Take the protections away from a compose model, and put the listener's network in the place of the outer one."""
    service = model["services"][context.agent]
    for name in off:
        PROTECTIONS[name].service(service, context)
    if not context.network:
        return
    outer = {"external": True, "name": context.network}
    if "networks" in model:
        model["networks"]["outer"] = outer
    elif service["network_mode"] == "bridge":
        del service["network_mode"]
        service |= {"networks": {"outer": {}}, "dns": [context.listener]}
        model["networks"] = {"outer": outer}


def _cover(service: Model, context: Context, place: str, content: str) -> None:
    file = context.folder / f"without-{place.replace('/', '-')}"
    file.write_text(content)
    file.chmod(0o644)
    service["volumes"].append(bind(str(file), place, read_only=True))
