"""The broker as a program: live rules, bad starts, another proxy above it, inbound ports."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import net
import pytest
from broker.forward import Outside
from interpreter import SOURCE
from world import API, OTHER, PLACEHOLDER, PLAIN, REAL, Broker, World

pytestmark = [pytest.mark.usefixtures("inside"), pytest.mark.slow]


def allowed(broker: Broker, host: str) -> bool:
    sock, answer = broker.connect(f"{host}:443")
    sock.close()
    return answer.startswith("HTTP/1.1 200")


def test_new_rules_are_in_force_at_once_and_old_tunnels_stay(world: World) -> None:
    rules = world.rules()
    with world.broker(rules) as broker:
        tunnel = broker.tunnel(f"{PLAIN}:443", PLAIN, ["http/1.1"])
        assert not allowed(broker, OTHER)
        broker.write(rules | {"allow": [{"host": OTHER}]})
        assert allowed(broker, OTHER) and not allowed(broker, PLAIN)
        tunnel.sendall(f"GET / HTTP/1.1\r\nHost: {PLAIN}\r\n\r\n".encode())
        assert tunnel.recv(4096).startswith(b"HTTP/1.1 200")


def test_withdrawn_host_is_refused_on_an_intercepted_connection_that_is_open(world: World) -> None:
    rules = world.rules()
    with world.broker(rules) as broker, broker.client() as client:
        assert client.get(f"https://{API}/").status_code == 200
        broker.write(rules | {"allow": []})
        assert client.get(f"https://{API}/").status_code == 403


@pytest.mark.parametrize("text", ["", '{"version": 1, "agent": "cl', "[]", '{"version": 1}'])
def test_malformed_new_rules_change_nothing_and_are_logged(world: World, text: str) -> None:
    rules = world.rules()
    with world.broker(rules) as broker:
        broker.write(text)
        assert allowed(broker, PLAIN) and not allowed(broker, OTHER)
        assert "stays in force" in broker.stderr()
        broker.write(rules | {"allow": [{"host": OTHER}]})
        assert allowed(broker, OTHER)


def test_missing_new_rules_change_nothing(world: World) -> None:
    with world.broker() as broker:
        (broker.folder / "rules/rules.json").unlink()
        assert allowed(broker, PLAIN) and not allowed(broker, OTHER)


def test_new_secret_is_used_at_once(world: World) -> None:
    secret = world.folder / "secrets/ANTHROPIC_API_KEY"
    with world.broker() as broker, broker.client() as client:
        keys = []
        for value in (REAL, "sk-ant-another-0123456789"):
            beside = secret.with_name("new")
            beside.write_text(value)
            beside.replace(secret)
            client.get(f"https://{API}/", headers={"x-api-key": PLACEHOLDER})
            keys.append(world.application.seen[-1]["headers"]["x-api-key"])
    secret.write_text(REAL)
    assert keys == [REAL, "sk-ant-another-0123456789"]


def start(world: World, folder: Path, **places: str) -> subprocess.CompletedProcess[str]:
    """A start that is expected to fail."""
    usual = {"rules": f"{folder}/rules.json", "secrets": f"{world.folder}/secrets", "ca": f"{world.folder}/ca"}
    usual |= {"log": str(folder), "state": f"{folder}/state"}
    argv = [word for name, place in (usual | places).items() for word in (f"--{name}", place)]
    return subprocess.run(
        [*world.interpreter.argv, "-m", "broker", *argv],
        env={"PYTHONPATH": str(SOURCE)},
        preexec_fn=world.surround,
        text=True,
        capture_output=True,
        timeout=20,
        check=False,
    )


def assert_one_line(done: subprocess.CompletedProcess[str], what: str) -> None:
    assert (done.returncode, done.stderr.count("\n")) == (125, 1), done
    assert what in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("text", [None, "", "{", '{"version": 1}'])
def test_malformed_rules_at_the_start_end_it_with_one_line(world: World, tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "rules.json").write_text(text)
    assert_one_line(start(world, tmp_path), "rules.json: ")


@pytest.mark.parametrize("what", ["missing", "malformed", "bundle", "port", "auth"])
def test_other_bad_starts_end_with_one_line(world: World, tmp_path: Path, what: str) -> None:
    rules = world.rules()
    places = {"missing": {"ca": str(tmp_path)}, "malformed": {"ca": str(tmp_path / "bad")}}.get(what, {})
    (tmp_path / "bad").mkdir()
    for name in ("ca.key", "ca.crt"):
        (tmp_path / "bad" / name).write_text("nothing")
    if what == "bundle":
        rules["ca_bundle"] = "/nowhere.pem"
    if what == "auth":
        rules["upstream_proxy"] = {"url": "http://proxy.example:3128", "auth": "NOT_THERE"}
    (tmp_path / "rules.json").write_text(json.dumps(rules))
    with socket.create_server(("0.0.0.0", rules["listen"] if what == "port" else 0)):
        done = start(world, tmp_path, **places)
    said = {
        "missing": "ca.key",
        "malformed": "CA",
        "bundle": "/nowhere.pem",
        "port": f"port {rules['listen']}",
        "auth": "NOT_THERE",
    }
    assert_one_line(done, said[what])


def test_upstream_certificate_is_always_verified(world: World) -> None:
    """Without the provider's CA the intercepted request fails; with it, in all other tests, it does not."""
    with world.broker(world.rules(ca_bundle=None)) as broker, broker.client() as client:
        answer = client.get(f"https://{API}/", headers={"x-api-key": PLACEHOLDER})
    assert answer.status_code == 502 and "certificate" in answer.text.lower()
    assert not world.application.seen


def test_certificate_of_another_name_is_refused(world: World) -> None:
    host = "wrong.name.below.example"
    world.names.answers[host] = [net.PUBLIC]
    inject = [{"name": "ANTHROPIC_API_KEY", "hosts": [host], "headers": ["x-api-key"], "placeholder": PLACEHOLDER}]
    with world.broker(world.rules(inject=inject)) as broker, broker.client() as client:
        assert client.get(f"https://{host}/", headers={"x-api-key": PLACEHOLDER}).status_code == 502
    assert not world.application.seen


class CorporateProxy:
    """An HTTP proxy that wants a password and notes what it is asked for."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.asked: list[str] = []
        self.server = socket.create_server(address)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                threading.Thread(target=self._serve, args=(self.server.accept()[0],), daemon=True).start()
            except OSError:
                return

    def _serve(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head and (chunk := client.recv(65536)):
            head += chunk
        line = head.split(b"\r\n")[0].decode()
        self.asked.append(line)
        if base64.b64encode(b"user:secret") not in head:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return client.close()
        target = line.split()[1]
        port = int(target.rpartition(":")[2]) if line.startswith("CONNECT") else 80
        server = socket.create_connection((net.PUBLIC, port))
        if line.startswith("CONNECT"):
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            server.sendall(head)
        for one, other in ((client, server), (server, client)):
            threading.Thread(target=pump, args=(one, other), daemon=True).start()


def pump(one: socket.socket, other: socket.socket) -> None:
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@pytest.fixture
def behind_proxy(world: World) -> Any:
    """Rules with a proxy above, and that proxy."""
    (world.folder / "secrets/UPSTREAM_PROXY_AUTH").write_text("user:secret")
    proxy = CorporateProxy((net.PRIVATE, 3128))
    upstream = {"url": "http://proxy.example:3128", "auth": "UPSTREAM_PROXY_AUTH"}
    allow = [{"host": API}, {"host": PLAIN}, {"host": "hidden.example"}, {"host": "private.example", "private": True}]
    yield world.rules(upstream_proxy=upstream, allow=allow), proxy
    proxy.server.shutdown(socket.SHUT_RDWR)
    proxy.server.close()


def test_everything_goes_through_the_proxy_above(world: World, behind_proxy: Any) -> None:
    rules, proxy = behind_proxy
    with world.broker(rules) as broker, broker.client() as client:
        assert client.get(f"https://{PLAIN}/").status_code == 200
        assert client.get(f"http://{PLAIN}/").status_code == 200
        assert client.get(f"https://{API}/", headers={"x-api-key": PLACEHOLDER}).status_code == 200
        assert not allowed(broker, OTHER)
    assert proxy.asked == [
        f"CONNECT {PLAIN}:443 HTTP/1.1",
        f"GET http://{PLAIN}/ HTTP/1.1",
        f"CONNECT {API}:443 HTTP/1.1",
    ]
    assert world.application.seen[-1]["headers"]["x-api-key"] == REAL


def test_proxy_above_looks_names_up_itself(world: World, behind_proxy: Any) -> None:
    rules, proxy = behind_proxy
    with world.broker(rules) as broker, broker.client() as client:
        client.get("http://hidden.example/")
    assert proxy.asked == ["GET http://hidden.example/ HTTP/1.1"]
    assert "hidden.example" not in world.names.asked


def test_private_hosts_are_reached_past_the_proxy_above(world: World, behind_proxy: Any) -> None:
    rules, proxy = behind_proxy
    with world.broker(rules) as broker, broker.client() as client:
        assert client.get("https://private.example/").status_code == 200
        assert client.get("http://private.example/").status_code == 200
    assert proxy.asked == []


def test_password_of_the_proxy_above_goes_to_nobody_else(world: World, behind_proxy: Any) -> None:
    """Neither to a host in a tunnel, nor to one that is reached past the proxy; the control is the proxy's own 407."""
    rules, _ = behind_proxy
    with world.broker(rules) as broker:
        for host in (PLAIN, "private.example"):
            sock, _ = broker.connect(f"{host}:80")
            sock.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert sock.recv(4096).startswith(b"HTTP/1.1 200")
        with broker.client() as client:
            assert client.get("http://private.example/").status_code == 200
    assert len(world.application.seen) == 3
    assert not [one for one in world.application.seen if "proxy-authorization" in one["headers"]]


def test_proxy_above_without_the_password_is_an_error(world: World, behind_proxy: Any) -> None:
    """The control: it is the password that opens it."""
    rules, _ = behind_proxy
    rules["upstream_proxy"] = {"url": "http://proxy.example:3128"}
    with world.broker(rules) as broker, broker.client() as client:
        with pytest.raises(httpx.HTTPError):
            client.get(f"https://{PLAIN}/")


def test_inbound_port_leads_to_the_agent(world: World) -> None:
    with socket.create_server((net.PRIVATE, 9119)) as agent:
        rules = world.rules(inbound=[{"listen": 9120, "host": "private.example", "port": 9119}])
        with world.broker(rules):
            with socket.create_connection(("127.0.0.1", 9120)) as browser:
                browser.sendall(b"GET /callback\r\n")
                inner, _ = agent.accept()
                assert inner.recv(100) == b"GET /callback\r\n"
                inner.sendall(b"done")
                inner.close()
                assert browser.recv(100) == b"done"
                assert browser.recv(100) == b""


ROUTES = """Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth1	00000000	010012AC	0003	0	0	0	00000000	0	0	0
eth0	000011AC	00000000	0001	0	0	0	0000FFFF	0	0	0
eth1	000012AC	00000000	0001	0	0	0	0000FFFF	0	0	0
"""


def test_only_the_gateway_speaks_for_the_host_and_only_the_inner_network_is_served() -> None:
    outside = Outside(ROUTES)
    assert (
        outside.is_gateway("172.18.0.1")
        and not outside.is_gateway("172.18.0.7")
        and not outside.is_gateway("172.17.0.1")
    )
    assert outside.holds("172.18.0.7") and outside.holds("172.18.0.1") and not outside.holds("172.17.0.2")


def test_audit_log_is_bounded(world: World) -> None:
    with world.broker() as broker:
        log = broker.folder / "log"
        (log / "audit.jsonl").write_text("x" * (4 << 20))
        allowed(broker, OTHER)
        broker.audit()
        allowed(broker, OTHER)
        assert [line["host"] for line in broker.audit()] == [OTHER]
        assert sorted(file.name for file in log.iterdir()) == ["audit.jsonl", "audit.jsonl.1"]


def test_log_that_cannot_be_written_delays_nothing(world: World) -> None:
    with world.broker() as broker:
        (broker.folder / "log").rename(broker.folder / "gone")
        begun = time.monotonic()
        assert allowed(broker, PLAIN) and not allowed(broker, OTHER)
        assert time.monotonic() - begun < 5
