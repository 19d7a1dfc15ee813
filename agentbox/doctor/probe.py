"""What a container really gets, asked in one: it starts with an agent's hardening, runs SCRIPT, and is gone."""

from __future__ import annotations

import json
from typing import Any

from agentbox import owner
from agentbox.compose import hardening
from agentbox.engine import OWNER, Engine
from agentbox.errors import EngineError
from agentbox.identity import Identity
from agentbox.policy_model import Limits
from agentbox.resources import tree

LIMITS = Limits(pids=71, memory=192 << 20, cpus=0.5, nofile=1024)
PYTHON = "/usr/bin/python3"

# Runs on the Python of the image. landlock_create_ruleset(NULL, 0, VERSION) tells the ABI; io_uring_setup(1, NULL) gets
# as far as EFAULT where nothing refuses it.
SCRIPT = r"""
import ctypes, json
libc = ctypes.CDLL(None, use_errno=True)
def call(*words):
    result = libc.syscall(*words)
    return result if result >= 0 else -ctypes.get_errno()
def text(path):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return None
status = dict(line.split(":\t", 1) for line in text("/proc/self/status").splitlines() if ":\t" in line)
group = "/sys/fs/cgroup/"
files = {
    "pids": ("pids.max", "pids/pids.max"),
    "memory": ("memory.max", "memory/memory.limit_in_bytes"),
    "swap": ("memory.swap.max", "memory/memory.memsw.limit_in_bytes"),
    "cpu": ("cpu.max", "cpu/cpu.cfs_quota_us"),
}
print(json.dumps({
    "landlock": call(444, None, 0, 1),
    "io_uring": call(425, 1, None),
    "status": {name: status.get(name) for name in ("NoNewPrivs", "Seccomp", "CapBnd", "Uid")},
    "uid_map": text("/proc/self/uid_map"),
    "limits": {name: next((found for path in paths if (found := text(group + path)) is not None), None)
               for name, paths in files.items()},
}))
"""


def ask(engine: Engine, image: str, identity: Identity) -> dict[str, Any]:
    """The script's answer. Raises EngineError where no container starts, or where it says something else."""
    wanted = hardening(LIMITS)
    profile = (tree("containers") / "seccomp.json").read_text()
    said = engine.output_of(
        image,
        ["-c", SCRIPT],
        entrypoint=PYTHON,
        user=f"{identity.uid}:{identity.gid}",
        init=wanted["init"],
        read_only=wanted["read_only"],
        cap_drop=wanted["cap_drop"],
        security_opt=["no-new-privileges:true", f"seccomp={profile}"],
        pids_limit=LIMITS.pids,
        mem_limit=LIMITS.memory,
        memswap_limit=LIMITS.memory,
        nano_cpus=int(LIMITS.cpus * 1e9),
        network_mode="none",
        labels={OWNER: owner.current()},  # `agentbox clean` removes it, should this process be killed
    )
    try:
        return dict(json.loads(said))
    except ValueError:
        raise EngineError("container", f"answered {said[:200]!r}") from None
