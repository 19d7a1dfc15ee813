"""The keys that an agent may use: their values, for the broker alone, and the placeholders that its container gets."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agentbox.errors import UsageError
from agentbox.identity import Identity
from agentbox.policy_model import Credential, Policy
from agentbox.state import make_dir, write_file

LONGEST = 16 * 1024
SEED = "placeholders"


@dataclass(frozen=True, slots=True)
class Keys:
    """Value and placeholder by the credential's name; in mode `open` there are no placeholders."""

    used: tuple[Credential, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    placeholders: Mapping[str, str] = field(default_factory=dict)


def find(policy: Policy, identity: Identity, environ: Mapping[str, str], extra: Sequence[str]) -> Keys:
    """The keys of `policy` that there are. Raises UsageError for one that is named, and cannot be had.

    `extra` are the words of -e: a key given there goes the same way as one of the environment.
    """
    if policy.network.mode == "none":
        return Keys()
    given = dict(_given(item, environ) for item in extra)
    wanted = [each for each in policy.credentials if each.name in policy.env.secret or each.name in given]
    found = {each.name: given.get(each.name) or value(each, identity, environ) for each in wanted}
    values = {name: _checked(name, text) for name, text in found.items() if text}
    if policy.network.mode == "open" or not values:
        return Keys(values=values)
    seed = _seed(identity)
    used = tuple(each for each in wanted if each.name in values)
    return Keys(used, values, {each.name: placeholder(each, seed) for each in used})


def _given(item: str, environ: Mapping[str, str]) -> tuple[str, str]:
    name, equals, text = item.partition("=")
    return name, text if equals else environ.get(name, "")


def value(credential: Credential, identity: Identity, environ: Mapping[str, str]) -> str:
    """The real value, or an empty string where nobody has said that there should be one."""
    name = credential.name
    if text := environ.get(name, ""):
        return text
    if credential.file:
        path = Path(credential.file)
        path = identity.home / credential.file[2:] if credential.file.startswith("~/") else path
        try:
            with path.open("rb") as file:
                return file.read(LONGEST + 1).decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            cause = getattr(error, "strerror", None) or "is not text"
            raise UsageError(f"credential {name}", f"{path}: {cause}") from None
    return _from_keyring(credential) if credential.keyring else ""


def _from_keyring(credential: Credential) -> str:
    subject = f"credential {credential.name}"
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise UsageError(subject, "the keyring library is not installed", "pip install 'agentbox[keyring]'") from None
    try:
        found = keyring.get_password(credential.keyring, credential.name)
    except keyring.errors.KeyringError as error:
        raise UsageError(subject, f"the keyring does not answer: {error}") from None
    if not found:
        hint = f"keyring set {credential.keyring} {credential.name}"
        raise UsageError(subject, f"is not in the keyring under {credential.keyring}", hint)
    return str(found)


def _checked(name: str, text: str) -> str:
    if len(text) > LONGEST or not text.isprintable() or not text.isascii():
        raise UsageError(f"credential {name}", "is not one line of ASCII: no header can carry it")
    return text


def placeholder(credential: Credential, seed: bytes) -> str:
    """The same for one user at any time: agents remember which key they were told to use."""
    import hmac  # brings OpenSSL with it: most starts have no key

    digest = hmac.new(seed, credential.name.encode(), "sha256").hexdigest()
    return f"{credential.prefix}agentbox{digest[:32]}"


def _seed(identity: Identity) -> bytes:
    path = make_dir(identity.own_state, identity) / SEED
    if not path.exists():
        write_file(path, os.urandom(32), identity, keep=True)
    return path.read_bytes()


def shown_to_tools(policy: Policy, keys: Keys) -> Policy:
    """The same policy, but that tools keep placeholders: a second agent, started by a tool, works with them."""
    return policy._replace(env=policy.env._replace(keep=(*policy.env.keep, *keys.placeholders)))
