"""What the model server asks for, and what it reads out of the agents' requests (fake_model.py serves it)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

# --- the script -------------------------------------------------------------------------------------------------------

# What the agents call their tools, and the argument that carries the path.
SHELL_TOOLS = ("bash", "Bash", "terminal", "shell")
READ_TOOLS = ("read", "Read", "read_file")
WRITE_TOOLS = ("write", "Write", "write_file")
PATH_ARGUMENTS = ("path", "file_path", "filePath")


@dataclass(frozen=True)
class Shell:
    """`timeout` is in the agent's own unit, where it is not 0."""

    command: str
    timeout: int = 0
    names = SHELL_TOOLS

    def arguments(self, properties: Json) -> Json:
        asked: Json = {"command": self.command}
        if "description" in properties:
            asked["description"] = "as the test's script says"
        if self.timeout and "timeout" in properties:
            asked["timeout"] = self.timeout
        return asked


@dataclass(frozen=True)
class Read:
    path: str
    names = READ_TOOLS

    def arguments(self, properties: Json) -> Json:
        return {_path_argument(properties): self.path}


@dataclass(frozen=True)
class Write:
    path: str
    content: str
    names = WRITE_TOOLS

    def arguments(self, properties: Json) -> Json:
        return {_path_argument(properties): self.path, "content": self.content}


@dataclass(frozen=True, eq=False)
class Call:
    """Any tool by its own name, offered or not."""

    tool: str
    given: Json

    @property
    def names(self) -> tuple[str, ...]:
        return (self.tool,)

    def arguments(self, properties: Json) -> Json:
        return self.given


Step = Shell | Read | Write | Call
# A list within the script is asked for in one answer.
Script = Sequence[Step | list[Step]]


def _path_argument(properties: Json) -> str:
    return next((name for name in PATH_ARGUMENTS if name in properties), PATH_ARGUMENTS[0])


@dataclass(frozen=True)
class ToolCall:
    id: str
    name: str
    arguments: Json
    step: Step


def next_calls(script: Script, body: Json, call_id: Callable[[], str]) -> list[ToolCall]:
    """What the script wants next in the conversation `body`, as far as the tools that are offered can do it."""
    answers = [step if isinstance(step, list) else [step] for step in script]
    starts = itertools.accumulate(map(len, answers), initial=0)
    position = len(tool_results(body))
    steps = next((answer for start, answer in zip(starts, answers, strict=False) if start == position), [])
    tools = offered_tools(body)
    found = ((step, _name(step, tools)) for step in steps)
    return [ToolCall(call_id(), name, step.arguments(tools.get(name, {})), step) for step, name in found if name]


def _name(step: Step, tools: Json) -> str | None:
    if isinstance(step, Call):
        return step.tool if tools else None  # without any it is a request for a title, or the like
    return next((name for name in step.names if name in tools), None)


# --- reading a request ------------------------------------------------------------------------------------------------


def offered_tools(body: Json) -> dict[str, Json]:
    """Tool name to the properties of its arguments, in either protocol."""
    tools = {}
    for tool in body.get("tools") or []:
        function = tool.get("function", tool)
        schema = function.get("parameters") or function.get("input_schema") or {}
        tools[function.get("name")] = schema.get("properties") or {}
    return tools


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") if isinstance(part, dict) else str(part) for part in content)
    return "" if content is None else str(content)


def tool_results(body: Json) -> list[tuple[str, str]]:
    """(id of the call, text) of every tool result in the conversation."""
    results = []
    for message in body.get("messages", []):
        content = message.get("content")
        if message.get("role") == "tool":
            results.append((message.get("tool_call_id", ""), _text(content)))
        elif isinstance(content, list):
            blocks = (block for block in content if isinstance(block, dict) and block.get("type") == "tool_result")
            results.extend((block.get("tool_use_id", ""), _text(block.get("content"))) for block in blocks)
    return results
