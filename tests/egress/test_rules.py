"""The pure parts: what rules.json may say, what a name is, which addresses are public, how secrets are exchanged."""

from __future__ import annotations

import base64
import ipaddress
import json
from typing import Any

import pytest
from broker import addresses, exchange, hello, rules

BASE: dict[str, Any] = {"version": 1, "agent": "pi", "run": "r", "mode": "allowlist", "listen": 8080, "allow": []}
INJECT = {"name": "KEY", "hosts": ["a.example"], "headers": ["x-api-key"], "placeholder": "sk-agentbox-0123456789"}


def parsed(**changes: Any) -> rules.Rules:
    return rules.parse(json.dumps(BASE | changes))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"version": 2}, "version"),
        ({"mode": "closed"}, "mode"),
        ({"listen": 0}, "not a port"),
        ({"listen": True}, "listen is not a int"),
        ({"surprise": 1}, "unknown key 'surprise'"),
        ({"allow": None}, "allow is missing"),
        ({"allow": ["a.example"]}, "not an object"),
        ({"allow": [{"host": "a.example", "port": 1}]}, "unknown key 'port'"),
        ({"allow": [{"host": "a.example", "ports": []}]}, "ports"),
        ({"allow": [{"host": "a.example", "ports": [70000]}]}, "not a port"),
        ({"allow": [{"host": "a.example", "private": "yes"}]}, "private is not a bool"),
        ({"allow": [{"host": "https://a.example"}]}, "not a host name"),
        ({"allow": [{"host": "*"}]}, "not a host name"),
        ({"allow": [{"host": "a.*.example"}]}, "not a host name"),
        ({"allow": [{"host": "127.1"}]}, "read differently"),
        ({"allow": [{"host": "*.10.0.0.1"}]}, "nothing below it"),
        ({"allow": [{"host": "a.example", "from": "x\ny"}]}, "not a line of text"),
        ({"inject": [INJECT | {"name": "../KEY"}]}, "inject: name"),
        ({"inject": [INJECT | {"placeholder": "short"}]}, "placeholder"),
        ({"inject": [INJECT, INJECT | {"placeholder": INJECT["placeholder"] + "x"}]}, "part of another"),
        ({"inbound": [{"listen": 1, "host": "agent"}]}, "port is missing"),
        ({"upstream_proxy": {"url": "socks5://p:1"}}, "upstream_proxy"),
        ({"upstream_proxy": {"url": "http://u:p@p:1"}}, "holds a user"),
    ],
)
def test_malformed_rules_are_refused_with_the_reason(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(rules.Malformed, match=says):
        parsed(**changes)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "[" * 100_000, "\ud800"])
def test_what_is_not_json_is_malformed(text: str) -> None:
    with pytest.raises(rules.Malformed):
        rules.parse(text)


ALLOW = [
    {"host": "A.Example.", "from": "first"},
    {"host": "*.b.example", "ports": [8443]},
    {"host": "c.example", "ports": "*", "private": True},
    {"host": "93.184.0.1"},
    {"host": "::1:2"},
]


@pytest.mark.parametrize(
    ("host", "port", "allowed", "remedy"),
    [
        ("a.example", 443, True, ""),
        ("a.example", 80, True, ""),
        ("a.example", 22, False, "a.example:22"),
        ("x.a.example", 443, False, "x.a.example"),
        ("x.b.example", 8443, True, ""),
        ("x.y.b.example", 8443, True, ""),
        ("b.example", 8443, False, "b.example:8443"),
        ("xb.example", 8443, False, "xb.example:8443"),
        ("c.example", 1, True, ""),
        ("93.184.0.1", 443, True, ""),
        ("93.184.0.2", 443, False, "93.184.0.2"),
        ("10.0.0.1", 443, False, "10.0.0.1 --private"),
        ("2606:4700::1", 8080, False, "[2606:4700::1]:8080"),
        ("169.254.169.254", 80, False, ""),
    ],
)
def test_verdict_and_remedy(host: str, port: int, allowed: bool, remedy: str) -> None:
    verdict = parsed(allow=ALLOW).decide(host, port)
    assert (verdict.allowed, verdict.remedy) == (allowed, remedy)
    assert verdict.allowed or host in verdict.reason


def test_mode_open_allows_names_on_any_port_but_not_addresses() -> None:
    found = parsed(mode="open")
    assert found.decide("anything.example", 22).allowed
    assert not found.decide("93.184.0.1", 443).allowed


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("EXAMPLE.org", "example.org"), ("example.org.", "example.org"), ("a_b.example", "a_b.example"), ("localhost", "localhost"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"), ("93.184.0.1", "93.184.0.1"), ("2606:4700:0:0::1", "2606:4700::1"),
    ],
)  # fmt: skip
def test_names_have_one_spelling(spelling: str, name: str) -> None:
    assert addresses.canonical(spelling) == name


@pytest.mark.parametrize(
    "host",
    ["", ".", "..", "a..b", ".a", "-a.example", "a-.example", "a b", "a/b", "a@b", "a#b", "a%2eb", "a\0b", "a\\b", "bücher.example",
     "a\u3002b", "\uff41.example", "a" * 64 + ".example", "a." * 127 + "toolong", "127.1", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001",
     "2130706433", "1.2.3.4.5", "1.2.3.0x", "fe80::1%eth0", "[::1]", "a.b.08"],
)  # fmt: skip
def test_other_names_are_none(host: str) -> None:
    with pytest.raises(addresses.BadName):
        addresses.canonical(host)


NOT_PUBLIC = """
    0.0.0.0 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.255 168.63.129.16 169.254.169.254 169.254.0.1 172.16.0.1
    172.31.255.255 192.0.0.1 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1
    255.255.255.255 :: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 64:ff9b::a00:1 64:ff9b::a9fe:a9fe
    ::ffff:0:a00:1 64:ff9b:1::1 100::1 2001::1 2001:db8::1 2002:a00:1::1 2002:5db8:a::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1
""".split()


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_address_is_not_public(text: str) -> None:
    assert addresses.objection(ipaddress.ip_address(text), private=False)


@pytest.mark.parametrize(
    "text",
    ["8.8.8.8", "93.184.0.10", "172.32.0.1", "100.128.0.1", "2606:4700::1", "64:ff9b::808:808", "::ffff:8.8.8.8"],
)
def test_address_is_public(text: str) -> None:
    assert not addresses.objection(ipaddress.ip_address(text), private=False)


NEVER = "0.0.0.0 127.0.0.1 169.254.169.254 168.63.129.16 100.100.100.200 224.0.0.1 ::1 fd00:ec2::254 ::ffff:127.0.0.1".split()


@pytest.mark.parametrize("text", NEVER)
def test_private_does_not_cover_metadata_loopback_and_multicast(text: str) -> None:
    assert addresses.objection(ipaddress.ip_address(text), private=True)


@pytest.mark.parametrize("text", ["10.0.0.1", "172.17.0.1", "192.168.65.2", "100.64.0.1", "fd12::1"])
def test_private_covers_private_networks(text: str) -> None:
    assert not addresses.objection(ipaddress.ip_address(text), private=True)


def sni(name: bytes) -> bytes:
    entry = b"\0" + len(name).to_bytes(2, "big") + name
    return len(entry).to_bytes(2, "big") + entry


TWO = (24).to_bytes(2, "big") + 2 * b"\0\0\x09a.example"


@pytest.mark.parametrize(
    ("extensions", "host", "fine"),
    [
        ([(0, sni(b"a.example"))], "a.example", True),
        ([(0, sni(b"A.EXAMPLE"))], "a.example", True),
        ([], "93.184.0.10", True),
        ([], "a.example", False),
        ([(0, sni(b"b.example"))], "a.example", False),
        ([(0, sni(b"a.example")), (0, sni(b"b.example"))], "a.example", False),
        ([(0, TWO)], "a.example", False),
        ([(0, sni(b"a.example") + b"x")], "a.example", False),
        ([(0, sni(b"a.example\0.b.example"))], "a.example", False),
        ([(0, b"")], "a.example", False),
        ([(0, sni(b"a.example")), (0xFE0D, b"")], "a.example", False),
    ],
)
def test_server_name_must_be_the_tunnels(extensions: list[tuple[int, bytes]], host: str, fine: bool) -> None:
    assert (not hello.objection(extensions, host)) == fine


SECRET = "sk-real/+with=odd&signs0123456789"
PAIR = exchange.Pair(SECRET, "sk-agentbox-0123456789")


def test_every_split_of_a_secret_is_masked() -> None:
    masks = exchange.replacements([PAIR], in_base64=False)
    whole = f"before {SECRET} between {SECRET}{SECRET} after".encode()
    for first in range(len(whole)):
        for second in range(first, len(whole), 7):
            stream = exchange.masking_stream(masks)
            chunks = [whole[:first], whole[first:second], whole[second:]]
            answer = b"".join(part for chunk in chunks if chunk for part in stream(chunk)) + b"".join(stream(b""))
            assert answer == whole.replace(SECRET.encode(), PAIR.placeholder.encode())


def test_nothing_is_held_back_that_cannot_become_a_secret() -> None:
    stream = exchange.masking_stream(exchange.replacements([PAIR], in_base64=False))
    assert stream(b"data: hello\n\n") == [b"data: hello\n\n"]
    assert stream(b"data: sk-re") == [b"data: "]
    assert stream(b"ady\n\n") == [b"sk-ready\n\n"]


@pytest.mark.parametrize("before", ["", "x", "xx", "xxx", "x-access-token:"])
def test_secret_in_base64_is_masked(before: str) -> None:
    encoded = base64.b64encode((before + SECRET + "tail").encode())
    masked = exchange.mask(encoded, exchange.replacements([PAIR], in_base64=True))
    assert len(masked) == len(encoded) and b"*" * (len(SECRET) * 4 // 3 - 4) in masked
    assert exchange.mask(encoded, exchange.replacements([PAIR], in_base64=False)) == encoded


def test_announced_length_is_kept() -> None:
    masks = exchange.fitted(exchange.replacements([PAIR], in_base64=True))
    assert all(len(secret) == len(instead) for secret, instead in masks)
