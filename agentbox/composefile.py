"""containers/compose.yaml: the model of `agentbox run` as a file for people and for plain `docker compose`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentbox.compose import hardening, tmpfs
from agentbox.policy import Policy, agent_names, load

IDS = ("${HOST_UID:-1000}", "${HOST_GID:-1000}")
USER = ":".join(IDS)
REASONS = {
    "init": "a real init at PID 1 reaps what the agent leaves behind",
    "read_only": "the image cannot be changed; writable are the tmpfs, the workspace and the agent's state",
    "cap_drop": "no capability at all",
    "security_opt": "no gain of rights by exec; and the system calls of seccomp.json only",
    "pids_limit": "processes and threads: a fork bomb stops here",
    "mem_limit": "what tmpfs hold counts too",
    "memswap_limit": "the same: no swap on top",
    "cpus": "an engine refuses more than it has; `agentbox run` asks it and lowers this",
    "ulimits": "open files; no core dumps, which would hold credentials",
    "network_mode": "the engine's default bridge: the broker, and an allow-list, come with `agentbox run` only",
    "stop_grace_period": "between SIGTERM and SIGKILL",
}
HEAD = """\
# Generated from agentbox/defaults.toml and agentbox/agents/*.toml by `make docs`. Change those, not this.
#
# What `agentbox run` does, for plain Compose. The image comes from `agentbox build`, the state directories must exist:
#
#     agentbox build pi && mkdir -p ~/.pi && docker compose -f containers/compose.yaml run --rm pi
#
# HOST_UID, HOST_GID   who the agent runs as (1000); must be those that the image was built for
# REAL_USER            part of the image's name ($USER)
# WORKDIR              the folder to work in (the current one)
# Each service has a profile of its own, so `up` alone starts nothing. A variable without a value is taken over from
# your environment.

name: agentbox

x-hardening: &hardening
"""


def render() -> str:
    """The whole file."""
    policies = [load(name) for name in agent_names()]
    common = _shared(policies[0])
    lines = [HEAD.rstrip("\n")]
    for key, value in common.items():
        lines += _commented(key, value)
    lines += ["", "services:"]
    for policy in policies:
        lines += ["", *_service(policy, common)]
    return "\n".join(lines).replace("services:\n\n", "services:\n") + "\n"


def _shared(policy: Policy) -> dict[str, Any]:
    found = hardening(policy.limits) | {"network_mode": "bridge"}
    found["security_opt"] = ["no-new-privileges:true", "seccomp=./seccomp.json"]
    found["cpus"] = f"${{AGENTBOX_CPUS:-{min(policy.limits.cpus, 2.0)}}}"
    return found


def _commented(key: str, value: Any, indent: str = "  ") -> list[str]:
    return [f"{indent}# {REASONS[key]}", f"{indent}{key}: {_flow(value)}"]


def _service(policy: Policy, common: Mapping[str, Any]) -> list[str]:
    lines = [
        f"  # {policy.title}: {policy.homepage}",
        f"  {policy.agent}:",
        "    <<: *hardening",
        f"    image: local/${{REAL_USER:-${{USER:-agent}}}}-{policy.agent}",
        "    pull_policy: never",
        f"    profiles: [{policy.agent}]",
        f'    user: "{USER}"',
        "    working_dir: /workspace",
        "    stdin_open: true",
        "    tty: true",
        f"    command: {_flow(list(policy.command.argv))}",
        f"    labels: {{io.agentbox.agent: {policy.agent}}}",
    ]
    for key, value in _shared(policy).items():
        if value != common[key]:
            lines += _commented(key, value, "    ")
    lines.append("    tmpfs:")
    for place in policy.tmpfs:
        if place.executable:
            lines.append(f"      # exec: {place.why}")
        lines.append(f"      - {tmpfs(place, *IDS)}")
    lines.append("    volumes:")
    for source, target in [("${WORKDIR:-${PWD:-.}}", "/workspace")] + [
        (f"${{HOME}}/{state.host}", state.path) for state in policy.state
    ]:
        lines.append(f'      - {{type: bind, source: "{source}", target: {target}, bind: {{create_host_path: false}}}}')
    return [*lines, "    environment:", *_environment(policy), *_ports(policy)]


def _environment(policy: Policy) -> list[str]:
    fixed = {**policy.env.fixed, "EDITOR": "nano", "PARANOID_MODE": "${PARANOID_MODE:-true}", "TZ": "${TZ:-}"}
    lines = [f'      {name}: "{value}"' for name, value in fixed.items()]
    taken = dict.fromkeys(name for name in (*policy.env.passed, *policy.env.secret) if name not in fixed)
    return lines + [f"      {name}:" for name in taken if not name.endswith("*")]


def _ports(policy: Policy) -> list[str]:
    ports = [port for port in policy.ports if not port.for_login]
    if not ports:
        return []
    head = "    # on the loopback interface only, and with `run` only when asked for: --service-ports"
    return [head, "    ports:", *(f'      - "127.0.0.1:{port.host}:{port.container}"' for port in ports)]


def _flow(value: Any) -> str:
    """A value in YAML's one-line form."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    text = str(value)
    return f'"{text}"' if isinstance(value, str) and not text.replace("_", "").isalnum() and text[0] != "$" else text
