"""Which version of an agent to install: pinned in its file, set in the user's, or remembered from `agentbox update`."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

from agentbox.errors import AgentboxError, UsageError
from agentbox.identity import Identity
from agentbox.policy_load import check_agent
from agentbox.policy_model import Package, Policy
from agentbox.policy_schema import version as check_version
from agentbox.state import make_dir

FILE = "versions.json"
SECONDS = 20
PINNED = "pinned"


def remembered(identity: Identity) -> dict[str, str]:
    """Versions by agent. A file that cannot be read or makes no sense counts as empty."""
    try:
        found = json.loads((identity.own_state / FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in found.items() if not check_version(v)} if isinstance(found, dict) else {}


def remember(identity: Identity, changes: dict[str, str]) -> None:
    """Keep `changes` for later builds; the version `pinned` forgets an agent's."""
    found = {**remembered(identity), **changes}
    kept = {agent: version for agent, version in sorted(found.items()) if version != PINNED}
    path = make_dir(identity.own_state, identity) / FILE
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(json.dumps(kept, indent=2) + "\n")
    if os.geteuid() == 0:
        os.chown(part, identity.uid, identity.gid)
    part.replace(path)


def apply(policy: Policy, identity: Identity, asked: dict[str, str]) -> Policy:
    """`policy` with the version in effect: asked for now, else the user's file, else remembered, else pinned."""
    by_user = not policy.origin["package.version"][-1].startswith("agents/")
    stored = {} if by_user or PINNED in asked.get(policy.agent, "") else remembered(identity)
    version = asked.get(policy.agent) or stored.get(policy.agent) or policy.package.version
    if version in (PINNED, policy.package.version):
        return policy
    return replace(policy, package=replace(policy.package, version=version))


def parse_options(options: tuple[str, ...]) -> dict[str, str]:
    """`pi=1.2.3` options as a table. Raises UsageError."""
    found = {}
    for option in options:
        agent, equals, version = option.partition("=")
        check_agent(agent)
        if not equals or (check_version(version) and version != PINNED):
            raise UsageError(f"--version-of {option}", "is not AGENT=VERSION", "for example --version-of pi=0.87.1")
        found[agent] = version
    return found


def newest(package: Package, ca_bundle: Path | None) -> str:
    """The newest released version in the package's registry. Raises AgentboxError when that cannot be told."""
    try:
        found = _newest_npm(package, ca_bundle) if package.manager == "npm" else _newest_pip(package, ca_bundle)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AgentboxError(package.name, f"its newest version cannot be found: {error}", "see --version-of") from None
    if check_version(found):
        raise AgentboxError(package.name, f"its registry names no usable version: {found!r}")
    return found


def _newest_npm(package: Package, ca_bundle: Path | None) -> str:
    registry = os.environ.get("npm_config_registry") or os.environ.get("NPM_CONFIG_REGISTRY")  # noqa: SIM112  npm reads both
    url = urljoin((registry or "https://registry.npmjs.org").rstrip("/") + "/", quote(package.name, safe="@"))
    return str(json.loads(_fetch(url, "application/vnd.npm.install-v1+json", ca_bundle))["dist-tags"]["latest"])


def _newest_pip(package: Package, ca_bundle: Path | None) -> str:
    index = os.environ.get("PIP_INDEX_URL") or "https://pypi.org/simple"
    page = _fetch(
        f"{index.rstrip('/')}/{quote(package.name)}/", "application/vnd.pypi.simple.v1+json, text/html;q=0.5", ca_bundle
    )
    stem = re.sub(r"[-_.]+", "[-_.]+", re.escape(package.name).replace("\\-", "-"))
    # Final releases only, from the files' names: the same in JSON and in HTML.
    found = re.findall(rf"(?i)\b{stem}-(\d+(?:\.\d+)*)(?:-py|-cp|\.tar\.gz|\.zip)", page.decode(errors="replace"))
    if not found:
        raise ValueError("the index lists no release")
    return str(max(found, key=lambda text: [int(part) for part in text.split(".")]))


def _fetch(url: str, accept: str, ca_bundle: Path | None) -> bytes:
    import ssl
    import urllib.request

    context = ssl.create_default_context()
    if ca_bundle is not None:
        context.load_verify_locations(ca_bundle)
    request = urllib.request.Request(url, headers={"Accept": accept, "User-Agent": "agentbox"})
    with urllib.request.urlopen(request, timeout=SECONDS, context=context) as answer:
        data: Any = answer.read()
    return bytes(data)
