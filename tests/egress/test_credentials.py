"""Placeholders become keys for the right host only, and keys do not come back."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path

import httpx
import pytest
from world import (
    API,
    GIT_PLACEHOLDER,
    GIT_REAL,
    GOOGLE_PLACEHOLDER,
    GOOGLE_REAL,
    OAUTH_PLACEHOLDER,
    OAUTH_REAL,
    PLACEHOLDER,
    PLAIN,
    REAL,
    SECRETS,
    Broker,
    World,
)

pytestmark = pytest.mark.usefixtures("inside")


def seen(world: World) -> dict[str, str]:
    """The headers that the provider got last."""
    headers: dict[str, str] = world.application.seen[-1]["headers"]
    return headers


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


SWAPS = [
    ({"x-api-key": PLACEHOLDER}, {"x-api-key": REAL}),
    ({"authorization": f"Bearer {PLACEHOLDER}"}, {"authorization": f"Bearer {REAL}"}),
    ({"authorization": f"Bearer {OAUTH_PLACEHOLDER}"}, {"authorization": f"Bearer {OAUTH_REAL}"}),
    ({"authorization": f"token {GIT_PLACEHOLDER}"}, {"authorization": f"token {GIT_REAL}"}),
    ({"authorization": basic("x-access-token", GIT_PLACEHOLDER)}, {"authorization": basic("x-access-token", GIT_REAL)}),
    # Not in this header, not that of this rule, not a placeholder.
    ({"x-other": PLACEHOLDER}, {"x-other": PLACEHOLDER}),
    ({"x-api-key": OAUTH_PLACEHOLDER}, {"x-api-key": OAUTH_PLACEHOLDER}),
    ({"x-api-key": "sk-ant-mine"}, {"x-api-key": "sk-ant-mine"}),
    ({"authorization": "Basic !!!"}, {"authorization": "Basic !!!"}),
]


@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
@pytest.mark.parametrize(("sent", "arrives"), SWAPS)
def test_placeholder_arrives_as_the_key(
    shared: Broker, world: World, sent: dict[str, str], arrives: dict[str, str], http2: bool
) -> None:
    with shared.client(http2=http2) as client:
        assert client.get(f"https://{API}/", headers=sent).http_version == ("HTTP/2" if http2 else "HTTP/1.1")
    assert {name: seen(world).get(name) for name in arrives} == arrives


def test_request_without_a_key_gets_none(shared: Broker, world: World) -> None:
    with shared.client() as client:
        client.get(f"https://{API}/")
    assert not {"x-api-key", "authorization"} & set(seen(world))


@pytest.mark.parametrize("name", ["key", "other"])
def test_placeholder_in_the_query(shared: Broker, world: World, name: str) -> None:
    with shared.client() as client:
        client.get(f"https://{API}/v1/models?alt=sse&{name}={GOOGLE_PLACEHOLDER}&x=%2F")
    expected = GOOGLE_REAL if name == "key" else GOOGLE_PLACEHOLDER
    assert world.application.seen[-1]["query"] == {"alt": "sse", name: expected, "x": "/"}


@pytest.mark.parametrize("url", [f"https://{PLAIN}/", f"http://{PLAIN}/", f"http://{API}/", "https://a.below.example/"])
def test_placeholder_arrives_as_such_where_it_is_not_for(shared: Broker, world: World, url: str) -> None:
    """Another host; and the right one without encryption."""
    with shared.client() as client:
        assert client.get(url, headers={"x-api-key": PLACEHOLDER}).status_code == 200
    assert seen(world)["x-api-key"] == PLACEHOLDER


def test_key_goes_unencrypted_to_a_private_host_only(world: World) -> None:
    inject = [
        {
            "name": "ANTHROPIC_API_KEY",
            "hosts": ["private.example"],
            "headers": ["x-api-key"],
            "placeholder": PLACEHOLDER,
        }
    ]
    allow = [{"host": "private.example", "private": True}]
    with world.broker(world.rules(allow=allow, inject=inject)) as broker, broker.client() as client:
        client.get("http://private.example/", headers={"x-api-key": PLACEHOLDER})
    assert seen(world)["x-api-key"] == REAL


def test_host_with_a_rule_but_not_listed_is_refused(world: World) -> None:
    with world.broker(world.rules(allow=[])) as broker, broker.client() as client:
        with pytest.raises(httpx.ProxyError, match="403"):
            client.get(f"https://{API}/", headers={"x-api-key": PLACEHOLDER})
    assert not world.application.seen


def test_secret_that_is_not_there_leaves_the_placeholder(world: World) -> None:
    inject = [{"name": "MISSING", "hosts": [API], "headers": ["x-api-key"], "placeholder": PLACEHOLDER}]
    with world.broker(world.rules(inject=inject)) as broker, broker.client() as client:
        client.get(f"https://{API}/", headers={"x-api-key": PLACEHOLDER})
    assert seen(world)["x-api-key"] == PLACEHOLDER


def test_only_hosts_with_a_rule_are_intercepted(shared: Broker, world: World) -> None:
    def issuer(host: str) -> bytes:
        with shared.tunnel(f"{host}:443", host) as sock:
            certificate = sock.getpeercert(binary_form=True)
        assert certificate
        return certificate

    provider = (world.folder / "provider.pem").read_text()
    assert ssl.DER_cert_to_PEM_cert(issuer(PLAIN)).strip() in provider
    assert ssl.DER_cert_to_PEM_cert(issuer(API)).strip() not in provider


KEYS = {"authorization": f"Bearer {OAUTH_PLACEHOLDER}", "x-api-key": PLACEHOLDER}


def assert_masked(answer: httpx.Response, *, exactly: bool) -> None:
    everything = answer.text + str(answer.headers)
    assert not [value for value in SECRETS.values() if value in everything], everything
    assert answer.headers["x-reflected"] == f"Bearer {OAUTH_PLACEHOLDER}|{PLACEHOLDER}"
    if exactly:
        assert answer.text == f"<Bearer {OAUTH_PLACEHOLDER}|{PLACEHOLDER}>"


@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
@pytest.mark.parametrize("size", [1, 2, 7, 16, 33, 1000])
def test_reflected_key_is_masked_across_chunks(shared: Broker, http2: bool, size: int) -> None:
    with shared.client(http2=http2) as client:
        assert_masked(client.get(f"https://{API}/reflect?size={size}", headers=KEYS), exactly=True)


@pytest.mark.parametrize("size", [3, 1000])
def test_reflected_key_is_masked_in_a_body_of_announced_length(shared: Broker, size: int) -> None:
    with shared.client() as client:
        answer = client.get(f"https://{API}/reflect?sized=1&size={size}", headers=KEYS)
    assert_masked(answer, exactly=False)
    assert len(answer.content) == int(answer.headers["content-length"]) == len(f"<Bearer {OAUTH_REAL}|{REAL}>")


def test_key_is_reflected_without_the_masking(world: World) -> None:
    """The control: a provider that says the key again says it to whoever sent it."""
    with httpx.Client(verify=world.trust(), trust_env=False) as client:
        answer = client.get(
            "https://93.184.0.10/reflect?size=7", headers={"x-api-key": REAL}, extensions={"sni_hostname": API}
        )
    assert REAL in answer.text and REAL in answer.headers["x-reflected"]


def test_key_in_reflected_basic_authentication_is_masked(shared: Broker) -> None:
    """In base64 it has three forms, by what stands before it."""
    with shared.client() as client:
        for user in ("x", "xx", "xxx"):
            sent = basic(user, GIT_PLACEHOLDER)
            answer = client.get(f"https://{API}/reflect?size=5", headers={"authorization": sent})
            encoded = answer.text.removeprefix("<Basic ").split("|")[0]
            assert "*" * 40 in encoded
            assert GIT_REAL[4:28].encode() not in base64.b64decode(encoded.replace("*", "A"))


def test_answer_that_cannot_be_read_is_not_passed_on(shared: Broker) -> None:
    with shared.client() as client:
        answer = client.get(f"https://{API}/reflect?encoding=br", headers=KEYS)
        assert (answer.status_code, "compressed" in answer.text) == (502, True)
        assert not {REAL, OAUTH_REAL} & set(str(answer.headers).split("'"))
        assert client.get(f"https://{API}/").json()["headers"]["accept-encoding"] == "identity"


def test_keys_are_in_no_log(world: World) -> None:
    with world.broker() as broker:
        with broker.client() as client:
            client.get(f"https://{API}/reflect?key={GOOGLE_PLACEHOLDER}", headers=KEYS)
        said = broker.stderr() + str(broker.audit())
        argv = "".join(Path(f"/proc/{broker.process.pid}/{name}").read_text() for name in ("cmdline", "environ"))
    assert broker.audit()
    assert not [value for value in SECRETS.values() if value in said + argv]
