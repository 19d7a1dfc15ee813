"""What a tool's own network reaches: the broker, and by it the allowed hosts. Each route is tried without a broker too."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable, Iterator

import pytest
from boxes import Box, finished, make_box
from listeners import datagrams, listening
from provider import own_address
from reporting import matrix_of
from routes import LIST, NO_ROUTE, OTHER_HOST, ROUTES, Route

LISTED, UNLISTED = "listed.example", "unlisted.example"
METADATA = "169.254.169.254"
outcomes: dict[tuple[str, str], str] = {}
matrix = matrix_of(outcomes, "ways out of the container by what stops them")


def stopped_by(said: str) -> str:
    """What a route's output tells of its end."""
    if "REACHED" in said:
        return "reached"
    if "that says it is for" in said:
        return OTHER_HOST
    return LIST if "not on the allow-list" in said or "response 403" in said else NO_ROUTE


@pytest.fixture(scope="module")
def metadata(engine: None) -> Iterator[None]:
    """The host answers at the address by which clouds hand out their machines' credentials."""
    if finished(["ip", "address", "add", f"{METADATA}/32", "dev", "lo"]).returncode:
        pytest.skip("needs root to take the metadata address")
    yield
    finished(["ip", "address", "del", f"{METADATA}/32", "dev", "lo"])


@pytest.fixture(scope="module")
def neighbour(images: Callable[[str], str]) -> Iterator[str]:
    """Another container, with a web server; its address."""
    serve = "import http.server as h; H = h.BaseHTTPRequestHandler; H.do_GET = lambda s: s.wfile.write(b'HTTP/1.0 200 OK\\r\\n\\r\\nREACHED\\n'); h.HTTPServer(('', 8000), H).serve_forever()"
    run = ["docker", "run", "--detach", "--rm", "--init", "--entrypoint=python3", images("base"), "-c", serve]
    name = finished(run).stdout.strip()
    address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    yield finished(["docker", "inspect", "-f", address, name]).stdout.strip()
    finished(["docker", "rm", "--force", name])


def configure(box: Box, gateway: str, listed_port: int) -> None:
    addresses = f'"{LISTED}" = "{gateway}"\n"{UNLISTED}" = "{gateway}"\n'
    box.put(
        ".config/agentbox/config.toml",
        f'[network]\nprivate = ["{LISTED}:{listed_port}"]\n[network.addresses]\n{addresses}',
    )


def script(lines: dict[str, str]) -> str:
    """Shell that runs every line, and prints a line of JSON with all that came."""
    parts = [
        f"out=$( ( {line} ) 2>&1 </dev/null | head -c 2000 ); printf '%s\\0%s\\0' {shlex.quote(name)} \"$out\""
        for name, line in lines.items()
    ]
    return "\n".join(parts)


def outputs(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert done.returncode == 0, done.stderr
    words = done.stdout.split("\0")
    return dict(zip(words[::2], words[1::2], strict=False))


@pytest.fixture(scope="module")
def reached(
    images: Callable[[str], str],
    gateway: str,
    neighbour: str,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> dict[str, dict[str, str]]:
    """What every route printed, by network mode."""
    found = {}
    request.getfixturevalue("metadata")
    box = make_box(tmp_path_factory.mktemp("routes"))
    with listening() as port, datagrams() as udp, listening(f"http://{UNLISTED}:{port}/") as listed_port:
        configure(box, gateway, listed_port)
        stands_for = {
            "LISTED_PORT": listed_port, "UDP_PORT": udp.port, "UNLISTED": UNLISTED, "LISTED": LISTED, "GATEWAY": gateway,
            "NEIGHBOUR": neighbour, "HOST": own_address(), "PORT": port,
        }  # fmt: skip

        def filled(line: str) -> str:
            return re.sub("|".join(stands_for), lambda match: str(stands_for[match[0]]), line)

        for mode in ("allowlist", "open"):
            lines = {route.name: filled((route.open if mode == "open" else "") or route.line) for route in ROUTES}
            found[mode] = outputs(box.agentbox("shell", "--network", mode, "--", "bash", "-c", script(lines)))
    return found


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_route_is_closed(route: Route, reached: dict[str, dict[str, str]]) -> None:
    outcomes[route.name, "behind the broker"] = stopped_by(reached["allowlist"][route.name])
    outcomes[route.name, "with --network open"] = stopped_by(reached["open"][route.name])
    assert outcomes[route.name, "behind the broker"] == route.blocked
    # The control: the same from a container on the engine's bridge.
    assert outcomes[route.name, "with --network open"] == "reached"


def test_refusal_says_what_allows_it(reached: dict[str, dict[str, str]]) -> None:
    said = reached["allowlist"]["unlisted host by the proxy"]
    assert f"{UNLISTED} is not on the allow-list" in said
    assert "agentbox allow unlisted.example:" in said
