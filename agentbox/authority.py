"""The certificate authority of one user, by which the broker speaks for the hosts whose requests it puts keys into.

Its key stays on the host and in the broker. The images trust its certificate: it is part of their system bundle, which
is read-only and which all programs look at; a bundle made at the start would lie in a place that tools can write.
"""

from __future__ import annotations

import datetime
import os
import time
from pathlib import Path

from agentbox.identity import Identity
from agentbox.state import locked, make_dir, remove_tree, write_file

CERTIFICATE, KEY = "ca.crt", "ca.key"
DAYS = 3650
RENEW_AFTER = 5 * 365 * 86400


def folder(identity: Identity) -> Path:
    """The directory with `ca.key` and `ca.crt`, made where there is none or where they are years old."""
    path = identity.own_state / "ca"
    if _lasts(path):
        return path
    with locked(make_dir(identity.own_state, identity)):
        if not _lasts(path):  # of two who are here at once, one finds what the other has made
            _replace(path, identity)
    return path


def _lasts(path: Path) -> bool:
    try:
        return (path / CERTIFICATE).stat().st_mtime >= time.time() - RENEW_AFTER
    except FileNotFoundError:
        return False


def _replace(path: Path, identity: Identity) -> None:
    """Both files at once, as a key without its certificate is worth nothing."""
    part = make_dir(path.with_name(f".ca.{os.getpid()}"), identity)
    _make(part, identity)
    if path.is_dir():
        path.rename(part.with_suffix(".old"))
        remove_tree(part.with_suffix(".old"))
    try:
        part.rename(path)
    except OSError:  # another was faster, where the lock cannot be had
        remove_tree(part)


def certificate(identity: Identity) -> Path:
    return folder(identity) / CERTIFICATE


def _make(path: Path, identity: Identity) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"agentbox broker of {identity.tag}"[:64])])
    now = datetime.datetime.now(datetime.UTC)
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now + datetime.timedelta(days=DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_file(path / KEY, pem, identity)
    write_file(path / CERTIFICATE, made.public_bytes(serialization.Encoding.PEM), identity, 0o644)
