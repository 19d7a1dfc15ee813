"""The typed face of the vault's C core. The only importer of ``_vault``."""

from __future__ import annotations

import enum
import os
from pathlib import Path
from typing import Any, NamedTuple

from agentbox.errors import AgentboxError

try:
    from agentbox import _vault  # type: ignore[attr-defined]  # a CFFI module has no stubs
except ImportError:  # no native parts: not Linux, no compiler, or AGENTBOX_NATIVE=0
    _vault = None


class VaultMissing(AgentboxError):
    """This installation has no compiled core."""


class PolicyMalformed(AgentboxError):
    """A vault policy that the interposer would refuse. ``line`` is 0 where the file as a whole is meant."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"vault policy, line {line}" if line else "vault policy", message)
        self.line = line
        self.message = message


class Right(enum.IntEnum):
    """What a tool process may do with a path."""

    DENY = 0
    READ = 1
    WRITE = 2


class Verdict(NamedTuple):
    """A path's right, and the name or path of the policy that decided (None: no rule)."""

    right: Right
    rule: str | None


def available() -> bool:
    """Whether the compiled core is there."""
    return _vault is not None


def _core() -> Any:  # CFFI modules carry no types
    if _vault is None:
        raise VaultMissing(
            "the vault's compiled core",
            "this installation was built without native parts",
            "install agentbox again on Linux with a C compiler, and without AGENTBOX_NATIVE=0",
        )
    return _vault


class Policy:
    """A parsed vault policy: the very tables and code that the interposer uses."""

    def __init__(self, text: bytes) -> None:
        core = _core()
        self._ffi, self._lib = core.ffi, core.lib
        if len(text) > self._lib.VAULT_FILE_MAX:
            raise PolicyMalformed(0, "larger than 64 KiB")
        self._policy = self._ffi.new("struct vault_policy *")
        error = self._ffi.new("struct vault_error *")
        self._ffi.memmove(self._policy.text, text, len(text))
        if not self._lib.vault_policy_parse(self._policy, len(text), error):
            raise PolicyMalformed(int(error.line), self._ffi.string(error.message).decode())

    @classmethod
    def load(cls, path: Path) -> Policy:
        """Parse the policy file at ``path``."""
        return cls(path.read_bytes())

    def judge(self, path: str | bytes | os.PathLike[str]) -> Verdict:
        """The right that a tool process has on ``path``, by its text alone."""
        verdict = self._lib.vault_judge(self._policy, os.fsencode(path))
        rule = None if verdict.rule == self._ffi.NULL else os.fsdecode(self._ffi.string(verdict.rule))
        return Verdict(Right(verdict.right), rule)

    def hides(self, variable: str) -> bool:
        """Whether an environment variable is kept from the processes that the agent starts."""
        return bool(self._lib.vault_hides(self._policy, os.fsencode(variable)))

    def _text(self, field: str) -> str | None:
        value = getattr(self._policy, field)
        return None if value.text == self._ffi.NULL else os.fsdecode(self._ffi.string(value.text))

    @property
    def exe(self) -> str | None:
        """The agent's executable."""
        return self._text("exe")

    @property
    def script(self) -> str | None:
        """The agent's script, where the executable is an interpreter."""
        return self._text("script")

    @property
    def vault(self) -> str | None:
        """The tree that is granted piece by piece."""
        return self._text("vault")

    @property
    def audit(self) -> str | None:
        """Where denials are appended."""
        return self._text("audit")
