"""A model server that follows a script, so that a real agent can be taken through a whole turn without a paid API.

It speaks Anthropic Messages and OpenAI chat-completions, streaming and not. The script is a list of tool calls: the
n-th request of a conversation (counted by the tool results in it) is answered with the n-th call, or calls where
the script has a list, and when it has ended, or the agent offers no tool of that kind, with the text DONE. All that was
asked is kept, so that a test can see which credential arrived and what the tools returned.

    with FakeModel([Shell("cat /etc/passwd")]) as model:
        ...                                 # run an agent against model.url
        model.credentials, model.results

    cd agentbox/verify/inside
    python -m fake_model --port 8080 --shell 'cat /etc/passwd' --read /etc/passwd --log /tmp/requests.jsonl
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, TextIO

from model_script import (
    Call,
    Json,
    Read,
    Script,
    Shell,
    Step,
    ToolCall,
    Write,
    next_calls,
    offered_tools,
    tool_results,
)

__all__ = ["Call", "FakeModel", "Read", "Shell", "Step", "Write"]


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
        return [text for _, text in tool_results(self.body)]

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
# To whoever renews a login: what comes after it, for one more time.
RENEWED = {
    "token_type": "Bearer",
    "access_token": "sk-ant-oat01-renewed",
    "refresh_token": "sk-ant-ort01-the-next",
    "expires_in": 28800,
    "scope": "user:inference user:profile",
}


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
    def _blocks(calls: list[ToolCall]) -> list[Json]:
        uses = [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in calls]
        return uses or [{"type": "text", "text": FINAL_TEXT}]

    @staticmethod
    def _stop_reason(calls: list[ToolCall]) -> str:
        return "tool_use" if calls else "end_turn"

    def whole(self, model: str, calls: list[ToolCall]) -> Json:
        return {**self._message(model), "content": self._blocks(calls), "stop_reason": self._stop_reason(calls)}

    def stream(self, model: str, calls: list[ToolCall]) -> Iterator[Event]:
        yield self._event("message_start", message=self._message(model))
        for index, block in enumerate(self._blocks(calls)):
            if block["type"] == "text":
                start, delta = {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}
            else:
                delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
                start = {**block, "input": {}}
            yield self._event("content_block_start", index=index, content_block=start)
            yield self._event("content_block_delta", index=index, delta=delta)
            yield self._event("content_block_stop", index=index)
        stop = {"stop_reason": self._stop_reason(calls), "stop_sequence": None}
        yield self._event("message_delta", delta=stop, usage={"output_tokens": 5})
        yield self._event("message_stop")

    @staticmethod
    def _event(kind: str, **fields: Any) -> Event:
        return kind, {"type": kind, **fields}


class OpenAI:
    """POST /v1/chat/completions"""

    usage: ClassVar = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}

    @staticmethod
    def _message(calls: list[ToolCall]) -> Json:
        if not calls:
            return {"role": "assistant", "content": FINAL_TEXT}
        asked = [
            {
                "index": index,
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
            }
            for index, call in enumerate(calls)
        ]
        return {"role": "assistant", "content": None, "tool_calls": asked}

    @staticmethod
    def _finish_reason(calls: list[ToolCall]) -> str:
        return "tool_calls" if calls else "stop"

    def _answer(self, model: str, kind: str, choice: Json) -> Json:
        return {
            "id": "chatcmpl-fake",
            "object": kind,
            "created": 1700000000,
            "model": model,
            "choices": [{"index": 0, **choice}],
        }

    def whole(self, model: str, calls: list[ToolCall]) -> Json:
        choice = {"message": self._message(calls), "finish_reason": self._finish_reason(calls)}
        return {**self._answer(model, "chat.completion", choice), "usage": self.usage}

    def stream(self, model: str, calls: list[ToolCall]) -> Iterator[Event]:
        kind = "chat.completion.chunk"
        yield None, self._answer(model, kind, {"delta": self._message(calls), "finish_reason": None})
        last = self._answer(model, kind, {"delta": {}, "finish_reason": self._finish_reason(calls)})
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

    def do_CONNECT(self) -> None:
        """Who takes this for a proxy is refused at once, as by the broker, and need not try again for a minute."""
        self.send_error(403)

    def do_POST(self) -> None:
        request = self._request(self._body())
        self.server.note(request)
        path = self.path.partition("?")[0]
        if path.endswith("/count_tokens"):
            self._answer({"input_tokens": 10})
            return
        if path.endswith("/oauth/token"):
            self._answer(RENEWED)
            return
        protocol = next((known for end, known in PROTOCOLS.items() if path.endswith(end)), None)
        if protocol is None:
            self._answer({"error": {"message": f"no such endpoint: {self.path}"}}, status=404)
            return
        model = request.body.get("model", "fake-model")
        calls = next_calls(self.server.script, request.body, self.server.call_id)
        self.server.asked.update({call.id: call.step for call in calls})
        if request.body.get("stream"):
            self._stream(protocol.stream(model, calls))
        else:
            self._answer(protocol.whole(model, calls))

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

    def __init__(self, address: tuple[str, int], script: Script, log: TextIO | None) -> None:
        super().__init__(address, Handler)
        self.script = script
        self.requests: list[Request] = []
        self.asked: dict[str, Step] = {}
        self._log = log
        self._calls = itertools.count(1)
        self._lock = threading.Lock()

    def note(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)
            if self._log:
                print(json.dumps(request.summary()), file=self._log, flush=True)

    def call_id(self) -> str:
        return f"toolu_{next(self._calls):06d}"


class FakeModel:
    """The server in a thread of its own; port 0 takes a free one."""

    def __init__(
        self,
        script: Script,
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

    @property
    def outcomes(self) -> list[tuple[Step, str]]:
        """Each step that was asked for, with what its tool returned."""
        longest = max((tool_results(request.body) for request in self.requests), key=len, default=[])
        return [(self._server.asked[name], text) for name, text in longest if name in self._server.asked]

    @property
    def offered(self) -> dict[str, Json]:
        """The tools that the agent offered, by name, with the properties of their arguments."""
        return {name: given for request in self.requests for name, given in offered_tools(request.body).items()}


# --- python -m fake_model ---------------------------------------------------------------------------------------------


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
