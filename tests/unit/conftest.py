"""A world without an engine: a home, a project, and an engine's socket that answers as a real one does."""

from __future__ import annotations

import json
import os
import re
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from click.testing import CliRunner

from agentbox.cli import main

INFO = {"NCPU": 2, "Architecture": "x86_64", "SystemTime": "2026-01-02T03:04:05.123456789Z"}


class FakeEngine:
    """Answers of an engine by (method, path); `asked` records the requests."""

    def __init__(self, path: Path) -> None:
        self.answers: dict[str, tuple[int, object]] = {"GET /info": (200, INFO), "GET /networks": (200, [])}
        self.asked: list[str] = []
        engine = self

        class Handler(BaseHTTPRequestHandler):
            def address_string(self) -> str:
                return "local"

            def log_message(self, *_: object) -> None:
                return

            def answer(self) -> None:
                path = self.path.partition("?")[0]
                engine.asked.append(f"{self.command} {self.path}")
                status, body = engine.answers.get(
                    f"{self.command} {path}", (404, {"message": f"no such thing: {path}"})
                )
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                kind = "vnd.docker.raw-stream" if isinstance(body, bytes) else "json"
                self.send_header("Content-Type", f"application/{kind}")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = answer

        self.server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a project, which is the current folder; the process is user 1000 as far as agentbox can tell."""
    for name in [name for name in os.environ if re.match(r"(SUDO_|DOCKER_|XDG_|AGENTBOX_)", name)]:
        monkeypatch.delenv(name)
    for name in ("SVC", "WORKDIR", "PARANOID_MODE", "TZ", "EDITOR", "VISUAL"):
        monkeypatch.delenv(name, raising=False)
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(runtime, 1000, 1000)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    path = tmp_path / "home"
    (path / "project").mkdir(parents=True)
    for name, value in {"HOME": str(path), "HOST_UID": "1000", "HOST_GID": "1000", "REAL_USER": "dev"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(path / "project")
    return path


@pytest.fixture
def engine(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEngine]:
    socket = tmp_path / "engine.sock"
    fake = FakeEngine(socket)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
    yield fake
    fake.server.shutdown()
    fake.server.server_close()


@pytest.fixture
def docker(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a shell script in place of the `docker` program; returns the file that it may write to ($OUT)."""

    def install(script: str) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        out = tmp_path / "out"
        (folder / "docker").write_text(f"#!/bin/sh\nOUT={out}\n{script}\n")
        (folder / "docker").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return out

    return install


@pytest.fixture
def call(home: Path) -> Callable[..., tuple[int, str, str]]:
    """Calls agentbox as a person does: exit code, stdout, stderr."""

    def run(*args: str) -> tuple[int, str, str]:
        runner = CliRunner()
        with runner.isolation() as streams:
            before, sys.argv = sys.argv, ["agentbox", *args]
            try:
                main()
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 0
            finally:
                sys.argv = before
            sys.stdout.flush()
            sys.stderr.flush()
            return code, streams[0].getvalue().decode(), streams[1].getvalue().decode()

    return run
