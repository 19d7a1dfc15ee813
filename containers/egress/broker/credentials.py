"""mitmproxy addon: secrets go into requests to the hosts they are for, and not into what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker import exchange
from broker.addresses import canonical

if TYPE_CHECKING:
    from mitmproxy import http

    from broker.live import Live

MASKS = "agentbox-masks"
UNREADABLE = (
    b"agentbox: the answer is compressed although that was declined, so it cannot be searched for credentials\n"
)


class Credentials:
    """The exchange. Whether a request passes at all was decided before, by the gate."""

    def __init__(self, live: Live) -> None:
        self.live = live

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Put the secrets in."""
        if flow.response or flow.error:
            return
        rules = self.live.rules
        host = canonical(flow.request.host)
        injections = rules.injections(host)
        if not injections:
            return
        found = [(rule, value) for rule in injections if (value := self.live.secret(rule.name))]
        pairs = [exchange.Pair(value, rule.placeholder) for rule, value in found]
        basic = flow.request.headers.get("authorization", "")[:6].lower() == "basic "
        flow.metadata[MASKS] = exchange.replacements(pairs, in_base64=basic)
        # An answer can only be searched as it is.
        flow.request.headers["accept-encoding"] = "identity"
        if flow.request.headers.get("te", "").strip().lower() != "trailers":
            flow.request.headers.pop("te", None)
        if flow.request.scheme != "https" and not rules.decide(host, flow.request.port).private:
            return
        for (rule, _), pair in zip(found, pairs, strict=True):
            flow.request.headers.fields = tuple(
                (name, exchange.in_header(value, pair) if name.lower().decode("latin-1") in rule.headers else value)
                for name, value in flow.request.headers.fields
            )
            flow.request.data.path = exchange.in_query(flow.request.data.path, rule.query, pair)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Stream the body; take the secrets out where there may be one."""
        response = flow.response
        if not response or flow.error:
            return
        masks = flow.metadata.get(MASKS)
        if not masks:
            response.stream = True
            return
        response.data.reason = exchange.mask(response.data.reason, masks)
        _mask_fields(response.headers, masks)
        has_body = flow.request.method != "HEAD" and response.status_code not in (204, 304)
        if has_body and _is_compressed(response.headers):
            _refuse(response)
            return
        sized = "content-length" in response.headers
        response.stream = exchange.masking_stream(exchange.fitted(masks) if sized else masks)

    def response(self, flow: http.HTTPFlow) -> None:
        """Trailers come with the end of the body."""
        masks = flow.metadata.get(MASKS)
        if masks and flow.response and flow.response.trailers:
            _mask_fields(flow.response.trailers, masks)

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        """Mask one message, and let it go: mitmproxy would keep all of them."""
        assert flow.websocket
        message = flow.websocket.messages[-1]
        masks = flow.metadata.get(MASKS)
        if masks and not message.from_client:
            masked = exchange.mask(message.content, masks)
            if masked != message.content:
                message.content = masked
        flow.websocket.messages.clear()


def _is_compressed(headers: http.Headers) -> bool:
    content = headers.get("content-encoding", "").strip().lower()
    transfer = headers.get("transfer-encoding", "").strip().lower()
    return content not in ("", "identity") or transfer not in ("", "identity", "chunked")


def _mask_fields(headers: http.Headers, masks: list[exchange.Replacement]) -> None:
    headers.fields = tuple((exchange.mask(name, masks), exchange.mask(value, masks)) for name, value in headers.fields)


def _refuse(response: http.Response) -> None:
    """Another answer in the place of one that cannot be read."""
    response.status_code = 502
    response.headers.clear()
    response.headers["content-type"] = "text/plain"
    response.stream = lambda chunk: [] if chunk else [UNREADABLE]
