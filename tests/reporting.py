"""Lines that a test run shows to who reads its log, whatever pytest captures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest


def show(config: pytest.Config, lines: Sequence[str]) -> None:
    """Print the lines past the capture."""
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


def matrix_of(outcomes: Mapping[tuple[str, str], str]) -> Callable[..., Any]:
    """A fixture for a test module: it prints what the module's tests have put into `outcomes` when they are done."""

    @pytest.fixture(scope="module", autouse=True)
    def matrix(request: pytest.FixtureRequest) -> Iterator[None]:
        yield
        if outcomes:
            show(request.config, table(outcomes))

    return matrix
