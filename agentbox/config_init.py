"""Writes a first configuration file, all of it comments: it changes nothing until somebody edits it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from agentbox.errors import UsageError
from agentbox.identity import Identity
from agentbox.policy_load import WORKSPACE_FILE
from agentbox.state import make_dir

WORKSPACE = """\
# What this project asks of agentbox, for everybody who works on it. It may only tighten, as the agent can write it:
# an attempt to loosen stops `agentbox run` with the line. `agentbox config check .agentbox.toml` looks at it.

# [limits]                     # lower than what you have otherwise
# pids = 100
# memory = "4g"
# cpus = 2.0

# [mask]                       # further secrets in this folder that are shown as empty files
# globs = ["*.pem", "config/prod.json"]

# [guard]                      # names that the agent's own tools may not touch
# deny = ["customers.csv"]

# [network]
# mode = "none"                # no network at all
# hosts = ["-openrouter.ai"]   # hosts not to be reached

# [env]                        # variables kept from the tools
# hide = ["DATABASE_URL"]

# [agents.claude.limits]       # all of this for one agent only
# memory = "2g"
"""

USER = """\
# Your configuration of agentbox. It may change anything that agentbox's own files say. `agentbox config --origin`
# prints what is in effect, `agentbox config check` looks at this file, `agentbox config schema` describes it to an
# editor.

# [limits]
# pids = 300                   # processes and threads together
# memory = "4g"
# cpus = 2.0

# [image]
# packages = ["golang"]        # further Debian packages
# ca_bundle = "/etc/ssl/corporate.pem"

# [network]
# mode = "allowlist"           # open: no broker, keys inside; none: no network
# hosts = ["crates.io", "static.crates.io"]
# private = ["git.example.internal"]

# [mask]
# globs = ["*.pem", "-gh_*"]   # more to mask; - takes one back

# [[credential]]               # a key from a file instead of the environment
# name = "ANTHROPIC_API_KEY"
# hosts = ["api.anthropic.com"]
# file = "~/.secrets/anthropic"

# [agents.pi.env.set]          # for one agent only
# PI_OFFLINE = "1"
"""


def write(identity: Identity, *, user: bool) -> Path:
    """Write the file and return its path. Raises UsageError where it is there already."""
    path = identity.config_file if user else Path(WORKSPACE_FILE)
    if user:
        make_dir(path.parent, identity)
    try:
        # O_EXCL follows no symlink, which an agent may have left here.
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600 if user else 0o644)
    except FileExistsError:
        raise UsageError(str(path), "is there already", f"look at it: agentbox config check {path}") from None
    except OSError as error:
        raise UsageError(str(path), f"cannot be written: {os.strerror(error.errno or errno.EIO)}") from None
    try:
        with os.fdopen(fd, "w") as file:
            if os.geteuid() == 0:
                os.fchown(file.fileno(), identity.uid, identity.gid)
            file.write(USER if user else WORKSPACE)
    except OSError as error:
        path.unlink()  # or half a file would be in the way of the next try
        raise OSError(error.errno, error.strerror, str(path)) from None
    return path
