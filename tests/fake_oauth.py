"""An HTTPS proxy that ends every connection itself and answers an OAuth refresh, whatever host it is for: so that a real agent can
renew its login without an account. The agent is told to trust `certificate`."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOSTS = ("platform.claude.com", "api.anthropic.com", "console.anthropic.com", "claude.ai", "openrouter.ai")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeOAuth

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_CONNECT(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)
        self.close_connection = False

    def do_GET(self) -> None:
        self._answer(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        self.server.credentials.add(self.headers.get("authorization", ""))
        if "/oauth/token" not in self.path:
            self._answer(404, {})
            return
        self.server.asked.append(body)
        token = {"token_type": "Bearer", "access_token": self.server.token, "refresh_token": "sk-ant-ort01-the-next"}
        self._answer(200, {**token, "expires_in": 28800, "scope": "user:inference user:profile"})

    def _answer(self, status: int, answer: dict[str, object]) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class FakeOAuth(ThreadingHTTPServer):
    """`asked` are the bodies of the refreshes, `token` is what they are answered with; `credentials` came with any POST."""

    daemon_threads = True

    def __init__(self, host: str, token: str, folder: Path) -> None:
        super().__init__((host, 0), Handler)
        self.token = token
        self.asked: list[str] = []
        self.credentials: set[str] = set()
        self.certificate = folder / "certificate.pem"
        key = folder / "key.pem"
        names = ",".join(f"DNS:{name}" for name in HOSTS)
        command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=agentbox-test".split()
        command += ["-addext", f"subjectAltName={names}", "-keyout", str(key), "-out", str(self.certificate)]
        subprocess.run(command, check=True, capture_output=True)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(self.certificate, key)

    def __enter__(self) -> FakeOAuth:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"
