"""Agents without a container: installed below the user's cache, for the native engine.

    installed = harness.ensure(policy, progress=print)
    subprocess.run([*installed.argv, "--version"])

Nothing of what is installed runs here, no install script either; the engine starts it in its sandbox.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agentbox import identity as identities
from agentbox.errors import InstallError
from agentbox.harness import cache
from agentbox.harness.installed import Installed, describe, installed_on_path
from agentbox.identity import Identity
from agentbox.named_file import is_readable
from agentbox.policy_model import Policy

if TYPE_CHECKING:
    from agentbox.harness import npm as npm_
    from agentbox.harness import pypi as pypi_

__all__ = ["Installed", "ensure", "find", "installed_on_path", "newest", "update"]

Report = Callable[[str], None]


def find(policy: Policy, identity: Identity | None = None) -> Installed | None:
    """The policy's version, if it is there, whole, and for this kind of machine. Asks no registry."""
    from agentbox.harness import platform

    root = cache.folder(identity or identities.current(), policy.agent) / policy.package.version
    told = cache.record(root)
    if told.get("platform") != str(platform.current()) or told.get("name") != policy.package.name:
        return None
    if told.get("extras", []) != list(policy.package.extras):
        return None
    found = describe(policy, root, told)
    return found if all(Path(word).exists() for word in found.argv) else None


def ensure(
    policy: Policy, *, progress: Report, identity: Identity | None = None, ca_option: str | None = None
) -> Installed:
    """The policy's version, installed if need be. Raises InstallError; then nothing has changed, but downloads that are
    there already are used by the next call."""
    who = identity or identities.current()
    found = find(policy, who)
    if found is None:
        title = f"{policy.agent} {policy.package.version}"
        with cache.locked(
            who, policy.agent, lambda: progress(f"{title}: waiting for another agentbox, which installs it")
        ) as place:
            found = find(policy, who) or _install(policy, place, who, ca_option, progress)
    cache.used(found.root)
    return found


def newest(policy: Policy, ca_bundle: Path | None, identity: Identity | None = None) -> str:
    """The newest released version in the registry that the user's npm or pip use. Raises InstallError."""
    from agentbox.harness import npm

    home = (identity or identities.current()).home
    bundles = [ca_bundle] if ca_bundle else []
    if policy.package.manager == "npm":
        return npm.newest(_npm(home, bundles), policy.package.name)
    return _pip(home, bundles).newest(policy.package.name).version


def update(policies: list[Policy], identity: Identity, ca_option: str | None, progress: Report) -> dict[str, str]:
    """Install the agents in their newest versions and remember these, all or none. Returns them."""
    from agentbox import versions
    from agentbox.images import ca_bundle

    found = {policy.agent: versions.newest(policy, identity, ca_bundle(ca_option, policy)) for policy in policies}
    for policy in policies:
        ensure(versions.apply(policy, identity, found), progress=progress, identity=identity, ca_option=ca_option)
    versions.remember(identity, found)
    return found


def _install(policy: Policy, place: Path, who: Identity, ca_option: str | None, progress: Report) -> Installed:
    from agentbox.harness import npm, platform, pypi
    from agentbox.harness.job import Job
    from agentbox.images import ca_bundle

    here = platform.current()
    extra = ca_bundle(ca_option, policy)
    bundles = [extra] if extra else []
    try:
        with cache.building(place, policy.package.version, who) as root:
            job = Job(policy, root, cache.downloads(place), progress)
            if policy.package.manager == "npm":
                told = npm.install(job, _npm(who.home, bundles), here)
            else:
                told = pypi.install(job, _pip(who.home, bundles))
            package = policy.package
            facts = {"name": package.name, "version": package.version, "extras": package.extras, "platform": str(here)}
            (root / cache.RECORD).write_text(json.dumps({**facts, **told}, indent=1) + "\n")
    except OSError as error:
        raise _failed(error, place) from None
    found = find(policy, who)
    assert found is not None
    return found


def _failed(error: OSError, place: Path) -> InstallError:
    from agentbox.harness import web

    if error.errno in web.FULL:
        return web.disk_full(OSError(error.errno, "", str(place)))
    return InstallError(str(error.filename or place), error.strerror or str(error), "the cache must be yours to write")


def _npm(home: Path, bundles: list[Path]) -> npm_.Registry:
    from agentbox.harness import npm, settings, web

    user = settings.npm(home, os.environ)
    return npm.Registry(user, web.Web([*_files(user.cafile), *bundles], user.headers, user.proxy))


def _pip(home: Path, bundles: list[Path]) -> pypi_.Index:
    from agentbox.harness import pypi, settings, web

    user = settings.pip(home, os.environ)
    trusted = [*_files(user.cert), *bundles]
    return pypi.Index(user, web.Web(trusted, {}, user.values.get("proxy", ("",))[0]), trusted)


def _files(name: str) -> list[Path]:
    return [Path(name)] if is_readable(name) else []
