"""All that can go wrong, as one tree.

An error has an object (what it is about), a cause and, where there is one, a hint. Library code raises; only
`agentbox.cli` prints.
"""

from __future__ import annotations

FAILED = 125
USAGE = 2


class AgentboxError(Exception):
    """Something agentbox could not do. `exit_code` is what the process ends with."""

    exit_code = FAILED

    def __init__(self, subject: str, cause: str, hint: str = "", *, exit_code: int | None = None) -> None:
        super().__init__(f"{subject}: {cause}")
        self.subject = subject
        self.cause = cause
        self.hint = hint
        if exit_code is not None:
            self.exit_code = exit_code

    def lines(self) -> str:
        """The error as shown to a person: one line, and a second with the hint."""
        text = f"agentbox: {one_line(self.subject)}: {visible(self.cause)}"
        return f"{text}\nHint: {visible(self.hint)}" if self.hint else text


class UsageError(AgentboxError):
    """What was asked for makes no sense; nothing was done."""

    exit_code = USAGE


class EngineError(AgentboxError):
    """The container engine or its Compose plugin is absent, out of reach, or refused."""


class NoEngineError(EngineError):
    """There is no engine, or none that lets us in."""


class BuildError(AgentboxError):
    """An image could not be built. The cause holds the last lines of the build's log."""


class InstallError(AgentboxError):
    """An agent could not be installed for the native engine."""


class StateError(AgentboxError):
    """A directory in the host's home cannot be used."""


class PolicyError(AgentboxError):
    """A configuration file is wrong. `file` and, where known, `line` and `place` (toml_text.Place) say where."""

    exit_code = USAGE

    def __init__(
        self, file: str, cause: str, hint: str = "", *, line: int | None = None, place: tuple[str | int, ...] = ()
    ) -> None:
        super().__init__(file if line is None else f"{file}:{line}", cause, hint)
        self.file = file
        self.line = line
        self.place = place


def one_line(text: str) -> str:
    """`text` with control characters written out, so that a folder's name cannot forge a message."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def visible(text: str) -> str:
    """`text` with its line ends and tabs, and other control characters written out: a build's log, or a key in a file
    that an agent wrote, must not steer the terminal."""
    return "".join(char if char in "\n\t" else one_line(char) for char in text)


def nearest(word: str, known: list[str] | tuple[str, ...]) -> str:
    """The known word that `word` was probably meant to be, or an empty string."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, known, 1, 0.6)), "")
