"""What keeps the tests quick: which of many of a kind `make check` alone runs, and several processes that run them."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest


def slow_but(kept: Collection[object], values: Iterable[object]) -> list[Any]:
    """Values for parametrize: those that are not in `kept` are slow."""
    return [pytest.param(value, marks=() if value in kept else pytest.mark.slow) for value in values]


def slow_but_one_of_each(first: Iterable[object], second: Iterable[object], one: object, other: object) -> list[Any]:
    """All pairs; those are not slow that have `one` as their first or `other` as their second."""
    return [
        pytest.param(*pair, marks=() if pair[0] == one or pair[1] == other else pytest.mark.slow)
        for pair in product(first, second)
    ]


def for_all_workers(factory: pytest.TempPathFactory) -> Path:
    """The folder of this run of the tests, which its workers share."""
    return factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else factory.getbasetemp()


@contextmanager
def one_at_a_time(made: Path) -> Iterator[None]:
    """For what is kept from run to run: one process makes it, and the others wait and find it."""
    with _locked(made, fcntl.LOCK_EX):
        yield


@contextmanager
def in_use(shared: Path, *, alone: bool) -> Iterator[None]:
    """For what tests use at the same time, but for one that changes it."""
    with ExitStack() as held:
        # While one waits to be alone no other may begin: they would hardly ever all be between two tests.
        with _locked(shared.with_name(f"{shared.name}.next"), fcntl.LOCK_EX):
            held.enter_context(_locked(shared, fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
        yield


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, how)
        yield
