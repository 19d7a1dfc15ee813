"""python -m broker: start the broker. Ends with 125 and one line where it cannot."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import types
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from broker.audit import Audit
from broker.forward import listen, outside
from broker.live import Live
from broker.resolve import JudgedLoop, Resolver
from broker.rules import Rules

SYSTEM_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
# Providers think for minutes without a byte; a connection on which nothing at all happens for this long is dead.
IDLE_SECONDS = 4 * 3600


def fail(what: object, cause: object) -> NoReturn:
    """agentbox's own failures end with 125."""
    print(f"agentbox-egress: {what}: {cause}", file=sys.stderr, flush=True)
    os._exit(125)


def arguments() -> argparse.Namespace:
    """The places, which are others without a container, and what stands in for its network."""
    parser = argparse.ArgumentParser(prog="broker", description=__doc__)
    parser.add_argument("--rules", type=Path, default=Path("/etc/agentbox-egress/rules.json"))
    parser.add_argument("--secrets", type=Path, default=Path("/run/secrets/agentbox"))
    parser.add_argument("--ca", type=Path, default=Path("/run/secrets/agentbox-ca"))
    parser.add_argument("--log", type=Path, default=Path("/var/log/agentbox-egress"))
    parser.add_argument("--state", type=Path, default=Path("/tmp/agentbox-egress"))
    parser.add_argument(
        "--idle", type=int, default=IDLE_SECONDS, help="seconds after which a dead connection is closed"
    )
    parser.add_argument("--bundle", type=Path, default=SYSTEM_BUNDLE, help="the certificates to trust")
    parser.add_argument("--listen-fd", type=int, help="a listening socket to use in place of the rules' port")
    parser.add_argument("--shared-loopback", action="store_true", help="that socket is where other users can connect")
    parser.add_argument("--named", action="append", default=[], metavar="NAME=ADDRESS", help="not to be looked up")
    return parser.parse_args()


def without_all_addons() -> None:
    """mitmproxy's addons package imports every addon, and with them Flask, LDAP and a flow language: half of the start.
    A package of the same name and place without that import takes its place."""
    spec = find_spec("mitmproxy")
    assert spec and spec.submodule_search_locations
    package = types.ModuleType("mitmproxy.addons")
    package.__path__ = [str(Path(spec.submodule_search_locations[0], "addons"))]
    sys.modules["mitmproxy.addons"] = package


def state_folder(args: argparse.Namespace, rules: Rules) -> dict[str, Any]:
    """Write what mitmproxy reads from files: its CA, and whom to trust. Returns the options that name them."""
    args.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    key, certificate = ((args.ca / name).read_bytes().strip() + b"\n" for name in ("ca.key", "ca.crt"))
    check_authority(key, certificate)
    (args.state / "mitmproxy-ca.pem").write_bytes(key + certificate)
    bundle = args.state / "trusted.pem"
    extra = Path(rules.ca_bundle).read_bytes() if rules.ca_bundle else b""
    bundle.write_bytes(args.bundle.read_bytes() + b"\n" + extra)
    return {"confdir": str(args.state), "ssl_verify_upstream_trusted_ca": str(bundle)}


def check_authority(key: bytes, certificate: bytes) -> None:
    """mitmproxy would start with a CA that is of no use, and fail at each request. Raises ValueError."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    found = x509.load_pem_x509_certificate(certificate)
    if load_pem_private_key(key, None).public_key() != found.public_key():
        raise ValueError("ca.key and ca.crt do not belong together")
    if found.not_valid_after_utc < datetime.now(UTC):
        raise ValueError(f"ca.crt has expired on {found.not_valid_after_utc:%Y-%m-%d}")


def mode_options(live: Live) -> dict[str, Any]:
    """How the broker gets out: by itself or through another proxy."""
    upstream = live.rules.upstream_proxy
    if not upstream:
        return {"mode": ["regular"]}
    return {"mode": [f"upstream:{upstream.scheme}://{upstream.host}:{upstream.port}"]}


def password_above(live: Live) -> str | None:
    """user:password for the proxy above, if it wants one."""
    upstream = live.rules.upstream_proxy
    if not upstream or not upstream.auth:
        return None
    value = live.secret(upstream.auth)
    if not value or ":" not in value:
        fail(f"secret {upstream.auth}", "is not user:password")
    return value


class Ready:
    """mitmproxy addon: says that the ports are open, or ends the broker where they cannot be opened."""

    def __init__(self, rules: Rules, file: Path, servers: Any) -> None:
        self.rules, self.file, self.servers = rules, file, servers
        self.inbound: list[asyncio.Server] = []

    async def running(self) -> None:
        """Called once the proxy listens, or failed to."""
        if not all(server.is_running for server in self.servers):
            fail(f"port {self.rules.listen}", "cannot listen")
        network = outside()
        for inbound in self.rules.inbound:
            try:
                self.inbound.append(await listen(inbound, network))
            except OSError as error:
                fail(f"port {inbound.listen}", error.strerror or error)
        gc.freeze()
        self.file.write_text("ready\n")
        print(f"agentbox-egress: ready on port {self.rules.listen} for {self.rules.agent}", flush=True)


def idle(options: Any, seconds: int) -> dict[str, int]:
    """After how long a silent connection is closed: mitmproxy 12 has an option for it, 11 a constant."""
    if "tcp_timeout" in options:
        return {"tcp_timeout": seconds}
    from mitmproxy.proxy import server

    server.TCP_TIMEOUT = seconds
    return {}


async def serve(args: argparse.Namespace, live: Live, resolver: Resolver) -> None:
    """Run until SIGTERM."""
    without_all_addons()
    from mitmproxy.addons.proxyserver import Proxyserver
    from mitmproxy.addons.tlsconfig import TlsConfig
    from mitmproxy.master import Master
    from mitmproxy.options import Options

    from broker import asides
    from broker.above import ProxyAbove
    from broker.credentials import Credentials
    from broker.gate import Gate, Leftovers
    from broker.pieces import enlarge

    rules = live.rules
    audit = Audit(args.log, agent=rules.agent, run=rules.run)
    master = Master(Options())
    proxy = Proxyserver()
    enlarge(proxy.connections)
    asides.mask(live)
    gate = Gate(live, resolver, audit, outside(), shared_loopback=args.shared_loopback)
    ready = Ready(rules, args.state / "ready", proxy.servers)
    master.addons.add(gate, Credentials(live), proxy, TlsConfig(), Leftovers(proxy.connections), ready)
    if password := password_above(live):
        master.addons.add(ProxyAbove(password))
    master.options.update(
        listen_host="0.0.0.0",
        listen_port=rules.listen,
        connection_strategy="eager",
        rawtcp=False,
        **idle(master.options, args.idle),
        **state_folder(args, rules),
        **mode_options(live),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, master.shutdown)
    await master.run()
    audit.close()


def main() -> None:
    """Start."""
    args = arguments()
    logging.basicConfig(level=logging.WARNING, format="agentbox-egress: %(message)s")
    # What it has to say about a port that is taken is said in one line by Ready.
    logging.getLogger("mitmproxy.addons.proxyserver").setLevel(logging.CRITICAL)
    os.umask(0o077)
    for left in ("ready", "asked"):
        (args.state / left).unlink(missing_ok=True)
    try:
        live = Live(args.rules, args.secrets)
    except (OSError, ValueError) as error:
        fail(args.rules, getattr(error, "strerror", None) or error)
    JudgedLoop.resolver = resolver = Resolver(dict(item.split("=", 1) for item in args.named))
    if args.listen_fd is not None:
        JudgedLoop.inherited = socket.socket(fileno=args.listen_fd)
    with asyncio.Runner(loop_factory=JudgedLoop) as runner:
        try:
            runner.run(serve(args, live, resolver))
        except OSError as error:
            fail(error.filename or "start", error.strerror or error)
        except ValueError as error:
            fail("CA", error)
    os._exit(0)


if __name__ == "__main__":
    main()
