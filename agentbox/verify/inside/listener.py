"""listener.py LOG UNLISTED [ADDRESS]: takes whatever arrives, and writes into LOG what got here unallowed.

8000 is no port of an allowed host; 8001 is one, where a request with another's Host header counts, or a redirect leads
to the other port. 8002 and 53 take datagrams. An answer holds REACHED and the request's headers.
With an ADDRESS it takes free ports there in their places, says which, and ends with its standard input.
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
        if self.server is TCP[0] or UNLISTED in host:
            arrived(f"tcp {self.server.server_port} {host} {path}")
        if path.startswith("/redirect/"):
            self.send_response(302)
            self.send_header("location", f"http://{UNLISTED}:{TCP[0].server_port}/{path.removeprefix('/redirect/')}")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"REACHED\n" + str(self.headers).encode())

    do_POST = do_GET

    def log_message(self, *_):
        return


def datagrams(server, *, names):
    while True:
        data, sender = server.recvfrom(4096)
        arrived(f"udp {data.decode(errors='replace')!r}")
        # A DNS question comes back as an answer that there is no such name.
        server.sendto(data[:2] + b"\x81\x83" + data[4:] if names else b"REACHED", sender)


def bound(port):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((ADDRESS, port))
    return server


ADDRESS, FIXED = (sys.argv[3], False) if len(sys.argv) > 3 else ("0.0.0.0", True)
TCP = [ThreadingHTTPServer((ADDRESS, port if FIXED else 0), Handler) for port in (PORT, LISTED_PORT)]
UDP = [bound(port if FIXED else 0) for port in (UDP_PORT, DNS_PORT)]
for each in UDP:
    threading.Thread(target=datagrams, args=(each,), kwargs={"names": each is UDP[1]}, daemon=True).start()
for each in TCP:
    threading.Thread(target=each.serve_forever, daemon=True).start()
print(*[each.server_port for each in TCP], *[each.getsockname()[1] for each in UDP], flush=True)
if FIXED:
    threading.Event().wait()
sys.stdin.read()
