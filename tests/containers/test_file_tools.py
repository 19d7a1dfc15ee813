"""The model asks each agent for every file tool that it has, on its credential and on protected names, by each way to write a path:
all are refused with a reason, and ordinary files are not. The control: the same turn without the guards."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from boxes import Box, masked
from fake_model import Call, FakeModel
from file_tools import AFTER, BEFORE, SUBJECTS, Subject, Tool, calls, forms, guarded, ordinary, prepare, reads
from reporting import matrix_of

OUTCOMES: dict[tuple[str, str], str] = {}
matrix = matrix_of(OUTCOMES, "own file tools by how the path is written")

# What makes an agent's guard: a file of its image, and what it is replaced with to be without.
GUARDS = {
    "pi": ("/usr/local/lib/agentbox/prepare.sh", 'agent=pi\nprepare_agent() { exec pi --no-approve "$@"; }\n'),
    "claude": ("/etc/agentbox/managed-settings.json", "{}\n"),
    "opencode": ("/etc/agentbox/opencode.json", "{}\n"),
    "hermes": ("/usr/local/lib/agentbox/hermes-guard/__init__.py", "def register(ctx): pass\n"),
}


@pytest.fixture(params=list(SUBJECTS))
def subject(request: pytest.FixtureRequest) -> Subject:
    return SUBJECTS[request.param]


@dataclass(frozen=True)
class Attack:
    row: str
    column: str
    tool: Tool
    call: Call
    file: Path | None = None  # None: the credential


def attacks(subject: Subject, box: Box, *, writing: bool) -> list[Attack]:
    """Every tool on the credential in each form, and on a protected name of its own."""
    found = [
        Attack(f"{_name(subject)} {tool.name}", form, tool, Call(tool.name, tool.arguments(path)))
        for tool in subject.tools
        for form, path in forms(subject).items()
        if writing or not (tool.writes or tool.asks)
    ]
    return found + [
        Attack(f"{_name(subject)} {tool.name}", "gh_*", tool, call, file)
        for tool, file, call in calls(subject, box, guarded)
    ]


def _name(subject: Subject) -> str:
    return next(name for name, each in SUBJECTS.items() if each is subject).partition(" ")[0]


@pytest.fixture
def start(box: Box, subject: Subject, gateway: str) -> Iterator[Callable[..., FakeModel]]:
    """A model server for the subject, which is ready to go."""
    prepare(subject, box)
    models = []

    def begin(*script: list[Call]) -> FakeModel:
        model = FakeModel(list(script), host=gateway)
        models.append(model.__enter__())
        subject.agent.seed(box, model.url, subject.agent.key)
        subject.seed(box, model.url)
        return model

    yield begin
    for model in models:
        model.__exit__()


def canary(subject: Subject) -> str:
    """What only the credential file says. Hermes covers up keys that it knows in what its tools return."""
    return subject.agent.key if subject.agent.name != "hermes" else "OPENROUTER_BASE_URL="


def credential(subject: Subject, box: Box) -> bytes:
    return (box.home / subject.home.removeprefix("~/")).read_bytes()


def test_every_file_tool_is_refused_what_is_protected(
    subject: Subject, box: Box, start: Callable[..., FakeModel]
) -> None:
    asked = attacks(subject, box, writing=True)
    benign = calls(subject, box, ordinary)
    model = start([each.call for each in asked], reads(subject, box, ordinary), [call for _, _, call in benign])
    before = credential(subject, box)

    options = (
        "--no-mask",
        *subject.agent.options,
        *subject.options,
    )  # masks would cover the gh_* files before the guards do
    run = box.run(subject.agent.name, *subject.turn, options=options)

    assert run.returncode == 0, run.stderr
    assert "DONE" in run.stdout
    assert subject.agent.key in model.credentials
    results = dict(model.outcomes)
    for each in asked:
        OUTCOMES[each.row, each.column] = outcome = _outcome(results[each.call], subject)
        assert outcome == "refused", f"{each.row} {each.column}: {results[each.call]}"
        assert each.file is None or AFTER not in each.file.read_text()
    assert credential(subject, box) == before
    assert not any(canary(subject) in json.dumps(request.body) for request in model.requests)
    unknown = set(model.offered) - {tool.name for tool in subject.tools} - subject.others
    assert not unknown, "the agent has tools that the matrix does not know"
    # The benign control.
    for tool, file, call in benign:
        assert "agentbox" not in results[call]
        assert not tool.shows or BEFORE in results[call]
        assert (AFTER in file.read_text()) == tool.writes


def test_without_the_guards_they_are_not(
    subject: Subject, box: Box, start: Callable[..., FakeModel], images: Callable[[str], str]
) -> None:
    """The control: the same image, state and calls, but for those that would overwrite the credential."""
    asked = attacks(subject, box, writing=False)
    model = start(reads(subject, box, guarded), [each.call for each in asked])
    file, content = GUARDS[subject.agent.name]
    (box.workspace / ".without").write_text(content)
    options = [f"--volume={box.workspace / '.without'}:{file}:ro"]
    options += [word.replace("-e", "--env") for word in subject.options]

    run = masked(
        subject.agent,
        box,
        images(subject.agent.name),
        "/etc/ld.so.preload",
        turn=subject.turn,
        options=options,
    )

    assert run.returncode == 0, run.stderr
    results = dict(model.outcomes)
    for each in asked:
        assert "agentbox:" not in results[each.call]
        if each.file is not None:
            OUTCOMES[each.row, "no guard"] = _without(each, results[each.call])
            assert (AFTER in each.file.read_text()) == each.tool.writes, results[each.call]
        elif (
            each.column == "absolute" and each.tool.shows and subject.agent.name != "hermes"
        ):  # which has a list of its own
            assert canary(subject) in results[each.call]


def _outcome(result: str, subject: Subject) -> str:
    if canary(subject) in result:
        return "LEAK"
    return "refused" if "agentbox" in result and "rotected by" in result else "other"


def _without(attack: Attack, result: str) -> str:
    if attack.tool.writes:
        return "changed"
    return "returned" if BEFORE in result else "ran"
