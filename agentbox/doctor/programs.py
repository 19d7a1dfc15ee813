"""The programs that agentbox calls: docker, Compose v2, buildx, git."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

from agentbox.doctor.finding import ERROR, OK, WARNING, Finding, World
from agentbox.engine import compose_missing, compose_program, find_docker, no_docker
from agentbox.errors import EngineError

SECONDS = 10
TRY = "see what it says: docker compose version"
BUILDX = "install buildx: package docker-buildx-plugin, or docker-buildx"


def check(world: World) -> Iterator[Finding]:
    docker = find_docker()
    if docker is None:
        missing = no_docker()
        yield Finding("programs.docker", ERROR, str(missing), "images are built with it", missing.hint)
    yield from _compose()
    if docker is not None:
        yield _buildx(docker)
    if _said(["git", "--version"])[0]:
        why = "commits made inside lack your name"
        yield Finding("programs.git", WARNING, "git: is not installed", why, "install git")


def _compose() -> Iterator[Finding]:
    try:
        program = compose_program()
    except EngineError:
        return  # no docker, which has been said
    code, text = _said([*program, "version", "--short"])
    if code == 0:
        yield Finding("programs.compose", OK, f"Compose {text.strip().removeprefix('v')}")
        return
    error = compose_missing(text) or EngineError("docker compose", f"does not work: {_last(text)}")
    yield Finding("programs.compose", ERROR, str(error), "containers are started with it", error.hint or TRY)


def _buildx(docker: str) -> Finding:
    code, text = _said([docker, "buildx", "version"])
    if code == 0:
        return Finding("programs.buildx", OK, " ".join(text.split()[:2]).replace("github.com/docker/", ""))
    return Finding(
        "programs.buildx", WARNING, "buildx: is not installed", "newer versions of Compose build images with it", BUILDX
    )


def _said(argv: list[str]) -> tuple[int, str]:
    """Exit code and all output; 127 where the program is not there, 124 where it does not end."""
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd="/",
            env=dict(os.environ),
        )
    except subprocess.TimeoutExpired:
        return 124, f"no answer within {SECONDS} seconds"
    except OSError as error:
        return 127, str(error)
    return done.returncode, done.stdout + done.stderr


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["it says nothing"])[-1]
