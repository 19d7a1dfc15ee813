"""mitmproxy addon: the password of the proxy above, for that proxy and nobody else.

mitmproxy's own addon for this also puts it into plain requests inside a tunnel, which the proxy above passes on to the
host.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mitmproxy import http

HEADER = "proxy-authorization"


class ProxyAbove:
    """The addon; `password` is `user:password`."""

    def __init__(self, password: str) -> None:
        self.value = "Basic " + base64.b64encode(password.encode()).decode()

    def http_connect_upstream(self, flow: http.HTTPFlow) -> None:
        """A tunnel through that proxy."""
        flow.request.headers[HEADER] = self.value

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """A plain request that goes to that proxy itself: one that is in no tunnel, and is not sent past it."""
        if flow.server_conn.via and flow.server_conn.address is None and flow.request.scheme == "http":
            flow.request.headers[HEADER] = self.value
