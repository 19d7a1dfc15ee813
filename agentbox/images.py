"""What goes into an image, and whether it is up to date (docs/internals.md, "The build context")."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from agentbox import authority
from agentbox.compose import tag
from agentbox.engine import INPUTS, MACHINES, Engine, Facts
from agentbox.errors import UsageError
from agentbox.identity import Identity
from agentbox.named_file import is_readable
from agentbox.policy_load import PACKAGE
from agentbox.policy_model import Policy
from agentbox.resources import lib, tree

LIBRARIES = ("fs-vault.so", "agentbox-launch")
ELF_MACHINES = {62: "amd64", 183: "arm64"}
CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
# Taken over by name where set; they change no layer.
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


class Recipe(NamedTuple):
    """One image: its context's files (by path in the context), build arguments, and the digest over both."""

    name: str
    tag: str
    files: Mapping[str, Path]
    arguments: Mapping[str, str]
    digest: str


class Recipes(NamedTuple):
    """The three images of one agent: its own stands on `base`, and holds that one's digest."""

    base: Recipe
    egress: Recipe
    agent: Recipe


def recipes(policy: Policy, identity: Identity, facts: Facts) -> Recipes:
    """What the images of `policy` are made of."""
    vault_from = "wheel" if _library_fits(facts.arch) else "source"
    packages = {"BASE_IMAGE": policy.image.base}
    base = _recipe(
        "base",
        identity,
        _base_files(with_lib=vault_from == "wheel"),
        {
            **packages,
            "VAULT_FROM": vault_from,
            "REAL_USER": identity.tag,
            "HOST_UID": str(identity.uid),
            "HOST_GID": str(identity.gid),
            "EXTRA_PACKAGES": " ".join(policy.image.packages),
        },
    )
    containers = tree("containers")
    broker = dict(_walk(containers / "egress", "egress/"))
    broker |= {name: containers / name for name in ("base/add-ca.sh", "harden.sh")}
    # The shipped policy counts, not the merged one: a run mounts that over what the image holds.
    shipped = {name: PACKAGE / name for name in ("defaults.toml", f"agents/{policy.agent}.toml")}
    files = dict(_walk(containers / policy.agent, f"{policy.agent}/"))
    files["authority/ca.crt"] = authority.certificate(identity)
    arguments = {"BASE": base.tag, "AGENT_VERSION": policy.package.version}
    return Recipes(
        base=base,
        egress=_recipe("egress", identity, broker, packages),
        agent=_recipe(policy.agent, identity, files, arguments, shipped, base.digest),
    )


def stale(engine: Engine, recipe: Recipe) -> bool:
    """Whether the image is missing or was made from something else."""
    labels = engine.image_labels(recipe.tag)
    return labels is None or labels.get(INPUTS) != recipe.digest


def ca_bundle(option: str | None, policy: Policy) -> Path | None:
    """The file with extra certificates for builds and runs, if one is set. Raises UsageError for a wrong one."""
    extra = os.environ.get("NODE_EXTRA_CA_CERTS", "")  # not ours: like Node, pass over one that is not there
    for what, value in (
        ("--ca-bundle", option),
        ("AGENTBOX_CA_BUNDLE", os.environ.get("AGENTBOX_CA_BUNDLE")),
        ("image.ca_bundle", policy.image.ca_bundle),
        ("NODE_EXTRA_CA_CERTS", extra if is_readable(extra) else ""),
    ):
        if value:
            certificates(Path(value), what)
            return Path(value)
    return None


def certificates(path: Path, what: str) -> bytes:
    """The certificates of a PEM file, and nothing else of it (a private key, say)."""
    try:
        found = CERTIFICATE.findall(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{what} {path}", error.strerror or str(error)) from None
    if not found:
        raise UsageError(f"{what} {path}", "holds no PEM certificate")
    return b"\n".join(found) + b"\n"


def _recipe(  # noqa: PLR0913, PLR0917  a digest has as many inputs as it has
    name: str,
    identity: Identity,
    files: Mapping[str, Path],
    arguments: Mapping[str, str],
    counted: Mapping[str, Path] | None = None,
    salt: str = "",
) -> Recipe:
    digest = sha256(salt.encode())
    for path, source in sorted({**files, **(counted or {})}.items()):
        content = source.read_bytes()
        digest.update(f"{path}\0{int(_executable(source))}\0{len(content)}\0".encode() + content)
    for item in sorted(arguments.items()):
        digest.update("=".join(item).encode() + b"\0")
    return Recipe(name, tag(identity, name), files, arguments, digest.hexdigest())


def _base_files(*, with_lib: bool) -> dict[str, Path]:
    containers = tree("containers")
    files = {name: containers / name for name in ("entrypoint.sh", "harden.sh")}
    files |= _walk(containers / "base", "base/")
    files |= _walk(tree("csrc"), "csrc/")
    files |= _walk(containers / "guard", "guard/")
    files |= _walk(tree("js"), "js/")
    if with_lib:
        files |= {f"lib/{name}": path for name in LIBRARIES if (path := lib(name))}
    return files


def _walk(root: Path, prefix: str) -> Iterable[tuple[str, Path]]:
    for folder, folders, names in os.walk(root):
        below = prefix + f"{folder}/".removeprefix(f"{root}/")
        folders[:] = [name for name in folders if name not in ("node_modules", "__pycache__") and name[0] != "."]
        for name in names:
            if not name.startswith(".") and not name.endswith((".o", ".so", ".pyc")):
                yield below + name, Path(folder, name)


def _executable(path: Path) -> bool:
    return os.access(path, os.X_OK)


def _library_fits(arch: str) -> bool:
    """Whether the compiled parts of this installation run on the engine's CPU."""
    found = [path for name in LIBRARIES if (path := lib(name))]
    return len(found) == len(LIBRARIES) and all(_elf_arch(path) == MACHINES.get(arch, arch) for path in found)


def _elf_arch(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(20)
    if head[:4] != b"\x7fELF":
        return ""
    return ELF_MACHINES.get(int.from_bytes(head[18:20], "big" if head[5] == 2 else "little"), "")
