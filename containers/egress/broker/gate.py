"""mitmproxy addon: what passes. Each request and each connection is judged here, and refused in words."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mitmproxy import connection, http
from mitmproxy.net.http.url import parse_authority
from mitmproxy.proxy import commands, events, layer, layers, server_hooks
from mitmproxy.proxy.layers.http import HTTPMode
from mitmproxy.proxy.layers.tls import parse_client_hello
from mitmproxy.tls import ClientHello

from broker import hello
from broker.addresses import BadName, canonical
from broker.audit import Audit
from broker.forward import Outside, is_ours
from broker.live import Live
from broker.resolve import Refused, Resolver, Unknown
from broker.rules import DEFAULT_PORTS, Verdict, remedy

log = logging.getLogger("agentbox-egress")
# A refused request whose body is larger is not read to its end for the sake of a polite answer.
POLITE = 1 << 20
# In a header's value: a folded line, or what lax servers take for the end of one.
LINE_ENDS = (b"\r", b"\n", b"\0")
LARGEST_HELLO = 1 << 16
TCP_SOCKETS = Path("/proc/self/net/tcp")


class Close(layer.Layer):
    """The end of a connection that is not let through."""

    def __init__(self, context: layer.Context, last_words: bytes) -> None:
        super().__init__(context)
        self.last_words = last_words

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.Start):
            if self.last_words:
                yield commands.SendData(self.context.client, self.last_words)
            yield commands.CloseConnection(self.context.client)


class Leftovers:
    """mitmproxy addon: closes what mitmproxy leaves open. A handler that is cancelled while it waits for its turn ends
    without closing its socket, which happens when a request is refused while its body is still arriving."""

    def __init__(self, connections: Mapping[Any, Any]) -> None:
        self.connections = connections

    def client_disconnected(self, client: connection.Client) -> None:
        """Called when the client's handler has ended, however it did."""
        handler = self.connections.get(client.id)
        for transport in list(handler.transports.values()) if handler else []:
            if transport.writer:
                transport.writer.close()


class Gate:
    """The addon. It also chooses the protocol of each connection, which decides what is intercepted."""

    name = "nextlayer"  # as mitmproxy calls the addon that does that

    def __init__(
        self, live: Live, resolver: Resolver, audit: Audit, network: Outside, *, shared_loopback: bool = False
    ) -> None:
        self.live, self.resolver, self.audit, self.network = live, resolver, audit, network
        self.shared_loopback = shared_loopback
        # These two count at the start; a running proxy does not change its mode.
        self.upstream = live.rules.upstream_proxy

    # --- who asks ---------------------------------------------------------------------------------------------------

    def client_connected(self, client: connection.Client) -> None:
        """The proxy serves the agent's network, not the outward one."""
        peer = client.peername[0]
        if self.network.holds(peer):
            client.error = "not on the agent's network"
            self.audit.record("deny", host=peer, rule="client", reason="a client outside the agent's network")
        elif self.shared_loopback and not is_ours(client.peername[:2], client.sockname[:2], TCP_SOCKETS.read_text()):
            client.error = "not a process of the agent's user"
            self.audit.record("deny", host=peer, rule="client", reason="a process of another user")

    # --- requests ---------------------------------------------------------------------------------------------------

    async def http_connect(self, flow: http.HTTPFlow) -> None:
        """CONNECT host:port."""
        verdict, answer = await self._judge(flow)
        if answer:
            flow.response = answer
        self._record(flow, verdict)

    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        """A plain request to the proxy, or one inside a tunnel."""
        if flow.error:
            return
        verdict, answer = await self._judge(flow)
        self._record(flow, verdict)
        if not answer:
            flow.request.stream = True
            if flow.request.headers.get("upgrade", "").lower() == "h2c":
                # An offer that may be passed over. Taken up, nobody here would read what follows.
                for name in ("upgrade", "http2-settings"):
                    flow.request.headers.pop(name, None)
            if self.upstream and verdict.private and flow.server_conn.address is None:
                # Past the proxy above. A request in a tunnel is where it is already.
                flow.server_conn = connection.Server(address=None)
                flow.request.authority = ""
            return
        length = flow.request.headers.get("content-length", "0")
        if "transfer-encoding" in flow.request.headers or not length.isdecimal() or int(length) > POLITE:
            flow.kill()
        else:
            flow.response = answer

    async def _judge(self, flow: http.HTTPFlow) -> tuple[Verdict, http.Response | None]:
        """The verdict on a request, and the answer if it is refused. Puts the host into its one spelling."""
        request = flow.request
        try:
            request.data.host = host = canonical(request.host)
        except BadName as error:
            return self._refuse(Verdict(False, "name", f"{request.host[:100]!r}: {error}"))
        verdict = self.live.rules.decide(host, request.port)
        if not verdict.allowed:
            return self._refuse(verdict)
        if any(byte in value for _, value in request.headers.fields for byte in LINE_ENDS):
            return self._refuse(
                Verdict(False, "header", f"a header to {host} of several lines, which may hide another")
            )
        if request.method != "CONNECT" and (claim := _other_host(request)):
            return self._refuse(Verdict(False, "host", f"a request to {host} that says it is for {claim[:100]!r}"))
        if self.upstream and not verdict.private:
            return verdict, None
        try:
            await self.resolver.judge(host, request.port, private=verdict.private)
        except Refused as refused:
            cure = f"{remedy(host, request.port)} --private" if refused.remediable else ""
            return self._refuse(Verdict(False, "address", str(refused), remedy=cure))
        except Unknown as unknown:
            return Verdict(False, "dns", str(unknown)), _answer(502, "Cannot resolve host", f"agentbox: {unknown}\n")
        return verdict, None

    def _refuse(self, verdict: Verdict) -> tuple[Verdict, http.Response]:
        text = f"agentbox: {verdict.reason} (rule: {verdict.rule})\n"
        phrase = "Refused by agentbox"
        if verdict.remedy:
            command = f"agentbox allow {verdict.remedy}"
            text += f"Hint: on the host, `{command} --agent {self.live.rules.agent}` allows it, at once and without"
            text += " a restart; with --here for this folder only\n"
            # Most clients show no body where CONNECT fails, but this line.
            phrase += f"; on the host: {command}"
        return verdict, _answer(403, phrase, text)

    def _record(self, flow: http.HTTPFlow, verdict: Verdict) -> None:
        self.audit.record(
            "allow" if verdict.allowed else "deny",
            host=flow.request.host[:256],
            port=flow.request.port,
            method=flow.request.method[:20],
            rule=verdict.rule,
            reason=verdict.reason,
            **({"remedy": verdict.remedy} if verdict.remedy else {}),
        )

    # --- connections ------------------------------------------------------------------------------------------------

    async def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        """The last word on each connection that is opened, whatever led to it."""
        server = data.server
        assert server.address
        host, port = server.address[:2]
        try:
            if self.upstream and (host, port) == (self.upstream.host, self.upstream.port):
                await self.resolver.trust(host, port)
                return
            verdict = self.live.rules.decide(canonical(host), port)
            if verdict.allowed:
                await self.resolver.judge(host, port, private=verdict.private)
            else:
                server.error = f"agentbox: {verdict.reason}"
        except (BadName, Refused, Unknown) as error:
            server.error = f"agentbox: {error}"

    def next_layer(self, nextlayer: layer.NextLayer) -> None:
        """What comes next on a connection, by its first bytes. None yet: more bytes are waited for."""
        context = nextlayer.context
        data = nextlayer.data_client()
        if len(context.layers) == 1:
            nextlayer.layer = self._first(context, data)
        elif any(isinstance(below, layers.ClientTLSLayer) for below in context.layers):
            nextlayer.layer = layers.HttpLayer(context, HTTPMode.transparent)
        else:
            nextlayer.layer = self._in_tunnel(context, data, nextlayer.data_server())

    def _first(self, context: layer.Context, data: bytes) -> layer.Layer | None:
        if hello.may_be_tls(data):
            return Close(context, hello.ALERT)
        if not self.upstream:
            return layers.HttpLayer(context, HTTPMode.regular)
        line, end, _ = data.partition(b"\n")
        if not end and len(data) < POLITE:
            return None
        private = line.startswith(b"CONNECT ") and self._is_private(line.split(b" ")[1])
        return layers.HttpLayer(context, HTTPMode.regular if private else HTTPMode.upstream)

    def _is_private(self, authority: bytes) -> bool:
        try:
            host, port = parse_authority(authority, check=True)
            return self.live.rules.decide(canonical(host), port or 443).private
        except (BadName, ValueError):
            return False

    def _in_tunnel(self, context: layer.Context, data: bytes, from_server: bytes) -> layer.Layer | None:
        assert context.server.address
        host, port = context.server.address[:2]
        rules = self.live.rules
        intercepted = bool(rules.injections(host))
        if hello.may_be_tls(data):
            return self._tls(context, data, host, intercepted)
        if hello.may_be_http(data) and (intercepted or port in DEFAULT_PORTS):
            return layers.HttpLayer(context, HTTPMode.transparent)
        if intercepted or port in DEFAULT_PORTS:
            if data and not from_server and len(data) < 21 and data.isalpha():
                return None
            return self._close(context, f"neither TLS nor HTTP to {host}:{port}", b"")
        return layers.TCPLayer(context, ignore=True)

    def _tls(self, context: layer.Context, data: bytes, host: str, intercepted: bool) -> layer.Layer | None:
        try:
            found: ClientHello | None = parse_client_hello(data)
        except ValueError:
            return self._close(context, f"a malformed ClientHello to {host}", hello.ALERT)
        if not found:
            too_long = len(data) > LARGEST_HELLO
            return self._close(context, f"an endless ClientHello to {host}", hello.ALERT) if too_long else None
        compared = intercepted or self.live.rules.mode != "open"
        if compared and (objection := hello.objection(found.extensions, host)):
            return self._close(context, objection, hello.ALERT)
        if not intercepted:
            return layers.TCPLayer(context, ignore=True)
        server_tls = layers.ServerTLSLayer(context)
        server_tls.child_layer = layers.ClientTLSLayer(context)
        return server_tls

    def _close(self, context: layer.Context, reason: str, last_words: bytes) -> layer.Layer:
        assert context.server.address
        host, port = context.server.address[:2]
        self.audit.record("deny", host=host, port=port, method="", rule="tunnel", reason=reason)
        log.warning("closed: %s", reason)
        return Close(context, last_words)


def _other_host(request: http.Request) -> str:
    """A host that a request names besides the one that it goes to; empty if there is none."""
    claims = [value.decode("latin-1") for value in _host_headers(request)]
    claims += [request.authority] if request.authority else []
    if len(_host_headers(request)) > 1:
        return ", ".join(claims)
    for claim in claims:
        try:
            host, port = parse_authority(claim, check=True)
            if canonical(host) != request.host or (port or request.port) != request.port:
                return claim
        except (BadName, ValueError):
            return claim or "nobody"
    return ""


def _host_headers(request: http.Request) -> list[bytes]:
    return [value for name, value in request.headers.fields if name.lower() == b"host"]


def _answer(status: int, phrase: str, text: str) -> http.Response:
    answer = http.Response.make(status, text, {"Content-Type": "text/plain; charset=utf-8"})
    answer.reason = phrase
    return answer
