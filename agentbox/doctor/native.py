"""What the native engine finds here, which runs the agents where no Docker answers."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from agentbox.doctor.finding import OK, WARNING, Finding, World
from agentbox.errors import AgentboxError


def check(world: World) -> Iterator[Finding]:
    if world.engine is not None or not sys.platform.startswith("linux"):
        return
    from agentbox.native import broker, bubblewrap, claims, landlock, layout, seccomp

    try:
        layout.parts()
    except AgentboxError as error:
        yield Finding("native.parts", WARNING, str(error), "the native engine starts nothing without them", error.hint)
        return
    if not landlock.abi():
        why = "the native engine (--engine native) does not start without it"
        yield Finding("native.landlock", WARNING, "the host's kernel has no Landlock", why, "lsm=landlock,… at boot")
    elif missing := bubblewrap.missing():
        why = "the native engine uses Landlock alone: masks, read-only hooks and hidden processes are not to be had"
        yield Finding("native.sandbox", WARNING, missing, why, bubblewrap.INSTALL)
    else:
        yield Finding("native.sandbox", OK, "the native engine has bubblewrap and Landlock")
    if missing := seccomp.missing():
        why = "the native engine runs agents without a filter of system calls"
        yield Finding("native.seccomp", WARNING, missing, why, "apt install libseccomp2; pip install pyseccomp")
    if unbounded := claims.unbounded():
        why = "an agent, or what it starts, can use all that this machine has of it"
        yield Finding("native.limits", WARNING, unbounded, why, "log in where systemd runs a manager for you")
    try:
        if world.identity is not None:
            yield _broker(*broker.find_python(world.identity))
    except AgentboxError as error:
        why = "the native engine has no network but --network open"
        yield Finding("native.broker", WARNING, str(error), why, error.hint)


def _broker(program: str, version: tuple[int, int]) -> Finding:
    from agentbox.native import broker

    text = f"the native engine's broker runs on Python {version[0]}.{version[1]} ({program})"
    if version >= broker.WANTED:
        return Finding("native.broker", OK, text)
    why = "mitmproxy 11.0.2, the last release for it, which gets no fixes; what parses traffic besides is current"
    return Finding("native.broker", WARNING, text, why, "install Python 3.12 or newer; the next start takes it")
