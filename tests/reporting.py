"""Lines that a test run shows to who reads its log, whatever pytest captures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

DOCUMENT = Path(__file__).resolve().parents[1] / "docs/threat-model.md"


def show(config: pytest.Config, lines: Sequence[str]) -> None:
    """Print the lines past the capture; a worker of pytest-xdist hands them to the process that started it."""
    if hasattr(config, "workeroutput"):
        config.workeroutput.setdefault("shown", []).extend(lines)
        return
    capture = config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print("\n" + "\n".join(lines))


def table(outcomes: Mapping[tuple[str, str], str], width: int = 28) -> list[str]:
    """(row, column) to outcome as lines of text, in the order in which they came."""
    columns = list(dict.fromkeys(column for _, column in outcomes))
    lines = [f"{'attack':{width}}" + "".join(f"{column:>13}" for column in columns)]
    for row in dict.fromkeys(row for row, _ in outcomes):
        lines.append(f"{row:{width}}" + "".join(f"{outcomes.get((row, column), ''):>13}" for column in columns))
    return lines


def documented(name: str) -> dict[tuple[str, str], str]:
    """The table called `name` of docs/threat-model.md as (row, column) to outcome."""
    text = DOCUMENT.read_text().partition(f"<!-- matrix: {name} -->\n")[2].partition("<!-- end -->")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    return {(row[0], column): cell for row in rows[2:] for column, cell in zip(rows[0][1:], row[1:], strict=True)}


def record(name: str, outcomes: Mapping[tuple[str, str], str]) -> None:
    """Put the table into docs/threat-model.md, between its two marks."""
    columns = list(dict.fromkeys(column for _, column in outcomes))
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for row in dict.fromkeys(row for row, _ in outcomes):
        lines.append(f"| {row} | " + " | ".join(outcomes.get((row, column), "") for column in columns) + " |")
    begin = f"<!-- matrix: {name} -->\n"
    head, found, rest = DOCUMENT.read_text().partition(begin)
    assert found, f"{DOCUMENT.name} has no place for the matrix {name!r}"
    DOCUMENT.write_text(head + begin + "\n".join(lines) + "\n<!-- end -->" + rest.partition("<!-- end -->")[2])


def matrix_of(outcomes: Mapping[tuple[str, str], str], name: str) -> Callable[..., Any]:
    """A fixture for a test module: when its tests are done, it prints what they have put into `outcomes`, and compares that
    with the table in docs/threat-model.md. AGENTBOX_RECORD=1 writes the table instead (run the whole module then, in one process)."""

    @pytest.fixture(scope="module", autouse=True)
    def matrix(request: pytest.FixtureRequest) -> Iterator[None]:
        yield
        if not outcomes:
            return
        show(request.config, [name, *table(outcomes)])
        if os.environ.get("AGENTBOX_RECORD") == "1":
            record(name, outcomes)
        known = documented(name)
        differs = {key: outcome for key, outcome in outcomes.items() if known.get(key) != outcome}
        assert not differs, f"docs/threat-model.md says otherwise; AGENTBOX_RECORD=1 writes the table {name!r}"

    return matrix
