"""A provider's key that the host's environment holds: the provider sees it, and nothing in the container does."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from boxes import AGENTS, Box
from fake_model import FakeModel, Shell
from holds import containers, inspected, places
from provider import KEEP_THEIR_OWN, LOGINS, Login, provider, seed, turn
from reporting import matrix_of

# The turn's command says that it is there, and waits until the search is over.
WAIT = "env >/workspace/environment; touch /workspace/at-it; until [ -e /workspace/searched ]; do sleep 0.2; done"
found: dict[tuple[str, str], str] = {}
matrix = matrix_of(found, "keys by where they are found")


class Search(threading.Thread):
    """Looks through the container while the agent's turn waits for it."""

    def __init__(self, box: Box, secret: str) -> None:
        super().__init__(daemon=True)
        self.box, self.secret = box, secret
        self.over = threading.Event()
        self.places: list[str] = []
        self.said = ""

    def run(self) -> None:
        while not (self.box.workspace / "at-it").exists():
            if self.over.wait(0.2):
                return
        try:
            (container,) = containers(self.box)
            self.places = places(container, self.secret)
            self.said = inspected(container)
        finally:
            (self.box.workspace / "searched").touch()


def row(login: Login) -> str:
    return f"{login.agent} {login.variable}"


def searched(login: Login, box: Box, gateway: str, tmp_path: Path, *options: str) -> tuple[FakeModel, Search]:
    """A whole turn of the agent with its key in the host's environment, and what was found in its container."""
    agent = AGENTS[login.agent]
    with provider(box, gateway, [Shell(WAIT)], tmp_path) as model:
        seed(login, box)
        search = Search(box, login.key)
        search.start()
        done = box.run(agent.name, *turn(login, agent), options=(*agent.options, *options))
        search.over.set()
        search.join()
    assert done.returncode == 0, done.stderr + done.stdout
    assert "DONE" in done.stdout
    return model, search


@pytest.mark.parametrize("login", LOGINS, ids=row)
def test_the_provider_sees_the_key_and_the_container_never_does(
    login: Login, box: Box, gateway: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(login.variable, login.key)

    model, search = searched(login, box, gateway, tmp_path)

    assert model.credentials == {login.key}
    assert search.places == []
    assert login.key not in search.said
    environment = (box.workspace / "environment").read_text()
    # The placeholder is for the tools too, and for the agents that they start.
    variables = dict(line.partition("=")[::2] for line in environment.splitlines())
    assert ("agentbox" in variables.get(login.variable, "")) == ((login.agent, login.variable) not in KEEP_THEIR_OWN)
    # agentbox itself keeps no copy on the disk either.
    state = [path for path in box.home.rglob("*") if path.is_file() and login.key.encode() in path.read_bytes()]
    assert state == []
    found[row(login), "at the provider"] = "the key"
    found[row(login), "in the container"] = "nowhere"


@pytest.mark.parametrize("login", LOGINS, ids=row)
def test_without_the_broker_the_container_holds_it(login: Login, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the same search finds the key where it is."""
    monkeypatch.setenv(login.variable, login.key)
    search = Search(box, login.key)
    search.start()
    done = box.agentbox("shell", login.agent, "--network", "open", "--", "bash", "-c", WAIT)
    search.over.set()
    search.join()
    assert done.returncode == 0, done.stderr
    kinds = sorted({place.partition(" ")[0] for place in search.places})
    assert kinds
    assert login.key in search.said
    found[row(login), "with --network open"] = f"docker inspect, {', '.join(kinds)}"
