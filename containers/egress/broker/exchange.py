"""Placeholders and secrets as bytes: the exchange in a request, and its undoing in a response. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

# Fewer bytes than these of a secret in base64 say too little to be looked for.
SHORTEST_IN_BASE64 = 12


@dataclass(frozen=True, slots=True)
class Pair:
    """A secret and what stands for it."""

    secret: str
    placeholder: str


def in_header(value: bytes, pair: Pair) -> bytes:
    """A header's value with the placeholder exchanged, also within the base64 of Basic authentication."""
    scheme, _, rest = value.partition(b" ")
    if scheme.lower() == b"basic":
        try:
            plain = base64.b64decode(rest.strip(), validate=True)
        except binascii.Error:
            return value
        changed = plain.replace(pair.placeholder.encode(), pair.secret.encode())
        return value if changed == plain else scheme + b" " + base64.b64encode(changed)
    return value.replace(pair.placeholder.encode(), pair.secret.encode())


def in_query(path: bytes, names: Sequence[str], pair: Pair) -> bytes:
    """A path with the placeholder exchanged where it is the whole value of one of these parameters."""
    head, mark, query = path.partition(b"?")
    if not mark or not names:
        return path
    wanted = {name.encode() for name in names}

    def one(piece: bytes) -> bytes:
        name, _, value = piece.partition(b"=")
        if name in wanted and unquote(value.decode("latin-1")) == pair.placeholder:
            return name + b"=" + quote(pair.secret, safe="").encode()
        return piece

    return head + mark + b"&".join(one(piece) for piece in query.split(b"&"))


Replacement = tuple[bytes, bytes]


def replacements(pairs: Iterable[Pair], *, in_base64: bool) -> list[Replacement]:
    """What to look for in a response, and what to put in its place: each secret as it is, quoted for URLs and JSON;
    in base64 too, where it has three forms, if that is how it was sent. Each form costs another search of each byte."""
    found: dict[bytes, bytes] = {}
    for pair in pairs:
        quoted = quote(pair.secret, safe="")
        for form in (pair.secret, quoted, json.dumps(pair.secret)[1:-1], pair.secret.replace("/", r"\/")):
            found.setdefault(form.encode(), pair.placeholder.encode())
        for form_ in _base64_forms(pair.secret.encode()) if in_base64 else ():
            found.setdefault(form_, b"*" * len(form_))
    return sorted(found.items(), key=lambda item: -len(item[0]))


def _base64_forms(secret: bytes) -> set[bytes]:
    """What is the same in the base64 of every text with the secret in it, by how many bytes stand before it."""
    forms: set[bytes] = set()
    for shift in range(3 if len(secret) >= SHORTEST_IN_BASE64 else 0):
        # The first and last characters depend on what stands beside the secret.
        whole = base64.b64encode(b"\0" * shift + secret).rstrip(b"=")
        middle = whole[(shift * 8 + 5) // 6 : (shift + len(secret)) * 8 // 6]
        forms |= {middle, middle.replace(b"+", b"-").replace(b"/", b"_")}
    return forms


def mask(data: bytes, pairs: Sequence[Replacement]) -> bytes:
    """Data without the secrets."""
    for secret, placeholder in pairs:
        if secret in data:
            data = data.replace(secret, placeholder)
    return data


def fitted(pairs: Sequence[Replacement]) -> list[Replacement]:
    """The same with replacements as long as what they replace, for a body whose length has been announced."""
    return [(secret, placeholder.ljust(len(secret), b"*")[: len(secret)]) for secret, placeholder in pairs]


def masking_stream(pairs: Sequence[Replacement]) -> Callable[[bytes], Sequence[bytes]]:
    """A function from chunk to chunks that masks across chunk boundaries. b"" ends the stream.

    Only an end that may be the beginning of a secret is held back, so that events arrive when they were sent.
    """
    held = b""

    def stream(chunk: bytes) -> Sequence[bytes]:
        nonlocal held
        data = mask(held + chunk, pairs)
        keep = _beginning_at_end(data, pairs) if chunk else 0
        held = data[len(data) - keep :]
        data = data[: len(data) - keep]
        return [data] if data else []

    return stream


def _beginning_at_end(data: bytes, pairs: Sequence[Replacement]) -> int:
    """How many of the last bytes are the beginning of a secret."""
    longest = 0
    for secret, _ in pairs:
        start = max(0, len(data) - len(secret) + 1)
        while (start := data.find(secret[:1], start)) != -1:
            if secret.startswith(data[start:]):
                longest = max(longest, len(data) - start)
                break
            start += 1
    return longest
