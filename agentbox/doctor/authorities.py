"""Certificates: those that the images shall trust besides the usual ones, and the broker's own authority."""

from __future__ import annotations

import datetime
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from agentbox import authority
from agentbox.doctor.finding import ERROR, OK, WARNING, Finding, World, quoted
from agentbox.errors import UsageError
from agentbox.images import ca_bundle, certificates
from agentbox.state import change_mode

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from agentbox.identity import Identity

# Where systems keep their own bundle: naming it says nothing about a proxy.
USUAL = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
HINTS = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")


def check(world: World) -> Iterator[Finding]:
    yield from _bundle(world)
    if world.identity is not None:
        yield from _own(world.identity)


def _bundle(world: World) -> Iterator[Finding]:
    try:
        found = ca_bundle(None, world.policies[0])
        pem = certificates(found, "CA bundle") if found else b""
    except UsageError as error:
        yield Finding(
            "certificates.bundle",
            ERROR,
            str(error),
            "builds fail, and the broker trusts no proxy",
            "name a readable PEM file, or none",
        )
        return
    if found is None:
        named = [name for name in HINTS if world.environ.get(name) and world.environ[name] not in USUAL]
        if named:
            yield Finding(
                "certificates.bundle",
                WARNING,
                f"{named[0]} is set, and the images do not get these certificates",
                "behind a proxy that intercepts TLS, builds and agents fail",
                f'export AGENTBOX_CA_BUNDLE="${named[0]}"',
            )
        return
    yield _judged(pem, found)


def _judged(pem: bytes, path: Path) -> Finding:
    import warnings

    from cryptography import x509

    try:
        with warnings.catch_warnings(action="ignore"):  # of old authorities' serial numbers
            parsed = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        return Finding("certificates.bundle", ERROR, f"{path}: {error}", "builds fail", "have it sent again, as PEM")
    if all(_expired(each) for each in parsed):  # a system's bundle always holds some
        return Finding(
            "certificates.bundle",
            WARNING,
            f"{path}: all certificates ({len(parsed)}) have expired",
            "what they signed is not trusted",
            "get the present ones from who runs your proxy",
        )
    return Finding("certificates.bundle", OK, f"{path}: {len(parsed)} certificates go into the images")


def _expired(certificate: Certificate) -> bool:
    return certificate.not_valid_after_utc < datetime.datetime.now(datetime.UTC)


def _own(identity: Identity) -> Iterator[Finding]:
    folder = identity.own_state / "ca"
    key, certificate = folder / authority.KEY, folder / authority.CERTIFICATE
    if not certificate.exists():
        yield Finding("certificates.broker", OK, "the broker's own authority is made with the first image")
        return
    from cryptography import x509

    try:
        own = x509.load_pem_x509_certificate(certificate.read_bytes())
        info = key.stat()
    except (OSError, ValueError) as error:
        yield Finding(
            "certificates.broker",
            ERROR,
            f"{folder}: {error}",
            "no broker starts",
            f"rm -r {quoted(folder)} && agentbox build",
        )
        return
    if info.st_mode & (stat.S_IRWXG | stat.S_IRWXO) or info.st_uid != identity.uid:
        yield Finding(
            "certificates.key",
            ERROR,
            f"{key} is not for its owner alone (mode {info.st_mode & 0o777:04o})",
            "who reads it can speak for any host to your agents",
            f"chmod 600 {quoted(key)}",
            lambda: _close(key, identity),
        )
    if _expired(own):
        yield Finding(
            "certificates.broker",
            ERROR,
            f"{certificate} has expired",
            "agents do not trust their broker",
            f"rm -r {quoted(folder)} && agentbox build",
        )
    else:
        yield Finding(
            "certificates.broker", OK, f"the broker's own authority, until {own.not_valid_after_utc:%Y-%m-%d}"
        )


def _close(key: Path, identity: Identity) -> str:
    return f"chmod 600 {key}" if change_mode(key, identity, take=stat.S_IRWXG | stat.S_IRWXO) else ""
