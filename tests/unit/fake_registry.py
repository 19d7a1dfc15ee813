"""Registries that answer as npm's and PyPI do, and that can be made to fail: to cut, to change, to stall what they send."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import ssl
import tarfile
import threading
import zipfile
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote


class FakeRegistry:
    """`asked` holds (path, Range, Authorization) of each request. By path: `cut` is after how many bytes an answer ends,
    `changed` what is sent in place of the file, `stalled` after how many bytes an answer stops until `go` is set,
    `moved` where a request is sent on to."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.files: dict[str, bytes] = {}
        self.packages: dict[str, dict[str, dict[str, object]]] = {}
        self.tags: dict[str, str] = {}
        self.wheels: dict[str, list[dict[str, object]]] = {}
        self.cut: dict[str, list[int]] = {}
        self.changed: dict[str, bytes] = {}
        self.stalled: dict[str, int] = {}
        self.moved: dict[str, str] = {}
        self.html = False
        self.login = ""
        self.go, self.reached = threading.Event(), threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.go.set()
        self.server.shutdown()
        self.server.server_close()

    def npm(self, name: str, version: str, files: Mapping[str, str], **fields: object) -> dict[str, str]:
        """Publish a package with these files. Returns its `resolved` and `integrity`."""
        manifest = {"name": name, "version": version, **fields}
        data = tarball({"package.json": json.dumps(manifest), **files})
        return self.npm_tarball(name, version, data, **fields)

    def npm_tarball(self, name: str, version: str, data: bytes, **fields: object) -> dict[str, str]:
        path = f"/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
        self.files[path] = data
        dist = {"tarball": f"https://registry.npmjs.org{path}", "integrity": integrity(data)}
        self.packages.setdefault(name, {})[version] = {"name": name, "version": version, "dist": dist, **fields}
        self.tags[name] = version
        return {"version": version, "resolved": dist["tarball"], "integrity": dist["integrity"]}

    def wheel(self, filename: str, data: bytes, python: str = ">=3.8") -> str:
        path = f"/files/{filename}"
        self.files[path] = data
        hashes = {"sha256": hashlib.sha256(data).hexdigest()}
        project = re.sub(r"[-_.]+", "-", filename.partition("-")[0]).lower()
        entry = {"filename": filename, "url": f"../../files/{filename}", "hashes": hashes, "requires-python": python}
        self.wheels.setdefault(project, []).append(entry)
        return path

    def document(self, path: str) -> tuple[str, bytes] | None:
        if match := re.fullmatch(r"/simple/([^/]+)/", path):
            return self._simple(match[1])
        name = unquote(path[1:])
        if name not in self.packages:
            return None
        found = {"name": name, "dist-tags": {"latest": self.tags[name]}, "versions": self.packages[name]}
        return "application/vnd.npm.install-v1+json", json.dumps(found).encode()

    def _simple(self, project: str) -> tuple[str, bytes] | None:
        if project not in self.wheels:
            return None
        files = self.wheels[project]
        if not self.html:
            found = {"meta": {"api-version": "1.0"}, "name": project, "files": files}
            return "application/vnd.pypi.simple.v1+json", json.dumps(found).encode()
        links = [
            f'<a href="{file["url"]}#sha256={file["hashes"]["sha256"]}"'  # type: ignore[index]
            f' data-requires-python="{str(file["requires-python"]).replace("<", "&lt;").replace(">", "&gt;")}">x</a>'
            for file in files
        ]
        return "text/html", f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()


def _handler(registry: FakeRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

        def do_GET(self) -> None:
            registry.asked.append((self.path, self.headers.get("Range", ""), self.headers.get("Authorization", "")))
            if registry.login and self.headers.get("Authorization") != registry.login:
                return self.answer(401, b"")
            if self.path in registry.moved:
                return self.answer(302, b"", Location=registry.moved[self.path])
            if document := registry.document(self.path):
                return self.answer(200, document[1], **{"Content-Type": document[0]})
            data = registry.changed.get(self.path, registry.files.get(self.path))
            if data is None:
                return self.answer(404, b"{}")
            begin = int(self.headers.get("Range", "bytes=0-")[6:-1])
            if begin == 0:
                return self.answer(200, data)
            if begin >= len(data):
                return self.answer(416, b"", **{"Content-Range": f"bytes */{len(data)}"})
            place = f"bytes {begin}-{len(data) - 1}/{len(data)}"
            return self.answer(206, data[begin:], **{"Content-Range": place})

        def answer(self, status: int, data: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), "Connection": "close", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            end = len(data)
            if status < 300 and registry.cut.get(self.path):
                end = registry.cut[self.path].pop(0)
            try:
                if (begin := registry.stalled.get(self.path)) is not None:
                    self.wfile.write(data[:begin])
                    self.wfile.flush()
                    registry.reached.set()
                    registry.go.wait(30)
                    data, end = data[begin:], len(data)
                self.wfile.write(data[:end])
            except OSError:  # who asked is gone, and may be meant to be
                return

    return Handler


def integrity(data: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def tarball(files: Mapping[str, str], links: Mapping[str, str] = {}) -> bytes:
    """As npm makes them; `#!` at the beginning makes a file executable."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size, member.mode = len(text.encode()), 0o755 if text.startswith("#!") else 0o644
            tar.addfile(member, io.BytesIO(text.encode()))
        for name, target in links.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return out.getvalue()


def wheel(name: str, version: str, files: Mapping[str, str], needs: tuple[str, ...] = (), script: str = "") -> bytes:
    out = io.BytesIO()
    info = f"{name}-{version}.dist-info"
    meta = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(
        f"Requires-Dist: {one}\n" for one in needs
    )
    kind = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    entry = f"[console_scripts]\n{script}\n" if script else ""
    whole = {**files, f"{info}/METADATA": meta, f"{info}/WHEEL": kind, f"{info}/entry_points.txt": entry}
    record = "".join(f"{path},,\n" for path in [*whole, f"{info}/RECORD"])
    with zipfile.ZipFile(out, "w") as archive:
        for path, text in {**whole, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)
    return out.getvalue()


def pip_wheel() -> Path | None:
    """The pip that comes with Python."""
    import ensurepip
    import sysconfig

    folders = [
        Path(ensurepip.__file__).parent / "_bundled",
        Path(sysconfig.get_config_var("WHEEL_PKG_DIR") or "/nowhere"),
    ]
    return next(
        (path for folder in [*folders, Path("/usr/share/python-wheels")] for path in folder.glob("pip-*.whl")), None
    )
