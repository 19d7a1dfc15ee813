"""Builds images with `docker compose build`, in a private context that is removed whatever happens."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from agentbox import versions
from agentbox.engine import INPUTS, Engine, compose_missing, find_docker, no_docker
from agentbox.errors import BuildError
from agentbox.hostenv import escape
from agentbox.identity import Identity
from agentbox.images import PROXIES, Recipe, ca_bundle, certificates, recipes
from agentbox.interruption import as_interruption
from agentbox.policy import render_all
from agentbox.policy_model import Policy
from agentbox.policy_render import check_with_core
from agentbox.state import make_dir

SHOWN_LINES, KEPT_LINES = 20, 1000
KEPT_LOGS = 10

Report = Callable[[str], None]


def build(  # noqa: PLR0913  what to build, and how
    policies: list[Policy],
    identity: Identity,
    engine: Engine,
    *,
    ca_option: str | None = None,
    no_cache: bool = False,
    report: Report = lambda _: None,
) -> Path:
    """Build the images: base, broker, agents. Returns the log. Raises BuildError with its last lines, or EngineError.

    `report` gets one short line for each step that begins.
    """
    facts = engine.facts()
    found = [recipes(policy, identity, facts) for policy in policies]
    first, agents = [found[0].base, found[0].egress], [each.agent for each in found]
    bundle = ca_bundle(ca_option, policies[0])
    log = _new_log(identity)
    with as_interruption(), tempfile.TemporaryDirectory(prefix="agentbox-build-") as folder:
        context = Path(folder, "context")
        for recipe in (*first, *agents):
            _lay_out(context, dict(recipe.files))
        for policy in policies:
            _lay_out_policy(context, policy)
        if bundle is not None:
            _write(context / "ca" / "extra.crt", certificates(bundle, "CA bundle"))
        file = Path(folder, "build.json")
        file.write_text(json.dumps(_model([*first, *agents], context)))
        for step in (first, agents):
            names = [recipe.name for recipe in step]
            report(f"building {', '.join(names)}")
            try:
                _compose_build(file, names, log, no_cache=no_cache, report=report)
            except KeyboardInterrupt:
                hint = "the steps that were through are kept"
                raise BuildError("build", "interrupted", hint, exit_code=130) from None
    return log


def _model(wanted: list[Recipe], context: Path) -> dict[str, object]:
    proxies = {name: None for name in PROXIES if name in os.environ}
    services = {
        recipe.name: {
            "image": recipe.tag,
            "build": {
                "context": escape(str(context)),
                "dockerfile": f"{recipe.name}/Dockerfile",
                "args": {**{key: escape(value) for key, value in recipe.arguments.items()}, **proxies},
                "labels": {INPUTS: recipe.digest},
            },
        }
        for recipe in wanted
    }
    return {"name": "agentbox-build", "services": services}


def _lay_out(context: Path, files: dict[str, Path]) -> None:
    for name, source in files.items():
        _write(context / name, source.read_bytes(), executable=os.access(source, os.X_OK))


def _lay_out_policy(context: Path, policy: Policy) -> None:
    rendered = render_all(policy)
    check_with_core(rendered["vault.policy"])
    for name, text in rendered.items():
        _write(context / "etc" / policy.agent / name, text.encode())


def _write(path: Path, content: bytes, *, executable: bool = False) -> None:
    """With modes that do not depend on the umask: COPY keeps them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755 if executable else 0o644)
    path.parent.chmod(0o755)


def _new_log(identity: Identity) -> Path:
    folder = make_dir(identity.own_state / "logs", identity)
    for old in sorted(folder.glob("build-*.log"))[: -KEPT_LOGS + 1]:
        old.unlink(missing_ok=True)
    path = folder / f"build-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    path.touch(0o600)
    if os.geteuid() == 0:
        os.chown(path, identity.uid, identity.gid)
    return path


def _compose_build(file: Path, names: list[str], log: Path, *, no_cache: bool, report: Report) -> None:
    docker = find_docker()
    if docker is None:
        raise no_docker()
    argv = [
        docker,
        "compose",
        "--project-directory",
        str(file.parent),
        "--env-file",
        os.devnull,
        "-p",  # COMPOSE_PROJECT_NAME in the environment would win over the file's own
        "agentbox-build",
        "-f",
        str(file),
        "build",
    ]
    argv += ["--no-cache"] if no_cache else []
    # The base image is only in the engine's own store, where a builder in a container would not find it.
    environ = {**os.environ, "BUILDKIT_PROGRESS": "plain", "BUILDX_BUILDER": "default", "DOCKER_BUILDKIT": "1"}
    lines: deque[str] = deque(maxlen=KEPT_LINES)
    failed = ""
    with (
        log.open("ab") as kept,
        subprocess.Popen(
            [*argv, *names], env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for raw in process.stdout:
                kept.write(raw)
                lines.append(raw.decode(errors="replace").rstrip())
                if step := _step(lines[-1]):
                    report(step)
                if failed := _failed(lines[-1]):
                    break  # the steps of other images may take minutes yet
            code = 1 if failed else process.wait()
        finally:
            process.terminate()
    if code:
        raise failure(names, [*lines], log, failed)


def _failed(line: str) -> str:
    """How the lines of a step begin that has just failed; empty for any other line."""
    match = re.match(r"(#\d+ )ERROR: ", line)
    return match[1] if match else ""


def _step(line: str) -> str:
    """`#12 [pi 2/5] RUN npm install …` as `pi 2/5: RUN npm install …`; empty for any line that is no step of a file."""
    match = re.match(r"#\d+ \[([\w-]+ (?:[\w.-]+ )?\d+/\d+)\] (RUN .+)", line)
    return re.sub(r"\s+", " ", f"{match[1]}: {match[2]}")[:100] if match else ""


def failure(names: list[str], lines: list[str], log: Path, step: str = "") -> Exception:
    """What a failed build means. `step` is how the lines of the step begin that failed, where one has said so."""
    text = "\n".join(lines)
    if error := compose_missing(text):
        return error
    own = [line for line in lines if line.strip() and line.startswith(step)]
    last = "\n".join(f"  {line}" for line in own[-SHOWN_LINES:])
    hint = f"the whole log is {log}"
    if "no space left on device" in text.lower():
        return BuildError("build", f"the disk is full\n{last}", f"docker system prune frees some; {hint}")
    if re.search(r"\bcertificate\b|SELF_SIGNED|self-signed|unable to get local issuer", text):
        hint += "; behind a proxy that intercepts TLS, name its certificate with --ca-bundle"
    return BuildError(f"image {' or '.join(names)}", f"the build failed; its last lines:\n{last}", hint)


def update(
    policies: list[Policy], identity: Identity, engine: Engine, ca_option: str | None, report: Report
) -> dict[str, str]:
    """Build the agents in their newest versions and remember these. Returns them. Nothing changes where that fails."""
    found = {policy.agent: versions.newest(policy, identity, ca_bundle(ca_option, policy)) for policy in policies}
    wanted = [versions.apply(policy, identity, found) for policy in policies]
    build(wanted, identity, engine, ca_option=ca_option, report=report)
    versions.remember(identity, found)
    return found
