"""Fetches what a registry has: JSON, and files that go on where they were cut off and are checked before they count."""

from __future__ import annotations

import base64
import errno
import hashlib
import http.client
import json
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar, cast
from urllib.parse import unquote, urlsplit, urlunsplit

from agentbox.errors import InstallError
from agentbox.harness.settings import basic
from agentbox.named_file import is_readable

SECONDS = 30
TRIES = 4
CHUNK = 1 << 18
FULL = (errno.ENOSPC, errno.EDQUOT)
# What a hash is worth; weaker ones (npm's old shasum is SHA-1) count as none.
ALGORITHMS = ("sha512", "sha384", "sha256")
SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
SETTINGS = "npm's and pip's own settings say which registry and which login is used"

T = TypeVar("T")
Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Digest:
    algorithm: str
    hex: str

    def of(self, path: Path) -> bool:
        with path.open("rb") as file:
            return hashlib.file_digest(file, self.algorithm).hexdigest() == self.hex

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


def integrity(text: object, what: str) -> Digest:
    """The strongest hash of npm's `integrity`. Raises InstallError where there is none that counts."""
    found = {}
    for word in str(text or "").split():
        algorithm, _, value = word.partition("-")
        try:
            found[algorithm] = base64.b64decode(value.partition("?")[0], validate=True).hex()
        except ValueError:
            continue
    for algorithm in ALGORITHMS:
        if len(found.get(algorithm, "")) == hashlib.new(algorithm).digest_size * 2:
            return Digest(algorithm, found[algorithm])
    raise InstallError(
        what, "its registry names no hash to check it by", "use the registry itself instead of this mirror"
    )


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, *answer):  # type: ignore[no-untyped-def]  # as urllib calls it
        code, _, headers, url = answer[1:]
        if req.type == "https" and not url.lower().startswith("https:"):
            raise urllib.error.HTTPError(url, code, "redirects away from HTTPS", headers, None)
        return super().redirect_request(req, *answer)


class Web:
    """HTTP with the user's proxies, certificates and logins. Safe to use from several threads."""

    def __init__(self, bundles: list[Path], headers: Mapping[str, str], proxy: str = "") -> None:
        context = ssl.create_default_context()
        for bundle in bundles:
            _trust(context, bundle)
        handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=context), _Redirects()]
        if proxy and not urllib.request.getproxies():
            handlers.append(urllib.request.ProxyHandler({"http": proxy, "https": proxy}))
        self._opener = urllib.request.build_opener(*handlers)
        self._headers = headers

    def open(self, url: str, accept: str = "*/*", begin: int = 0) -> http.client.HTTPResponse:
        try:
            parts = urlsplit(url)
        except ValueError:
            raise InstallError(re.sub("//[^/]*@", "//", url), "is no address", SETTINGS) from None
        if parts.scheme not in ("https", "http"):
            raise InstallError(url, "is no HTTP address")
        host = parts.netloc.rpartition("@")[2]
        request = urllib.request.Request(urlunsplit(parts._replace(netloc=host, fragment="")))
        request.add_header("Accept", accept)
        request.add_header("User-Agent", "agentbox")
        if begin:
            request.add_header("Range", f"bytes={begin}-")
        login = self._login(f"//{host}{parts.path}")
        if parts.username and not login:
            login = basic(unquote(parts.username), unquote(parts.password or ""))
        if login:
            request.add_unredirected_header("Authorization", login)  # another host must not get it
        try:
            return cast(http.client.HTTPResponse, self._opener.open(request, timeout=SECONDS))
        except ValueError:  # whose text may hold the login
            cause = "cannot be asked: its address, the login or the proxy's address makes no sense"
            raise InstallError(host, cause, SETTINGS) from None

    def _login(self, place: str) -> str:
        matching = [known for known in self._headers if place.startswith(known.rstrip("/") + "/")]
        return self._headers[max(matching, key=len)] if matching else ""

    def read(self, url: str, accept: str, what: str) -> tuple[bytes, str]:
        """The whole answer and its content type. Raises InstallError."""

        def once() -> tuple[bytes, str]:
            with self.open(url, accept) as answer:
                return answer.read(), answer.headers.get_content_type()

        return _patiently(once, what, url)

    def json(self, url: str, accept: str, what: str) -> Any:
        try:
            return json.loads(self.read(url, accept, what)[0])
        except ValueError:
            raise InstallError(what, f"{_host(url)} answered with something that is no JSON") from None

    def download(
        self, url: str, target: Path, digest: Digest, what: str, tell: Tell = lambda _done, _all: None
    ) -> None:
        """Put the file at `target`, once it is whole and right. What is there of it already is not fetched again."""
        if target.exists() and digest.of(target):
            return
        part = target.with_name(target.name + ".part")
        resumed = part.exists()
        _patiently(lambda: self._go_on(url, part, tell), what, url)
        if not digest.of(part) and resumed:  # the beginning may have been of something else
            part.unlink()
            _patiently(lambda: self._go_on(url, part, tell), what, url)
        if not digest.of(part):
            part.unlink()
            raise InstallError(
                what,
                f"what {_host(url)} sent is not what its registry promised ({digest.algorithm} differs)",
                "try again; where it stays so, a proxy or a mirror changes what it hands out",
            )
        part.replace(target)

    def _go_on(self, url: str, part: Path, tell: Tell) -> None:
        have = part.stat().st_size if part.exists() else 0
        try:
            answer = self.open(url, begin=have)
        except urllib.error.HTTPError as error:
            if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            if (error.headers.get("Content-Range") or "").rpartition("/")[2] == str(have):
                return
            part.unlink()
            answer, have = self.open(url), 0
        with answer:
            partial = answer.status == http.HTTPStatus.PARTIAL_CONTENT
            if partial and not (answer.headers.get("Content-Range") or "").startswith(f"bytes {have}-"):
                part.unlink()
                raise http.client.HTTPException("the registry sent another range than it was asked for")
            have = have if partial else 0
            length = answer.headers.get("Content-Length") or ""
            whole = have + int(length) if length.isdigit() else 0
            with part.open("r+b" if partial else "wb") as file:
                file.seek(have)
                _copy(answer, file, have, whole, tell)


def _trust(context: ssl.SSLContext, bundle: Path) -> None:
    try:
        context.load_verify_locations(bundle)
    except OSError as error:
        cause = "holds no usable PEM certificate" if isinstance(error, ssl.SSLError) else error.strerror or str(error)
        hint = "AGENTBOX_CA_BUNDLE, NODE_EXTRA_CA_CERTS, npm's cafile or pip's cert names it"
        raise InstallError(str(bundle), cause, hint) from None


def _copy(answer: IO[bytes], file: IO[bytes], done: int, whole: int, tell: Tell) -> None:
    while data := answer.read(CHUNK):
        file.write(data)
        done += len(data)
        tell(done, whole)
    if done < whole:
        raise http.client.IncompleteRead(b"", whole - done)


def _patiently(once: Callable[[], T], what: str, url: str) -> T:
    for number in range(TRIES):
        try:
            return once()
        except (OSError, http.client.HTTPException) as error:
            if number == TRIES - 1 or not _worth_another_try(error):
                raise failure(error, what, url) from None
        time.sleep(number * 0.5)
    raise AssertionError


def _worth_another_try(error: Exception) -> bool:
    if isinstance(error, urllib.error.HTTPError):
        return error.code >= 500 or error.code in (408, 429)
    reason = getattr(error, "reason", error)
    return not isinstance(reason, ssl.SSLCertVerificationError) and getattr(reason, "errno", 0) not in FULL


def failure(error: Exception, what: str, url: str) -> InstallError:
    """What a failed request means, in one line."""
    host = _host(url)
    reason = getattr(error, "reason", error)
    if isinstance(error, urllib.error.HTTPError):
        causes = {401: "asks for a login", 403: "refuses", 404: "has no such package or version"}
        return InstallError(
            what, f"{host} {causes.get(error.code, f'answers {error.code} {error.reason}')}", url_hint(error.code)
        )
    if isinstance(reason, ssl.SSLCertVerificationError):
        return InstallError(
            what, f"{host} has a certificate that is not trusted: {reason.verify_message}",
            "behind a proxy that intercepts TLS, name its certificate in AGENTBOX_CA_BUNDLE",
        )  # fmt: skip
    if isinstance(reason, OSError) and reason.errno in FULL:
        return disk_full(reason)
    if isinstance(error, http.client.IncompleteRead):
        return InstallError(what, f"{host} cut the download off", "try again: it goes on where it stopped")
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return InstallError(
        what, f"{host} cannot be reached: {text}",
        "without a network, --use-installed takes the one on PATH; behind a proxy, set HTTPS_PROXY",
    )  # fmt: skip


def url_hint(code: int) -> str:
    return SETTINGS if code in (401, 403, 404) else ""


def disk_full(error: OSError) -> InstallError:
    where = str(error.filename or "the cache")
    return InstallError(
        where, os.strerror(error.errno or errno.ENOSPC), "`agentbox clean` removes versions no longer used"
    )


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2] or url


def bundle(extra: list[Path], target: Path) -> Path | None:
    """The system's certificates and `extra` in one file, for programs that take one; None where nothing is extra."""
    if not extra:
        return None
    system = [os.environ.get("SSL_CERT_FILE", ""), ssl.get_default_verify_paths().cafile or "", *SYSTEM_BUNDLES]
    first = next((Path(name) for name in system if is_readable(name)), None)
    parts = [path.read_bytes() for path in ([first] if first else []) + extra]
    target.write_bytes(b"\n".join(parts))
    return target
