"""The scripted model's place: beside the agent, or, where nothing may listen there, outside and behind the broker."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agentbox import programs
from agentbox.errors import EngineError
from agentbox.hosts import OWN_HOST, parse
from agentbox.native.broker import as_user
from agentbox.policy_model import Allowed, Policy
from agentbox.verify.grounds import Ground
from agentbox.verify.seeds import PORT, URL
from agentbox.verify.world import World

SECONDS = 10


@dataclass(frozen=True, slots=True)
class Model:
    """Its port, and its address as the agent knows it."""

    port: int = PORT
    url: str = URL
    outside: bool = False

    def folder(self, world: World) -> Path:
        """Where its script lies."""
        return world.root if self.outside else world.verify

    def known_to(self, policy: Policy) -> Policy:
        """The policy, with the model on the allow-list where that is needed."""
        if not self.outside:
            return policy
        allowed = Allowed(parse(f"{OWN_HOST}:{self.port}"), "agentbox verify")
        return policy._replace(network=policy.network._replace(allowed=(*policy.network.allowed, allowed)))

    @contextmanager
    def beside(self, world: World) -> Iterator[None]:
        """Have it there, for as long as the block lasts, where it does not start with the agent."""
        if not self.outside:
            yield
            return
        program, script = world.verify / "play.py", self.folder(world) / "script.json"
        words = [interpreter(), "-s", "-E", str(program), str(script), "--outside"]
        with (world.verify / "play.log").open("wb") as log:
            process = subprocess.Popen(
                words, env={"PYTHONDONTWRITEBYTECODE": "1"}, cwd="/", stdin=subprocess.PIPE, stdout=log, stderr=log,
                **as_user(world.identity),
            )  # fmt: skip
        try:
            until = time.monotonic() + SECONDS
            while not (world.verify / "ready").exists():
                if process.poll() is not None or time.monotonic() > until:
                    raise EngineError("scripted model", "did not start")
                time.sleep(0.02)
            yield
        finally:
            process.kill()
            process.communicate()


def interpreter() -> str:
    """A Python that everybody may start. agentbox's own may lie in the home of root."""
    return programs.find("python3", path=os.defpath) or sys.executable


def model(ground: Ground, mode: str, *, with_agent: bool) -> Model:
    """Where it is to be with a network of this `mode`. Without one the sandbox has its port open (Job.port)."""
    if not (with_agent and ground.model_outside(mode)):
        return Model()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return Model(port, f"http://{OWN_HOST if mode == 'allowlist' else '127.0.0.1'}:{port}", outside=True)
