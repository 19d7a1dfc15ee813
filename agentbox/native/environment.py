"""The sandbox's environment: hostenv's, with the values filled in that Compose would."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agentbox.identity import Identity
from agentbox.native.places import BUNDLE_NAMES, HOME, SEARCH


def filled(model: Mapping[str, str | None], private: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """What `hostenv.environment` returns, as values. None takes a value over by name."""
    found: dict[str, str] = {}
    for name, text in model.items():
        value = private.get(name, environ.get(name)) if text is None else _unescaped(text, private)
        if value is not None:
            found[name] = value
    return found


def _unescaped(text: str, private: Mapping[str, str]) -> str:
    if reference := re.fullmatch(r"\$\{(AGENTBOX_ENV_\d+)\}", text):
        return private[reference[1]]
    return text.replace("$$", "$")


def of_the_image(identity: Identity, bundle: str, home: str = HOME, search: str = SEARCH) -> dict[str, str]:
    """What an image says for everybody."""
    own = {"HOME": home, "PATH": search, "USER": identity.tag, "LOGNAME": identity.tag, "SHELL": "/bin/bash"}
    return own | dict.fromkeys(BUNDLE_NAMES, bundle)
