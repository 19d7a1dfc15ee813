"""Every file tool of each agent, how it is called, and the ways to write a path: the rows and columns of the matrix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from boxes import AGENTS, Agent, Box, own
from fake_model import Call
from model_script import Json

GPT = "opencode with a gpt model"  # which gets other tools


@dataclass(frozen=True)
class Tool:
    """`arguments` makes those of one call from a path. `shows`: without a guard its result holds what the file holds. `writes`:
    it leaves AFTER in the file. `asks`: it starts an agent, which would go through the script anew."""

    name: str
    arguments: Callable[[str], Json]
    shows: bool = False
    writes: bool = False
    asks: bool = False


@dataclass(frozen=True)
class Subject:
    """One agent as the matrix runs it. `others` are the tools that it offers besides and that name no file, or run a process."""

    agent: Agent
    home: str  # the credential below $HOME
    tools: tuple[Tool, ...]
    others: frozenset[str]
    turn: tuple[str, ...]
    options: tuple[str, ...] = ()
    seed: Callable[[Box, str], None] = lambda box, url: None


BEFORE, AFTER = "before-the-call", "after-the-call"
PATCH = f"*** Begin Patch\n*** Update File: {{path}}\n@@\n-{BEFORE}\n+{AFTER}\n*** End Patch"
NOTEBOOK = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


def reader(name: str, key: str = "path", shows: bool = True, **more: object) -> Tool:
    return Tool(name, lambda path: {key: path, **more}, shows)


def writer(name: str, arguments: Callable[[str], Json]) -> Tool:
    return Tool(name, arguments, writes=True)


def hermes_script(path: str) -> Json:
    return {"code": f"from hermes_tools import read_file\nprint(read_file(path={path!r}))"}


PI = (
    reader("read"),
    reader("grep", pattern="."),
    reader("find", pattern="*", shows=False),
    reader("ls", shows=False),
    writer("write", lambda path: {"path": path, "content": AFTER}),
    writer("edit", lambda path: {"path": path, "edits": [{"oldText": BEFORE, "newText": AFTER}]}),
)
CLAUDE = (
    reader("Read", "file_path"),
    reader("Workflow", "scriptPath", shows=False),
    writer("Write", lambda path: {"file_path": path, "content": AFTER}),
    writer("Edit", lambda path: {"file_path": path, "old_string": BEFORE, "new_string": AFTER}),
    writer(
        "NotebookEdit",
        lambda path: {"notebook_path": path, "new_source": AFTER, "edit_mode": "insert", "cell_type": "code"},
    ),
)
OPENCODE = (
    reader("read", "filePath"),
    reader("grep", pattern="."),
    reader("glob", pattern="*", shows=False),
    reader("lsp", "filePath", shows=False, operation="documentSymbol", line=1, character=1),
    Tool("task", lambda path: {"description": "x", "prompt": f"see @{path} !", "subagent_type": "general"}, asks=True),
)
OPENCODE_WRITERS = (
    writer("write", lambda path: {"filePath": path, "content": AFTER}),
    writer("edit", lambda path: {"filePath": path, "oldString": BEFORE, "newString": AFTER}),
)
HERMES = (
    reader("read_file"),
    reader("search_files", pattern="."),
    reader("vision_analyze", "image_url", shows=False, question="what is it?"),
    Tool("execute_code", hermes_script, shows=True),
    writer("write_file", lambda path: {"path": path, "content": AFTER}),
    writer("patch", lambda path: {"mode": "replace", "path": path, "old_string": BEFORE, "new_string": AFTER}),
    writer("patch", lambda path: {"mode": "patch", "patch": PATCH.format(path=path)}),
)

OPENCODE_OTHERS = frozenset({"bash", "skill", "todowrite", "webfetch", "websearch"})


def _gpt_config(box: Box, url: str) -> None:
    provider = {"npm": "@ai-sdk/openai-compatible", "models": {"gpt-5": {}}}
    options = {"options": {"baseURL": f"{url}/v1", "apiKey": AGENTS["opencode"].key}}
    config = {"provider": {"fake": {**provider, **options}}, "permission": {"*": "allow"}}
    box.put(".config/opencode/opencode.json", config)


SUBJECTS: Mapping[str, Subject] = {
    "pi": Subject(
        AGENTS["pi"],
        "~/.pi/agent/auth.json",
        PI,
        frozenset({"bash"}),
        ("--tools", "read,bash,edit,write,grep,find,ls", *AGENTS["pi"].turn),
    ),
    "claude": Subject(
        AGENTS["claude"],
        "~/.claude/.credentials.json",
        CLAUDE,
        frozenset(
            "Agent Bash CronCreate CronDelete CronList EnterWorktree ExitWorktree ListAgents Monitor RemoteTrigger ReportFindings"
            " ScheduleWakeup SendMessage Skill TaskStop WebFetch WebSearch".split()
        ),
        AGENTS["claude"].turn,
        ("-e", "ENABLE_TOOL_SEARCH=false"),  # offers all of its tools at once
    ),
    "opencode": Subject(
        AGENTS["opencode"],
        "~/.local/share/opencode/auth.json",
        (*OPENCODE, *OPENCODE_WRITERS),
        OPENCODE_OTHERS,
        AGENTS["opencode"].turn,
        ("-e", "OPENCODE_EXPERIMENTAL=1"),
    ),
    GPT: Subject(
        AGENTS["opencode"],
        "~/.local/share/opencode/auth.json",
        (*OPENCODE, writer("apply_patch", lambda path: {"patchText": PATCH.format(path=path)})),
        OPENCODE_OTHERS,
        ("run", "--model", "fake/gpt-5", "show me the file"),
        ("-e", "OPENCODE_EXPERIMENTAL=1"),
        _gpt_config,
    ),
    "hermes": Subject(
        AGENTS["hermes"],
        "~/.hermes/.env",
        HERMES,
        frozenset(
            "clarify cronjob delegate_task memory process session_search skill_manage skill_view skills_list terminal todo".split()
        ),
        AGENTS["hermes"].turn,
    ),
}


def forms(subject: Subject) -> dict[str, str]:
    """The credential file's path, in each way to write it. `prepare` makes the links."""
    secret = subject.agent.secret
    name = secret.rpartition("/")[2]
    return {
        "absolute": secret,
        "relative": f"..{secret}",
        "home": subject.home,
        "symlink": "linked",
        "in symlink": f"linked-folder/{name}",
        "past a link": "aside/../linked",
        "dot-dot": f"/workspace/../tmp/..{secret}",
        "slashes": f"//{secret[1:].replace('/', '//')}",
        "/proc": f"/proc/self/root{secret}",
        "file:": f"file://{secret}",
    }


def prepare(subject: Subject, box: Box) -> None:
    """Links to the credential in the workspace, and for each tool an ordinary file and one whose name is protected."""
    (box.workspace / "linked").symlink_to(subject.agent.secret)
    (box.workspace / "aside").symlink_to("/tmp")
    (box.workspace / "linked-folder").symlink_to(subject.agent.secret.rpartition("/")[0])
    for number, tool in enumerate(subject.tools):
        for path in (ordinary(box, tool, number), guarded(box, tool, number)):
            path.write_text(NOTEBOOK if tool.name == "NotebookEdit" else f"{BEFORE}\n")
            own(path)


def _file(box: Box, tool: Tool, number: int, prefix: str) -> Path:
    return box.workspace / f"{prefix}_{number}{'.ipynb' if tool.name == 'NotebookEdit' else '.txt'}"


def ordinary(box: Box, tool: Tool, number: int) -> Path:
    return _file(box, tool, number, "note")


def guarded(box: Box, tool: Tool, number: int) -> Path:
    """Protected by its name (gh_*), so that a control may change it and the agent still works."""
    return _file(box, tool, number, "gh")


Files = Callable[[Box, Tool, int], Path]


def reads(subject: Subject, box: Box, which: Files) -> list[Call]:
    """Some agents edit only what they have read."""
    first = subject.tools[0]
    files = [which(box, tool, number) for number, tool in enumerate(subject.tools) if tool.writes]
    return [Call(first.name, first.arguments(f"/workspace/{file.name}")) for file in files]


def calls(subject: Subject, box: Box, which: Files) -> list[tuple[Tool, Path, Call]]:
    """Each tool on a file of its own."""
    files = [(tool, which(box, tool, number)) for number, tool in enumerate(subject.tools) if not tool.asks]
    return [(tool, file, Call(tool.name, tool.arguments(f"/workspace/{file.name}"))) for tool, file in files]
