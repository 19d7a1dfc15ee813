"""`agentbox setup`: tools may change what the next session runs, see no folder of the host, and get no credential."""

from __future__ import annotations

from boxes import AGENTS, Box
from fake_model import FakeModel, Shell

SETTINGS = "/agent/pi/agent/settings.json"
SCRIPT = f"echo '{{}}' > {SETTINGS}; echo settings=$?; ls /workspace; cat {AGENTS['pi'].secret}; echo secret=$?"


def turn(box: Box, gateway: str, command: str) -> str:
    """What pi's shell tool returned for SCRIPT."""
    agent = AGENTS["pi"]
    with FakeModel([Shell(SCRIPT)], host=gateway) as model:
        agent.seed(box, model.url, agent.key)
        box.put(".pi/agent/settings.json", '{"theme": "dark"}')
        (box.workspace / "mine").touch()
        done = box.agentbox(command, "pi", "--", *agent.turn)
        assert done.returncode == 0, done.stderr
        assert agent.key in model.credentials
        return model.results[0]


def test_tools_change_settings_in_setup_and_still_not_the_credential(box: Box, gateway: str) -> None:
    seen = turn(box, gateway, "setup")
    assert "settings=0" in seen
    assert "secret=1" in seen
    assert "mine" not in seen
    assert "dark" not in (box.home / ".pi/agent/settings.json").read_text()


def test_in_an_ordinary_run_they_do_not(box: Box, gateway: str) -> None:
    """The control: the same turn as `run`."""
    seen = turn(box, gateway, "run")
    assert "settings=0" not in seen
    assert "mine" in seen
    assert "dark" in (box.home / ".pi/agent/settings.json").read_text()
