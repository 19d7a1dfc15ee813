"""The providers' side of the tests: an application that says what arrived, and servers for it in a thread."""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from hypercorn.asyncio import serve
from hypercorn.config import Config

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Application:
    """An ASGI application; `seen` holds what each request was."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.arrived = 0

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await _lifespan(receive, send)
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        query = {
            name: values[0] for name, values in parse_qs(scope["query_string"].decode(), keep_blank_values=True).items()
        }
        request = {"path": scope["path"], "headers": headers, "query": query, "http": scope.get("http_version", "")}
        self.seen.append(request)
        if scope["type"] == "websocket":
            return await _echo_messages(request, receive, send)
        handler = getattr(self, "do" + scope["path"].replace("/", "_"), self.do_echo)
        await handler(request, receive, send)

    async def do_echo(self, request: dict[str, Any], receive: Receive, send: Send) -> None:
        """Say what arrived."""
        length = 0
        while True:
            message = await receive()
            length += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        await _answer(send, [json.dumps({**request, "length": length}).encode()])

    async def do_reflect(self, request: dict[str, Any], receive: Receive, send: Send) -> None:
        """Say the key again: in a header, and in the body in pieces of a given size."""
        key = request["headers"].get("authorization", "") + "|" + request["headers"].get("x-api-key", "")
        body = f"<{key}>".encode()
        size = int(request["query"].get("size", len(body)))
        pieces = [body[i : i + size] for i in range(0, len(body), size)]
        extra = [(b"x-reflected", key.encode())]
        if "sized" in request["query"]:
            extra.append((b"content-length", str(len(body)).encode()))
        if encoding := request["query"].get("encoding"):
            extra.append((b"content-encoding", encoding.encode()))
        await _answer(send, pieces, extra)

    async def do_events(self, request: dict[str, Any], receive: Receive, send: Send) -> None:
        """Server-sent events: one after the other, or, `awaited`, each once the one before is known to have arrived."""
        self.arrived = 0
        pause, count = float(request["query"].get("pause", 0.3)), int(request["query"].get("count", 4))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        for number in range(count):
            line = f"data: {number}\n\n".encode()
            await send({"type": "http.response.body", "body": line, "more_body": True})
            await asyncio.sleep(pause)
            while "awaited" in request["query"] and self.arrived <= number:
                await asyncio.sleep(0.01)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def do_arrived(self, request: dict[str, Any], receive: Receive, send: Send) -> None:
        """An event has."""
        self.arrived += 1
        await self.do_echo(request, receive, send)

    async def do_slow(self, request: dict[str, Any], receive: Receive, send: Send) -> None:
        """Take a while before the first byte."""
        await asyncio.sleep(float(request["query"]["seconds"]))
        await _answer(send, [b"at last"])

    async def do_large(self, request: dict[str, Any], receive: Receive, send: Send) -> None:
        """Many bytes, for as long as there is somebody: asyncio's TLS keeps all that is written to one who is gone."""
        gone = asyncio.create_task(_gone(receive))
        pieces = itertools.repeat(b"x" * 65536, int(request["query"]["chunks"]))
        await _answer(send, itertools.takewhile(lambda _: not gone.done(), pieces))
        gone.cancel()

    async def do_redirect(self, request: dict[str, Any], receive: Receive, send: Send) -> None:
        """Send the client elsewhere."""
        await _answer(send, [b""], [(b"location", request["query"]["to"].encode())], 302)


async def _answer(
    send: Send, pieces: Iterable[bytes], extra: list[tuple[bytes, bytes]] | None = None, status: int = 200
) -> None:
    await send({"type": "http.response.start", "status": status, "headers": extra or []})
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _echo_messages(request: dict[str, Any], receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": request["headers"].get("authorization", "")})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})


def start(application: Application, binds: list[str], plain: list[str], certificate: tuple[str, str]) -> None:
    """Serve with TLS at `binds` and without at `plain`, in a thread of the calling thread's network."""
    config = Config()
    config.bind, config.insecure_bind = binds, plain
    config.certfile, config.keyfile = certificate
    config.alpn_protocols = ["h2", "http/1.1"]
    config.errorlog = config.accesslog = None
    config.h2_max_inbound_frame_size = 2**16
    config.keep_alive_timeout = 60
    ready = threading.Event()

    def run() -> None:
        async def main() -> None:
            asyncio.get_running_loop().call_later(0.2, ready.set)
            await serve(application, config, shutdown_trigger=asyncio.Event().wait)  # type: ignore[arg-type]

        asyncio.run(main())

    threading.Thread(target=run, daemon=True).start()
    ready.wait(10)


def client_context(*authorities: str) -> ssl.SSLContext:
    """Trust these certificates and no others."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for authority in authorities:
        context.load_verify_locations(cadata=authority)
    return context
