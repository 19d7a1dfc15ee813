"""What Node would compile at each start of an agent, compiled once, as in the images.

Node trusts what lies in its compile cache, so that no tool may write there: the cache is a folder of the installed
agent, and that is read-only in every sandbox but this one, which can write nowhere else and reach nothing.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from agentbox.harness import Installed
from agentbox.identity import Identity
from agentbox.native import landlock
from agentbox.native.broker import as_user
from agentbox.native.harness import COMPILED
from agentbox.native.landlock import ALL, DEVICE, READ, RUN, Rules
from agentbox.native.layout import parts
from agentbox.native.places import ETC, SYSTEM
from agentbox.policy_model import Policy
from agentbox.state import make_dir, remove_tree

SECONDS = 60


def compile_ahead(policy: Policy, installed: Installed, who: Identity) -> None:
    """Fill the cache, where Landlock can confine who does. It is a matter of speed alone: where nothing comes of it, an
    empty folder says so."""
    if not landlock.abi():
        return
    part = installed.root / f".{COMPILED}.{os.getpid()}"
    try:
        make_dir(part, who)
        _start([*installed.argv, *policy.command.version[1:]], part, installed, who)
        part.rename(installed.root / COMPILED)
    except OSError:
        pass  # another start was faster, or the disk is full
    finally:
        remove_tree(part)


def _start(words: list[str], part: Path, installed: Installed, who: Identity) -> None:
    rules = Rules(ports=())
    rules.add(RUN, (*SYSTEM, str(installed.root), *map(str, installed.needs)))
    rules.add(READ, ("/proc", *(f"/etc/{name}" for name in ETC)))
    rules.add(DEVICE, ("/dev/null", "/dev/urandom", "/dev/random"))
    rules.add(ALL, (str(part),))
    domain = landlock.ruleset(rules)
    try:
        enter = [str(parts()["agentbox-enter"]), "--supervise", str(os.getpid()), "--landlock", str(domain), "--"]
        subprocess.run(
            [*enter, *words], env={"HOME": "/", "PATH": os.defpath, "NODE_COMPILE_CACHE": str(part)}, cwd=part,
            pass_fds=[domain], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            timeout=SECONDS, check=False, **as_user(who),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        pass
    finally:
        os.close(domain)
