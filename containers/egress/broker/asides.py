"""What reaches the agent's side without any addon being asked: mitmproxy's own error pages, which quote what a provider
sent, and control frames of WebSockets. All secrets there are taken out of them, whoever they are for."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from broker import exchange

if TYPE_CHECKING:
    from broker.live import Live


def mask(live: Live) -> None:
    """To be called once, before the first connection."""
    from mitmproxy import connection
    from mitmproxy.proxy.layers import websocket
    from mitmproxy.proxy.layers.http import _http1, _http2

    page, send = _http1.format_error, websocket.WebsocketConnection.send2

    def masked_page(status_code: int, message: str) -> bytes:
        return bytes(page(status_code, exchange.mask(message.encode(errors="replace"), _masks(live)).decode()))

    def masked_send(self: Any, event: Any) -> Any:
        return send(self, _without_secrets(event, live) if isinstance(self.conn, connection.Client) else event)

    patched: list[tuple[Any, str, Any]] = [
        (_http1, "format_error", masked_page),
        (_http2, "format_error", masked_page),
        (websocket.WebsocketConnection, "send2", masked_send),
    ]
    for place, name, function in patched:
        setattr(place, name, function)


def _masks(live: Live) -> list[exchange.Replacement]:
    pairs = [exchange.Pair(value, rule.placeholder) for rule in live.rules.inject if (value := live.secret(rule.name))]
    return exchange.fitted(exchange.replacements(pairs, in_base64=True))


def _without_secrets(event: Any, live: Live) -> Any:
    """A ping, a pong or a close: as long as before, as they have a greatest length."""
    if payload := getattr(event, "payload", b""):
        return dataclasses.replace(event, payload=exchange.mask(bytes(payload), _masks(live)))
    if reason := getattr(event, "reason", ""):
        return dataclasses.replace(event, reason=exchange.mask(reason.encode(), _masks(live)).decode())
    return event
