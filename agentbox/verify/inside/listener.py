"""listener.py LOG UNLISTED: takes whatever arrives, and writes into LOG what got here without being allowed to.

8000 is no port of an allowed host; 8001 is one, where a request with another's Host header counts, or a redirect leads
to the other port. 8002 and 53 take datagrams. An answer holds REACHED and the request's headers.
"""

import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

LOG, UNLISTED = Path(sys.argv[1]), sys.argv[2]
LOCK = threading.Lock()
PORT, LISTED_PORT, UDP_PORT, DNS_PORT = 8000, 8001, 8002, 53


def arrived(text):
    with LOCK, LOG.open("a") as log:
        log.write(text + "\n")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        host = self.headers.get("host", "")
        path = unquote(self.path)
        if self.server.server_port == PORT or UNLISTED in host:
            arrived(f"tcp {self.server.server_port} {host} {path}")
        if path.startswith("/redirect/"):
            self.send_response(302)
            self.send_header("location", f"http://{UNLISTED}:{PORT}/{path.removeprefix('/redirect/')}")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"REACHED\n" + str(self.headers).encode())

    do_POST = do_GET

    def log_message(self, *_):
        return


def datagrams(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("0.0.0.0", port))
        while True:
            data, sender = server.recvfrom(4096)
            arrived(f"udp {port} {data.decode(errors='replace')!r}")
            # A DNS question comes back as an answer that there is no such name.
            server.sendto(data[:2] + b"\x81\x83" + data[4:] if port == DNS_PORT else b"REACHED", sender)


for each in (UDP_PORT, DNS_PORT):
    threading.Thread(target=datagrams, args=(each,), daemon=True).start()
for each in (PORT, LISTED_PORT):
    threading.Thread(target=ThreadingHTTPServer(("0.0.0.0", each), Handler).serve_forever, daemon=True).start()
threading.Event().wait()
