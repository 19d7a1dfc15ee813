"""How agentbox speaks to a terminal and to a pipe: colours, widths, one-line progress, --quiet.

Colours only where a terminal shows them: not with NO_COLOR or TERM=dumb, and in a pipe only with FORCE_COLOR. Widths
count on a terminal alone: a pipe gets whole lines.
"""

from __future__ import annotations

import os
import sys
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, TextIO

import click

from agentbox.errors import one_line, visible

if TYPE_CHECKING:
    from rich.console import Console

QUIET = "agentbox.quiet"
WIDE = 72


def _set_quiet(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta[QUIET] = value


quiet_option = click.option(
    "-q", "--quiet", is_flag=True, expose_value=False, callback=_set_quiet,
    help="Say nothing of agentbox's own but errors.",
)  # fmt: skip


def is_quiet() -> bool:
    context = click.get_current_context(silent=True)
    return bool(context and context.meta.get(QUIET))


def say(line: str) -> None:
    """A line about what agentbox does, to stderr, whatever control characters its words hold; none with --quiet."""
    if not is_quiet():
        click.echo(one_line(line if line.startswith(" ") else f"agentbox: {line}"), err=True)


def colours(stream: TextIO) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return stream.isatty() and not _dumb()


def _dumb() -> bool:
    return os.environ.get("TERM", "dumb") in ("", "dumb", "unknown")


def console(stream: TextIO | None = None) -> Console:
    from rich.console import Console

    stream = stream or sys.stdout
    on = colours(stream)
    return Console(file=stream, color_system="standard" if on else None, force_terminal=on or None, highlight=False)


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A function for one-line reports: a status line on a terminal, plain lines elsewhere, always on stderr."""
    if is_quiet() or not sys.stderr.isatty() or _dumb():
        yield say
        return
    with _status("") as report:
        yield report


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """A status line on a terminal, nothing elsewhere: for what takes a second or two."""
    if is_quiet() or not sys.stderr.isatty() or _dumb():
        yield
        return
    with _status(text):
        yield


@contextmanager
def _status(text: str) -> Iterator[Callable[[str], None]]:
    """One line of stderr that says what is done and how long that has taken, gone at the end."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    rest = Column(no_wrap=True, overflow="ellipsis", ratio=1)
    columns = SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False, table_column=rest)
    with Progress(*columns, console=console(sys.stderr), transient=True, expand=True) as shown:
        task = shown.add_task(text, total=None)
        yield lambda line: shown.update(task, description=one_line(line))


def show_output(chunks: Iterable[bytes]) -> None:
    """What a container wrote, to stdout: lines and tabs as they are, all else that steers a terminal written out."""
    decoder = getincrementaldecoder("utf-8")(errors="backslashreplace")
    held = ""
    for chunk in chain(chunks, (None,)):
        text = held + decoder.decode(chunk or b"", final=chunk is None)
        held = "\r" if text.endswith("\r") and chunk is not None else ""  # the half of a line's end
        sys.stdout.write(visible(text.removesuffix(held).replace("\r\n", "\n")))
        if "\n" in text:  # the engine's SDK hands on a terminal's output byte by byte
            sys.stdout.flush()


def wide() -> bool:
    """Whether stdout is a terminal with room for a column of sentences beside others."""
    return sys.stdout.isatty() and console().width >= WIDE


def table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    """Columns on stdout: folded to a terminal's width, in a pipe as wide as they must be."""
    cells = [[one_line(str(cell)) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _folded(head, cells)
        return
    widths = [max(len(row[column]) for row in [list(head), *cells]) for column in range(len(head))]
    for row in [list(head), *cells]:
        click.echo("  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip())


def _folded(head: tuple[str, ...], cells: list[list[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in head:
        shown.add_column(name, overflow="fold")
    for row in cells:
        shown.add_row(*map(Text, row))
    console().print(shown)
