"""What agentbox says before an agent starts, from the command line to a request that no engine gets to see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agentbox import runtimes
from agentbox.session import Request

Call = Callable[..., tuple[int, str, str]]


class Nowhere:
    """An engine that starts nothing."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def prepare(self, *_: object, **__: object) -> None: ...

    def check(self, *_: object) -> None: ...

    def others(self) -> list[set[str]]:
        return []

    def masks(self) -> bool:
        return True

    def run(self, request: Request) -> int:
        self.requests.append(request)
        return 0


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, home: Path) -> Nowhere:
    found = Nowhere()
    monkeypatch.setattr(runtimes, "choose", lambda *_, **__: found)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    return found


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["-w", "top", "--mount", "top/sub:ro"], "{top}/sub: read-only at /workspace-2, but writable at /workspace/sub"),
        (["-w", "top", "--mount", "top:ro"], "{top}: read-only at /workspace-2, but writable at /workspace"),
        (["-w", "other", "--mount", "link:ro", "--mount", "top"], "{top}/sub: read-only at /workspace-2, but writable at /workspace-3/sub"),
        (["-w", "top/sub", "--mount", "top:ro"], "{top}/sub: writable at /workspace, though {top} is read-only"),
        (["-w", "top", "--mount", "other:ro"], ""),
        (["-w", "top", "--mount", "top-2:ro"], ""),
        (["-w", "top", "--mount", "top/sub"], ""),
    ],
)  # fmt: skip
def test_folders_that_are_read_only_and_writable_are_named(
    call: Call, nowhere: Nowhere, home: Path, words: list[str], line: str
) -> None:
    for name in ("top/sub", "top-2", "other"):
        (home / "project" / name).mkdir(parents=True)
    (home / "project/link").symlink_to("top/sub")
    code, _, err = call("run", "pi", *words)
    assert code == 0, err
    lines = [each.removeprefix("agentbox: ") for each in err.splitlines() if "read-only" in each]
    assert lines == ([line.format(top=home / "project/top")] if line else [])


@pytest.mark.parametrize(
    ("words", "inside", "said"),
    [
        (["-e", "ANTHROPIC_API_KEY=sk-real", "--network", "open"], True, True),
        (["-e", "ANTHROPIC_API_KEY=sk-real"], False, False),
        (["-e", "OTHER=x", "--network", "open"], False, False),
    ],
)
def test_a_key_that_nobody_could_exchange_is_named(
    call: Call, nowhere: Nowhere, words: list[str], inside: bool, said: bool
) -> None:
    code, _, err = call("run", "pi", *words)
    assert code == 0, err
    (request,) = nowhere.requests
    assert ("sk-real" in request.private.values() and not request.keys.placeholders) == inside
    assert ("ANTHROPIC_API_KEY: the key itself is inside" in err) == said
    assert "sk-real" not in err


@pytest.mark.parametrize("known", [True, False], ids=["", "control"])
def test_a_folder_that_a_running_session_could_exchange_is_refused(
    call: Call, nowhere: Nowhere, home: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """One that has a folder above it. Here it does so in the moment in which it is asked for; the control ignores it."""
    folder, keys = home / "project/sub", home / ".ssh"
    folder.mkdir()
    keys.mkdir()

    def others() -> list[set[str]]:
        folder.rmdir()
        folder.symlink_to(keys)
        return [{str(home / "project")}] if known else []

    monkeypatch.setattr(nowhere, "others", others)
    code, _, err = call("run", "pi", "-w", str(folder))
    if known:
        assert (code, nowhere.requests) == (2, [])
        assert "could put a link to anything in its place" in err
    else:
        assert nowhere.requests[0].mounts[0].source.resolve() == keys


@pytest.mark.parametrize("place", ["project", "project/sub/below", "other"])
def test_sessions_in_the_same_folder_or_apart_are_not_refused(
    call: Call, nowhere: Nowhere, home: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    for name in ("project/sub/below", "other"):
        (home / name).mkdir(parents=True)
    monkeypatch.setattr(nowhere, "others", lambda: [{str(home / place), str(home / place / ".git")}])
    assert call("run", "pi", "-w", str(home / "project"))[0] == 0
    assert len(nowhere.requests) == 1
