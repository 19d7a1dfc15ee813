"""What a native sandbox is built of: tables of the host's places and of agentbox's own. Nothing here looks at a disk
but to see what is there."""

from __future__ import annotations

import os
from pathlib import Path

from agentbox.named_file import is_readable
from agentbox.policy_model import Policy
from agentbox.resources import lib, tree

LIBRARY = "/usr/local/lib/agentbox"
HOME = "/home/agent"
SEARCH = f"{LIBRARY}/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"

# Programs and libraries of the host, read-only. Some are links into /usr.
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store")

# Of /etc what programs need to find libraries, names, certificates and defaults; nothing that services keep there.
ETC = (
    "alternatives", "bash.bashrc", "ca-certificates", "ca-certificates.conf", "crypto-policies", "debian_version",
    "fonts", "gai.conf", "host.conf", "inputrc", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "locale.alias",
    "locale.conf", "localtime", "lsb-release", "magic", "magic.mime", "mime.types", "networks", "os-release",
    "pki/ca-trust", "pki/tls/certs", "profile", "profile.d", "protocols", "python3", "python3.11", "python3.12",
    "python3.13", "python3.14", "rpc", "services", "shells", "ssh/ssh_config", "ssh/ssh_config.d", "ssl/cert.pem",
    "ssl/certs", "ssl/openssl.cnf", "static", "terminfo", "timezone", "vim", "wgetrc",
)  # fmt: skip

# Where distributions keep the certificates that programs trust.
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)  # fmt: skip
# What the images set, so that all programs trust the broker.
BUNDLE_NAMES = (
    "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO",
)  # fmt: skip

# Programs that may not be started by an agent are its tools' business; this is what a shell as first link needs.
LINKS = ("/bin/sh", "/usr/bin/env")

# As in the images: a repository's other worktrees may be out of sight, and are no garbage.
GITCONFIG = "[gc]\n\tworktreePruneExpire = never\n"

# A login shell, which Hermes's tools are, sets PATH anew: the agent's name must lead to second.sh there as well.
PROFILE = f"PATH={LIBRARY}/bin:$PATH\n"


def library(policy: Policy) -> dict[str, Path]:
    """What the images have in LIBRARY, by its name there."""
    containers = tree("containers")
    parts = {"js": tree("js"), "guard": containers / "guard", "prepare.sh": containers / policy.agent / "prepare.sh"}
    own = {name: containers / path for name, path in policy.native.library.items()}
    preload = lib("fs-vault.so")
    return parts | own | ({"fs-vault.so": preload} if preload else {})


def bundle() -> bytes:
    """The certificates that this host trusts."""
    named = os.environ.get("SSL_CERT_FILE", "")
    for path in (named, *BUNDLES):
        if is_readable(path):
            return Path(path).read_bytes()
    return b""
