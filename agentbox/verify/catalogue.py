"""The attacks: small files with a few lines at their head that say what they are. Yours are read beside agentbox's own.

    FOLDER/<family>/<name>.<sh|py|mjs|tool>

    # says: one sentence for people
    # stopped by: vault + seccomp            each of them is taken away for the control
    # proof: canary | output REGEX | changed PATH | arrived | unreported PATH
    # source: where the idea is from
    # agents: pi claude                      all, where this line is missing
    # engines: native                        both, where this line is missing
    # as: tool + agent                       a tool, where this line is missing; as the agent, no vault is around it
    # kernel: kernel.io_uring_disabled=2     settings of a kernel that refuses it by itself, or ENOSYS

A .tool file names one call of the agent's own file tools: `read PATH` or `write PATH`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from agentbox.errors import UsageError, one_line
from agentbox.identity import Identity
from agentbox.policy_load import agent_names
from agentbox.verify.protections import PROTECTIONS

FAMILIES = ("file", "node", "process", "credentials", "network", "later", "bounds")
PROGRAMS = {".sh": "bash", ".py": "python3", ".mjs": "node", ".tool": ""}
OWN = Path(__file__).resolve().parent / "attacks"
NEEDED = ("says", "stopped by", "proof", "source")
HEADERS = (*NEEDED, "agents", "engines", "as", "kernel")
ENGINES = ("docker", "native")
TOOL, AGENT = "tool", "agent"
SETTING = re.compile(r"ENOSYS|[a-z0-9_]+(?:\.[a-z0-9_]+)+=[0-9,]+")
PROOFS = {"canary": False, "output": True, "changed": True, "arrived": False, "unreported": True}
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")
LARGEST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack. `stopped_by` are the protections that its control is without, `proof` shows that it has worked.
    `by_agent`: it stands where the agent does, which no vault confines. `kernel` are settings of a kernel that refuses
    it by itself."""

    name: str
    family: str
    says: str
    stopped_by: frozenset[str]
    proof: str
    argument: str
    source: str
    agents: tuple[str, ...]
    kind: str
    text: str
    engines: tuple[str, ...] = ENGINES
    by_agent: bool = False
    kernel: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"{self.family}/{self.name}"

    @property
    def is_tool(self) -> bool:
        """Whether the agent's own file tool is the attacker."""
        return self.kind == ".tool"

    @property
    def protections(self) -> str:
        return " + ".join(name for name in PROTECTIONS if name in self.stopped_by)


def folder_of(identity: Identity) -> Path:
    """Where a user's own attacks are."""
    return identity.config_file.parent / "attacks"


def load(*folders: Path) -> list[Attack]:
    """All attacks of `folders`, those that exist. Raises UsageError for the first file that is wrong."""
    found: dict[str, Attack] = {}
    for folder in folders:
        for path in _files(folder):
            for attack in parse(path):
                if attack.path in found:
                    raise _wrong(path, f"there is a {attack.path} already", "give it another name")
                found[attack.path] = attack
    # The agent's own tools come first, and what takes all there is last.
    return sorted(found.values(), key=lambda each: (not each.is_tool, FAMILIES.index(each.family), each.name))


def select(attacks: Iterable[Attack], only: Iterable[str]) -> list[Attack]:
    """Those that one of `only` names: a family, a name, or a pattern for family/name."""
    wanted = list(only)
    if not wanted:
        return list(attacks)

    def named(attack: Attack, text: str) -> bool:
        return (
            attack.family == text
            if text in FAMILIES
            else any(fnmatch(each, text) for each in (attack.name, attack.path))
        )

    known = list(attacks)
    for text in wanted:
        if not any(named(attack, text) for attack in known):
            raise UsageError(f"--only {text}", "names no attack", "agentbox verify --list shows them")
    return [attack for attack in known if any(named(attack, text) for text in wanted)]


def parse(path: Path) -> list[Attack]:
    """The attack in one file: two, where it is one of the agent as well as of its tools."""
    family, name = path.parent.name, path.stem
    if family not in FAMILIES:
        raise _wrong(path, f"its folder is no family: {', '.join(FAMILIES)}", f"move it to {FAMILIES[0]}/, say")
    if not NAME.fullmatch(name):
        raise _wrong(path, "its name may have small letters, digits and - only", "rename it")
    text = _read(path)
    head = dict(_headers(path, text))
    for key in NEEDED:
        if not head.get(key):
            raise _wrong(path, f"there is no line `# {key}: …` at its head", "agentbox/verify/attacks has examples")
    stopped_by = _words(path, head["stopped by"], "stopped by", tuple(PROTECTIONS))
    agents = _words(path, head.get("agents", ""), "agents", agent_names())
    engines = _words(path, head.get("engines", ""), "engines", ENGINES)
    roles = _words(path, head.get("as", ""), "as", (TOOL, AGENT)) or [TOOL]
    kernel = head.get("kernel", "").split()
    if wrong := next((each for each in kernel if not SETTING.fullmatch(each)), ""):
        raise _wrong(path, f"kernel: {wrong!r} is no setting", "ENOSYS, or as in kernel.io_uring_disabled=2")
    proof, _, argument = head["proof"].partition(" ")
    if PROOFS.get(proof) is not bool(argument.strip()):
        raise _wrong(
            path, f"proof: {head['proof']!r} is none of {', '.join(PROOFS)}", "output, changed and unreported name what"
        )
    attack = Attack(
        name, family, head["says"], frozenset(stopped_by), proof, argument.strip(), head["source"],
        tuple(agents) or agent_names(), path.suffix, text, tuple(engines) or ENGINES, kernel=tuple(kernel),
    )  # fmt: skip
    _check(path, attack)
    if AGENT not in roles:
        return [attack]
    own = replace(attack, name=f"{name}-by-agent", by_agent=True, stopped_by=attack.stopped_by - {"vault"})
    if not own.stopped_by or attack.is_tool:
        raise _wrong(path, "as: agent: the vault does not confine it", "name what else stops it")
    return [attack, own] if TOOL in roles else [own]


def _check(path: Path, attack: Attack) -> None:
    if attack.proof == "output":
        try:
            re.compile(attack.argument)
        except re.error as error:
            raise _wrong(path, f"proof: {attack.argument!r} is no regular expression: {error}", "") from None
    if attack.is_tool and not tool_call(attack):
        raise _wrong(path, "names no call", "one line below its head: read PATH, or write PATH")


def tool_call(attack: Attack) -> tuple[str, str] | None:
    """What a .tool file asks for: read or write, and the path."""
    lines = [line.strip() for line in attack.text.splitlines() if line.strip() and not line.startswith("#")]
    verb, _, path = lines[0].partition(" ") if len(lines) == 1 else ("", "", "")
    return (verb, path.strip()) if verb in ("read", "write") and path.strip() else None


def _files(folder: Path) -> Iterator[Path]:
    """The files in the families' folders; a README, or an editor's copy, is none of ours."""
    if not folder.is_dir():
        return
    for path in sorted(folder.glob("*/*")):
        if path.is_file() and path.suffix in PROGRAMS and not path.name.startswith("."):
            yield path


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
        text = raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(path, getattr(error, "strerror", None) or "is not UTF-8", "") from None
    if len(raw) > LARGEST:
        raise _wrong(path, f"is larger than {LARGEST} bytes", "")
    return text


def _headers(path: Path, text: str) -> Iterator[tuple[str, str]]:
    """The first lines, as long as they are comments."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#!"):
            continue
        match = re.fullmatch(r"\s*(?:#|//)\s?(.*)", line)
        if match is None:
            return
        key, colon, value = match[1].partition(":")
        if colon and key in HEADERS:
            yield key, value.strip()
        elif number == 1:
            raise _wrong(path, f"line 1 is none of `# {': …`, `# '.join(HEADERS)}: …`", "")


def _words(path: Path, text: str, key: str, known: tuple[str, ...]) -> list[str]:
    words = text.replace("+", " ").replace(",", " ").split()
    for word in words:
        if word not in known:
            raise _wrong(path, f"{key}: there is no {word!r}", f"there are {', '.join(known)}")
    return words


def _wrong(path: Path, cause: str, hint: str) -> UsageError:
    return UsageError(str(path), one_line(cause), hint)
