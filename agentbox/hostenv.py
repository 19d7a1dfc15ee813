"""What a container takes over from the host's environment: variables, time zone, git identity, editor."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from agentbox import egress
from agentbox.credentials import Keys
from agentbox.errors import UsageError
from agentbox.policy_model import Policy

PROXIES = (*egress.PROXY_NAMES, *egress.NO_PROXY_NAMES)
# By which of them git logs in at GitHub.
GIT_TOKENS = ("GITHUB_TOKEN", "GH_TOKEN")

# What the image has, by what a host may call it.
EDITORS = {"nano": "nano", "vi": "vi", "vim": "vi", "nvim": "vi", "vim.tiny": "vi"}
TRUTHS = {
    "true": "true",
    "1": "true",
    "yes": "true",
    "on": "true",
    "false": "false",
    "0": "false",
    "no": "false",
    "off": "false",
}


def start_git(home: Path) -> subprocess.Popen[bytes] | None:
    """Begin to ask git for the user's identity; the answer is for `git_identity`. Asked outside of any repository, as
    a workspace's own git configuration is the agent's to write."""
    try:
        return subprocess.Popen(
            ["git", "config", "--global", "--null", "--get-regexp", r"^user\.(name|email)$"],
            cwd="/",
            env={**os.environ, "HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None


def git_identity(asked: subprocess.Popen[bytes] | None) -> dict[str, str]:
    """user.name and user.email as git's four variables."""
    if asked is None:
        return {}
    answer = asked.communicate()[0].decode(errors="replace")
    names = {"user.name": "NAME", "user.email": "EMAIL"}
    pairs = [item.partition("\n") for item in answer.split("\0") if item]
    return {
        f"GIT_{who}_{names[key]}": value for key, _, value in pairs if key in names for who in ("AUTHOR", "COMMITTER")
    }


def timezone(environ: Mapping[str, str]) -> str:
    """The host's zone (Europe/Vienna), or an empty string."""
    if zone := environ.get("TZ", ""):
        return zone
    try:
        text = Path("/etc/timezone").read_text().strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    if not text:
        try:
            text = str(Path("/etc/localtime").readlink()).partition("zoneinfo/")[2]
        except OSError:
            return ""
    return text if re.fullmatch(r"[A-Za-z0-9_+/-]{1,64}", text) else ""


def editor(environ: Mapping[str, str]) -> str:
    """The host's editor where the image has it (or its small sister), else nano."""
    words = (environ.get("VISUAL") or environ.get("EDITOR") or "nano").split() or ["nano"]
    return EDITORS.get(words[0].rpartition("/")[2], "nano")


def paranoid(environ: Mapping[str, str]) -> str:
    """PARANOID_MODE as `true` (the default) or `false`. Raises UsageError for anything else."""
    value = environ.get("PARANOID_MODE", "") or "true"
    if value.lower() not in TRUTHS:
        raise UsageError("PARANOID_MODE", f"{value!r} is neither true nor false")
    return TRUTHS[value.lower()]


def environment(
    policy: Policy, environ: Mapping[str, str], git: Mapping[str, str], extra: list[str], keys: Keys
) -> tuple[dict[str, str | None], dict[str, str]]:
    """The container's environment, and what Compose must find in its own to fill it in.

    A value None is taken over by name, so that no file and no command line holds a secret; the values of `extra`
    (`NAME` or `NAME=VALUE`) travel under private names. Raises UsageError for a wrong one.
    """
    mode = policy.network.mode
    model: dict[str, str | None] = {key: escape(value) for key, value in {**policy.env.fixed, **git}.items()}
    model["EDITOR"] = editor(environ)
    if zone := timezone(environ):
        model["TZ"] = escape(zone)
    # Without a network a key is of no use, and behind the broker it is the broker's.
    names = (*policy.env.passed, *(policy.env.secret if mode != "none" else ()))
    for name in names:
        model |= dict.fromkeys(_matching(name, environ))
    model["PARANOID_MODE"] = paranoid(environ)
    private: dict[str, str] = {}
    if mode == "open":
        private = dict(keys.values)
        model |= dict.fromkeys(private)
    else:
        # The host's own proxy is the broker's to use.
        model = {name: value for name, value in model.items() if name not in PROXIES}
    model, more = _with_extra(model, environ, extra)
    model |= _behind_broker(keys) if mode == "allowlist" else {}
    return model, private | more


def _behind_broker(keys: Keys) -> dict[str, str | None]:
    found: dict[str, str | None] = {**keys.placeholders, **egress.environment()}
    token = next((name for name in GIT_TOKENS if name in keys.placeholders), "")
    if token:
        helper = f'!f() {{ echo username=x-access-token; echo "password=${token}"; }}; f'
        found |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "credential.https://github.com.helper",
            "GIT_CONFIG_VALUE_0": escape(helper),
        }
    return found


def _with_extra(
    model: dict[str, str | None], environ: Mapping[str, str], extra: list[str]
) -> tuple[dict[str, str | None], dict[str, str]]:
    private: dict[str, str] = {}
    for number, item in enumerate(extra):
        name, equals, value = item.partition("=")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise UsageError(f"-e {name or item}", "is not the name of a variable", "write -e NAME=VALUE, or -e NAME")
        if equals:
            private[f"AGENTBOX_ENV_{number}"] = value
            model[name] = f"${{AGENTBOX_ENV_{number}}}"
        elif name in environ:
            model[name] = None
        else:
            raise UsageError(f"-e {name}", "is not set", f"give it a value: -e {name}=VALUE")
    return model, private


def _matching(name: str, environ: Mapping[str, str]) -> list[str]:
    if name.endswith("*"):
        return sorted(key for key in environ if key.startswith(name[:-1]))
    return [name] if name in environ else []


def escape(text: str) -> str:
    """`text` so that Compose takes it as it is: a $ would begin a variable."""
    return text.replace("$", "$$")
