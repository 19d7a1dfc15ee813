"""Every route of routes.cjs in a process of its own: without the guard it leaks (the control), inside the tool context
it is denied by name, and outside it, where the agent itself runs, it works."""

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from node_process import FIREWALL, HERE, environment
from reporting import show

ROUTES = HERE / "routes.cjs"
SECRET = "TOP-SECRET-7f3a"


def _names() -> list[str]:
    """The keys of the table, read as text: node may not be there yet when pytest collects."""
    body = ROUTES.read_text().split("const routes = {", 1)[1].split("\n};", 1)[0]
    keys = re.findall(r"^  (?:'([^']+)'|(\w+)): ", body, flags=re.MULTILINE)
    return [quoted or plain for quoted, plain in keys]


def _known_leaks() -> dict[str, str]:
    text = ROUTES.read_text()
    constants = dict(re.findall(r"^const (\w+) = '([^']+)';", text, flags=re.MULTILINE))
    rows = re.findall(r"^  (?:'([^']+)'|(\w+)): \{ leaks: (?:'([^']+)'|(\w+)),", text, flags=re.MULTILINE)
    return {quoted or plain: reason or constants[constant] for quoted, plain, reason, constant in rows}


def _newer() -> set[str]:
    """Routes that only a newer node than the image's has."""
    rows = re.findall(r"^  (?:'([^']+)'|(\w+)): \{ since: \d+,", ROUTES.read_text(), flags=re.MULTILINE)
    return {quoted or plain for quoted, plain in rows}


NAMES = _names()
KNOWN_LEAKS = _known_leaks()
NEWER = _newer()
IN_IMAGE = [name for name in NAMES if name not in NEWER]


def _cases(names: Sequence[str], modes: Sequence[str], slow: Sequence[str] = ()) -> list[Any]:
    """Every route in every mode; of the `slow` modes one route in ten is in the fast tests."""
    cases = []
    for number, name in enumerate(names):
        for mode in modes:
            leak = KNOWN_LEAKS.get(name) if mode == "tool" else None
            marks = [pytest.mark.xfail(reason=leak, strict=True)] if leak else []
            marks += [pytest.mark.slow] if mode in slow and number % 10 else []
            cases.append(pytest.param(name, mode, id=f"{name}-{mode}", marks=marks))
    return cases


def _run(node: str, route: str, mode: str, root: Path, firewall: Path = FIREWALL) -> Mapping[str, Any]:
    command = [node, str(HERE / "run_route.cjs"), route, mode, str(root)]
    env = {**environment(AN_AGENTS_KEY=SECRET), "FIREWALL_JS": str(firewall)}
    result = subprocess.run(command, env=env, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    assert result.stdout.strip(), f"the route said nothing: {result.stderr}"
    return json.loads(result.stdout.strip().splitlines()[-1])


def _judge(got: Mapping[str, Any], mode: str) -> None:
    if mode != "tool":
        assert SECRET in got.get("value", ""), got
        return
    assert SECRET not in got.get("value", "")
    if "value" not in got:
        assert got["code"] == "EACCES"
        assert "agentbox" in got["error"]
        assert re.search(r"Hint: ", got["error"])


@pytest.mark.parametrize(("route", "mode"), _cases(IN_IMAGE, ("control", "agent", "tool"), slow=["control", "agent"]))
def test_route_reaches_the_file_only_outside_the_tool_context(node: str, tmp_path: Path, route: str, mode: str) -> None:
    _judge(_run(node, route, mode, tmp_path), mode)


@pytest.mark.parametrize(("route", "mode"), _cases(IN_IMAGE, ("tool",), slow=["tool"]))
def test_route_is_closed_by_what_images_load(node: str, joined: Path, tmp_path: Path, route: str, mode: str) -> None:
    _judge(_run(node, route, mode, tmp_path, joined), mode)


@pytest.mark.npm
@pytest.mark.parametrize(("route", "mode"), _cases(NAMES, ("control", "tool")))
def test_route_is_closed_on_the_newest_node_too(newest_node: str, tmp_path: Path, route: str, mode: str) -> None:
    _judge(_run(newest_node, route, mode, tmp_path), mode)


def test_count_of_routes_is_as_collected(node: str, pytestconfig: pytest.Config) -> None:
    listed = subprocess.check_output([node, str(HERE / "run_route.cjs"), "--list"], text=True, env=environment())
    routes = json.loads(listed)
    assert [route["name"] for route in routes] == NAMES
    assert {route["name"]: route["leaks"] for route in routes if route["leaks"]} == KNOWN_LEAKS
    assert {route["name"] for route in routes if route["since"]} == NEWER
    denied = len(NAMES) - len(KNOWN_LEAKS)
    show(pytestconfig, [f"{len(NAMES)} routes: {denied} denied to tools, {len(KNOWN_LEAKS)} known leaks"])
