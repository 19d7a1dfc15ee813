"""Ways out of a container, as shell lines whose output holds REACHED where they work. tests/containers/test_network.py
puts up what the names in capitals stand for."""

from __future__ import annotations

from dataclasses import dataclass

CURL = "curl -sS --max-time 8"
DIRECT = f"{CURL} --noproxy '*'"
UDP = (
    'python3 -c "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3); '
    "s.sendto(b'hello', ('GATEWAY', {})); print(s.recv(99).decode())\""
)
RAW = "exec 3<>/dev/tcp/{}/{} && printf '{}\\r\\n\\r\\n' >&3 && timeout 8 cat <&3"


@dataclass(frozen=True)
class Route:
    """`line` is what a tool does, `blocked` what stops it. `open`: how it goes where there is no broker to ask."""

    name: str
    line: str
    blocked: str
    open: str = ""


NO_ROUTE, LIST, OTHER_HOST = "no route", "allow-list", "Host is not the target"
ROUTES = (
    Route("unlisted host by the proxy", f"{CURL} http://UNLISTED:PORT/", LIST),
    Route("unlisted host by CONNECT", f"{CURL} --proxytunnel http://UNLISTED:PORT/", LIST, f"{CURL} http://UNLISTED:PORT/"),
    Route("unlisted host, --noproxy", f"{DIRECT} --resolve UNLISTED:PORT:GATEWAY http://UNLISTED:PORT/", NO_ROUTE),
    Route("variables unset", f"env -i {CURL} --resolve UNLISTED:PORT:GATEWAY http://UNLISTED:PORT/", NO_ROUTE),
    Route("raw address by the proxy", f"{CURL} http://GATEWAY:PORT/", LIST),
    Route("raw address, /dev/tcp", RAW.format("GATEWAY", "PORT", "GET / HTTP/1.0"), NO_ROUTE),
    Route("the host's own address", f"{DIRECT} http://HOST:PORT/", NO_ROUTE),
    Route("another container", f"{DIRECT} http://NEIGHBOUR:8000/", NO_ROUTE),
    Route("another container by the proxy", f"{CURL} http://NEIGHBOUR:8000/", LIST),
    Route("metadata address", f"{DIRECT} http://169.254.169.254:PORT/", NO_ROUTE),
    Route("metadata address by the proxy", f"{CURL} http://169.254.169.254:PORT/", LIST),
    Route("UDP", UDP.format("UDP_PORT"), NO_ROUTE),
    Route("listed host's other port", f"{CURL} --proxytunnel http://LISTED:PORT/", LIST, f"{CURL} http://LISTED:PORT/"),
    Route(
        "CONNECT by hand",
        RAW.format("egress", 8080, "CONNECT UNLISTED:PORT HTTP/1.1\\r\\n\\r\\nGET / HTTP/1.0"),
        LIST,
        RAW.format("UNLISTED", "PORT", "GET / HTTP/1.0"),
    ),
    Route("redirect to an unlisted host", f"{CURL} -L http://LISTED:LISTED_PORT/redirect", LIST),
    Route("Host header of another", f"{CURL} -H 'Host: UNLISTED' http://LISTED:LISTED_PORT/", OTHER_HOST),
)  # fmt: skip
