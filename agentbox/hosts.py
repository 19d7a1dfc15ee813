"""How a host is written in a policy: `name`, `*.domain` or an address, with `:PORT` or `:*` where it is not the web."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

WEB = (443, 80)
ANY = "*"
# The name by which a container finds the machine that it runs on.
OWN_HOST = "host.docker.internal"
LOOPBACK = "the sandbox's own loopback"
# Set aside for them, or taken by them: the broker connects to public addresses only, unless it is told otherwise.
PRIVATE = (".local", ".internal", ".lan", ".home", ".home.arpa", ".corp", ".intranet", ".private")
LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
NAME = re.compile(rf"(?:\*\.)?{LABEL}(?:\.{LABEL})*")


class Host(NamedTuple):
    """One allowed place. No `ports` means any port; `private`, that its address need not be a public one."""

    name: str
    ports: tuple[int, ...]
    private: bool = False


def parse(text: str, *, private: bool = False) -> Host:
    """`text` as a Host. To name an address, or this machine, is to allow it although it is not public.

    Raises ValueError with what is wrong.
    """
    name, ports = _split(text.strip().lower())
    name = name.removesuffix(".")
    if name == ANY and ports == WEB:
        return Host(ANY, ())
    if (address := _address(name)) is not None:
        return Host(address, ports, private=True)
    if re.fullmatch(r"[0-9.]+|0x[0-9a-f.x]*", name):
        raise ValueError(f"{text!r} is not an address: write it as 192.0.2.1")
    try:
        name = name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        raise ValueError(f"{text!r} is not a host's name") from None
    if len(name) > 253 or not NAME.fullmatch(name):
        raise ValueError(f"{text!r} is not a host: write example.org, *.example.org, or either with :PORT")
    return Host(name, ports, private or name == OWN_HOST)


def out_of_reach(host: Host) -> str:
    """What the host is, where the broker leads nobody there, however it is listed; else an empty string."""
    if host.name == "localhost" or host.name.endswith(".localhost"):
        return LOOPBACK
    if not is_address(host.name):
        return ""
    address = ipaddress.ip_address(host.name)
    if address.is_loopback or address.is_unspecified:
        return LOOPBACK
    return "a link-local address" if address.is_link_local else "a multicast address" if address.is_multicast else ""


def sounds_private(host: Host) -> bool:
    """Whether the name is one that only private networks have."""
    return not host.private and ("." not in host.name or host.name.endswith(PRIVATE))


def _split(text: str) -> tuple[str, tuple[int, ...]]:
    if match := re.fullmatch(r"\[([^\]]*)\](?::(.*))?", text):  # an IPv6 address
        name, port = match[1], match[2]
    elif text.count(":") == 1:
        name, _, port = text.partition(":")
    else:
        return text, WEB
    if port is None:
        return name, WEB
    if port == ANY:
        return name, ()
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r}: {port!r} is not a port")
    return name, (int(port),)


def _address(name: str) -> str | None:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return None


def is_address(text: object) -> bool:
    return isinstance(text, str) and _address(text) is not None


def is_name(text: object) -> bool:
    return isinstance(text, str) and bool(NAME.fullmatch(text)) and "*" not in text


def covers(pattern: str, name: str) -> bool:
    """Whether a rule for `pattern` speaks of `name`."""
    return name == pattern or (pattern.startswith("*.") and name.endswith(pattern[1:]))
