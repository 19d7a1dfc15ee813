"""What may change while the broker runs: the rules and the secrets. Whoever asks gets what stands in the files now."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from broker.rules import Rules, parse

log = logging.getLogger("agentbox-egress")
T = TypeVar("T")
LARGEST = 4 << 20


class Watched(Generic[T]):
    """A parsed file, parsed again when a look at it (a stat, 2 microseconds) says that it is another."""

    def __init__(self, path: Path, parser: Callable[[bytes], T]) -> None:
        self.path, self.parser = path, parser
        self.seen = self._stamp()
        self.value = parser(self._read())

    def now(self) -> T:
        """The last version that could be parsed."""
        if (stamp := self._stamp()) != self.seen:
            self.seen = stamp
            try:
                self.value = self.parser(self._read())
                log.warning("%s: taken over", self.path)
            except (OSError, ValueError) as error:
                log.warning("%s: %s; what was in force before stays in force", self.path, error)
        return self.value

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> bytes:
        with self.path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise ValueError("too large")
        return data


class Live:
    """The rules and the secrets in force."""

    def __init__(self, rules: Path, secrets: Path) -> None:
        self._rules = Watched(rules, parse)
        self._folder = secrets
        self._secrets: dict[str, Watched[str]] = {}

    @property
    def rules(self) -> Rules:
        """The rules in force."""
        return self._rules.now()

    def secret(self, name: str) -> str | None:
        """The secret of this name; None if there is none, or none that fits into a header."""
        try:
            if name not in self._secrets:
                self._secrets[name] = Watched(self._folder / name, secret)
            return self._secrets[name].now()
        except (OSError, ValueError):
            return None


def secret(data: bytes) -> str:
    """A secret as a header can carry it: one line of visible ASCII."""
    value = data.rstrip(b"\r\n").decode("ascii", "replace")
    if not value or not value.isascii() or not value.isprintable():
        raise ValueError("not one line of visible ASCII characters")
    return value
