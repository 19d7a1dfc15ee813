"""A model server that follows a script, so that a real agent can be taken through a whole turn without a paid API.

It speaks Anthropic Messages and OpenAI chat-completions, streaming and not. The script is a list of tool calls: the
n-th request of a conversation (counted by the tool results in it) is answered with the n-th call, and when the script
has ended, or the agent offers no tool of that kind, with the text DONE. All that was asked is kept, so that a test can
see which credential arrived and what the tools returned.

    with FakeModel([Shell("cat /etc/passwd")]) as model:
        ...                                 # run an agent against model.url
        model.credentials, model.results

    python -m tests.fake_model --port 8080 --shell 'cat /etc/passwd' --read /etc/passwd --log requests.jsonl
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import ssl
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, TextIO

Json = dict[str, Any]

# --- the script -------------------------------------------------------------------------------------------------------

# What the agents call their tools, and the argument that carries the path.
SHELL_TOOLS = ("bash", "Bash", "terminal", "shell")
READ_TOOLS = ("read", "Read", "read_file")
WRITE_TOOLS = ("write", "Write", "write_file")
PATH_ARGUMENTS = ("path", "file_path", "filePath")


@dataclass(frozen=True)
class Shell:
    command: str
    names = SHELL_TOOLS

    def arguments(self, properties: Json) -> Json:
        asked = {"command": self.command}
        if "description" in properties:
            asked["description"] = "as the test's script says"
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


Step = Shell | Read | Write


def _path_argument(properties: Json) -> str:
    return next((name for name in PATH_ARGUMENTS if name in properties), PATH_ARGUMENTS[0])


@dataclass(frozen=True)
class ToolCall:
    id: str
    name: str
    arguments: Json


def next_call(script: Sequence[Step], body: Json, call_id: str) -> ToolCall | None:
    """What the script wants next in the conversation `body`, if it can be had with the tools that are offered."""
    tools = offered_tools(body)
    position = len(tool_results(body))
    if position >= len(script):
        return None
    step = script[position]
    name = next((name for name in step.names if name in tools), None)
    return ToolCall(call_id, name, step.arguments(tools[name])) if name else None


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


def tool_results(body: Json) -> list[str]:
    results = []
    for message in body.get("messages", []):
        content = message.get("content")
        if message.get("role") == "tool":
            results.append(_text(content))
        elif isinstance(content, list):
            blocks = (block for block in content if isinstance(block, dict) and block.get("type") == "tool_result")
            results.extend(_text(block.get("content")) for block in blocks)
    return results


def credential_in(headers: dict[str, str]) -> str | None:
    bearer = headers.get("authorization", "")
    return headers.get("x-api-key") or bearer.removeprefix("Bearer ").strip() or None


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: Json = field(default_factory=dict)

    @property
    def credential(self) -> str | None:
        return credential_in(self.headers)

    @property
    def results(self) -> list[str]:
        return tool_results(self.body)

    def summary(self) -> Json:
        return {
            "method": self.method,
            "path": self.path,
            "credential": self.credential,
            "model": self.body.get("model"),
            "stream": bool(self.body.get("stream")),
            "tools": list(offered_tools(self.body)),
            "results": self.results,
        }


# --- writing an answer ------------------------------------------------------------------------------------------------

Event = tuple[str | None, Json | str]

FINAL_TEXT = "DONE"


class Anthropic:
    """POST /v1/messages"""

    @staticmethod
    def _message(model: str) -> Json:
        return {
            "id": "msg_fake",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 10, "output_tokens": 5},
        }

    @staticmethod
    def _block(call: ToolCall | None) -> Json:
        if call:
            return {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.name, "input": call.arguments}
        return {"type": "text", "text": FINAL_TEXT}

    @staticmethod
    def _stop_reason(call: ToolCall | None) -> str:
        return "tool_use" if call else "end_turn"

    def whole(self, model: str, call: ToolCall | None) -> Json:
        return {**self._message(model), "content": [self._block(call)], "stop_reason": self._stop_reason(call)}

    def stream(self, model: str, call: ToolCall | None) -> Iterator[Event]:
        block = self._block(call)
        delta: Json
        if call:
            block["input"] = {}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(call.arguments)}
        else:
            block["text"] = ""
            delta = {"type": "text_delta", "text": FINAL_TEXT}
        yield self._event("message_start", message=self._message(model))
        yield self._event("content_block_start", index=0, content_block=block)
        yield self._event("content_block_delta", index=0, delta=delta)
        yield self._event("content_block_stop", index=0)
        stop = {"stop_reason": self._stop_reason(call), "stop_sequence": None}
        yield self._event("message_delta", delta=stop, usage={"output_tokens": 5})
        yield self._event("message_stop")

    @staticmethod
    def _event(kind: str, **fields: Any) -> Event:
        return kind, {"type": kind, **fields}


class OpenAI:
    """POST /v1/chat/completions"""

    usage: ClassVar = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}

    @staticmethod
    def _message(call: ToolCall | None) -> Json:
        if not call:
            return {"role": "assistant", "content": FINAL_TEXT}
        function = {"name": call.name, "arguments": json.dumps(call.arguments)}
        calls = [{"index": 0, "id": f"call_{call.id}", "type": "function", "function": function}]
        return {"role": "assistant", "content": None, "tool_calls": calls}

    @staticmethod
    def _finish_reason(call: ToolCall | None) -> str:
        return "tool_calls" if call else "stop"

    def _answer(self, model: str, kind: str, choice: Json) -> Json:
        return {
            "id": "chatcmpl-fake",
            "object": kind,
            "created": 1700000000,
            "model": model,
            "choices": [{"index": 0, **choice}],
        }

    def whole(self, model: str, call: ToolCall | None) -> Json:
        choice = {"message": self._message(call), "finish_reason": self._finish_reason(call)}
        return {**self._answer(model, "chat.completion", choice), "usage": self.usage}

    def stream(self, model: str, call: ToolCall | None) -> Iterator[Event]:
        kind = "chat.completion.chunk"
        yield None, self._answer(model, kind, {"delta": self._message(call), "finish_reason": None})
        last = self._answer(model, kind, {"delta": {}, "finish_reason": self._finish_reason(call)})
        yield None, {**last, "usage": self.usage}
        yield None, "[DONE]"


PROTOCOLS = {"/messages": Anthropic(), "/chat/completions": OpenAI()}

# --- the server -------------------------------------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.server.note(self._request())
        self._answer({})

    def do_GET(self) -> None:
        self.server.note(self._request())
        models = [{"id": "fake-model", "object": "model", "owned_by": "fake", "context_length": 200_000}]
        self._answer({"object": "list", "data": models} if "models" in self.path else {})

    def do_POST(self) -> None:
        request = self._request(self._body())
        self.server.note(request)
        path = self.path.partition("?")[0]
        if path.endswith("/count_tokens"):
            self._answer({"input_tokens": 10})
            return
        protocol = next((known for end, known in PROTOCOLS.items() if path.endswith(end)), None)
        if protocol is None:
            self._answer({"error": {"message": f"no such endpoint: {self.path}"}}, status=404)
            return
        model = request.body.get("model", "fake-model")
        call = next_call(self.server.script, request.body, self.server.call_id())
        if request.body.get("stream"):
            self._stream(protocol.stream(model, call))
        else:
            self._answer(protocol.whole(model, call))

    def _request(self, body: Json | None = None) -> Request:
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.command, self.path, headers, body or {})

    def _body(self) -> Json:
        if "chunked" in self.headers.get("transfer-encoding", ""):
            raw = b"".join(self._chunks())
        else:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _answer(self, answer: Json, status: int = 200) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _stream(self, events: Iterator[Event]) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for kind, data in events:
            if kind:
                self.wfile.write(f"event: {kind}\n".encode())
            self.wfile.write(f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode())


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], script: Sequence[Step], log: TextIO | None) -> None:
        super().__init__(address, Handler)
        self.script = script
        self.requests: list[Request] = []
        self._log = log
        self._calls = itertools.count(1)
        self._lock = threading.Lock()

    def note(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)
            if self._log:
                print(json.dumps(request.summary()), file=self._log, flush=True)

    def call_id(self) -> str:
        return f"{next(self._calls):06d}"


class FakeModel:
    """The server in a thread of its own; port 0 takes a free one."""

    def __init__(
        self,
        script: Sequence[Step],
        host: str = "127.0.0.1",
        port: int = 0,
        log: TextIO | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._server = Server((host, port), script, log)
        if tls is not None:
            # The handshake waits for its first read, in the connection's own thread.
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> FakeModel:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def requests(self) -> list[Request]:
        return list(self._server.requests)

    @property
    def credentials(self) -> set[str]:
        """Every credential that a request for an answer carried."""
        return {request.credential for request in self.requests if request.method == "POST" and request.credential}

    @property
    def results(self) -> list[str]:
        """The tool results of the conversation, as far as it came."""
        return max((request.results for request in self.requests), key=len, default=[])


# --- python -m tests.fake_model ---------------------------------------------------------------------------------------


class _AppendStep(argparse.Action):
    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        kind = Shell if option_string == "--shell" else Read
        namespace.script.append(kind(values))


def main() -> None:
    parser = argparse.ArgumentParser(description="A model server that follows a script of tool calls, then says DONE.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--shell", metavar="COMMAND", action=_AppendStep, dest="script", default=[], help="repeatable")
    parser.add_argument("--read", metavar="PATH", action=_AppendStep, dest="script", help="repeatable")
    parser.add_argument("--log", type=Path, help="append one line of JSON for each request")
    options = parser.parse_args()
    log = options.log.open("a") if options.log else None
    server = Server((options.host, options.port), options.script, log)
    print(f"http://{options.host}:{server.server_address[1]}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
