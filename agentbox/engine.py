"""Talks to the container engine. Nothing else does, but for those who start the `docker` program: session.py, build.py,
cli/shell_.py and doctor/programs.py.

The docker SDK takes 130 ms to import, as long as a third of a whole run. So requests to an engine on a local socket go
out by hand (HTTP/1.0, one connection each, the API's own JSON), and the SDK is used for what that cannot do: remote
engines (TLS, ssh), named pipes, contexts and streams.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from agentbox import programs
from agentbox.errors import EngineError, NoEngineError, one_line

DEFAULT_SOCKET = "/var/run/docker.sock"
AGENT, WORKSPACE, RUN, OWNER, INPUTS, BROKER, USER = (
    f"io.agentbox.{name}" for name in ("agent", "workspace", "run", "owner", "inputs", "broker", "user")
)
INSTALL = "install Docker Engine with Compose v2 (https://docs.docker.com/engine/install/)"
PLUGIN_FOLDERS = tuple(f"/usr/{place}/docker/cli-plugins" for place in ("local/lib", "local/libexec", "lib", "libexec"))
ANSWERS = {404: "absent", 409: "busy", 403: "forbidden"}
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


class Facts(NamedTuple):
    """What the engine has: CPUs, its architecture in Docker's words (amd64, arm64), and its version."""

    cpus: int
    arch: str
    version: str = ""


NO_FACTS = Facts(0, "")


class Container(NamedTuple):
    """One container of ours."""

    name: str
    state: str
    status: str
    created: int
    image: str
    labels: dict[str, str]
    binds: frozenset[str] = frozenset()  # the host's files and folders that it has mounted


class Engine:
    """One engine. Every method raises EngineError with a hint when the engine cannot be reached."""

    def __init__(self, endpoint: str | None = None) -> None:
        self.endpoint = endpoint if endpoint is not None else _endpoint()
        self.socket = self.endpoint.removeprefix("unix://") if self.endpoint.startswith("unix://") else ""
        self._sdk: Any = None

    # --- what a run needs ---------------------------------------------------------------------------------------

    def info(self) -> dict[str, Any]:
        """All that the engine says of itself (GET /info of its API)."""
        return dict(self._ask("GET", "/info"))

    def facts(self) -> Facts:
        info = self.info()
        arch = str(info.get("Architecture", ""))
        return Facts(int(info.get("NCPU") or 0), MACHINES.get(arch, arch), str(info.get("ServerVersion", "")))

    def image_labels(self, tag: str) -> dict[str, str] | None:
        """The labels of an image, or None where there is no such image."""
        image = self._ask("GET", f"/images/{quote(tag)}/json", absent=None)
        return None if image is None else dict((image.get("Config") or {}).get("Labels") or {})

    def containers(self, *labels: str, everything: bool = True) -> list[Container]:
        """Containers with all `labels` (`name` or `name=value`), newest first."""
        filters = quote(json.dumps({"label": list(labels)}))
        found = self._ask("GET", f"/containers/json?all={int(everything)}&filters={filters}")
        return [
            Container(
                name=item["Names"][0].lstrip("/") if item.get("Names") else item["Id"],
                state=item.get("State", ""),
                status=item.get("Status", ""),
                created=int(item.get("Created", 0)),
                image=item.get("Image", ""),
                labels=dict(item.get("Labels") or {}),
                binds=frozenset(str(mount.get("Source", "")) for mount in item.get("Mounts") or []),
            )
            for item in found
        ]

    def mounted(self) -> list[set[str]]:
        """What each of our running containers has mounted of the host."""
        return [set(each.binds) for each in self.containers(AGENT) if each.state not in ("exited", "dead")]

    def remove(self, name: str) -> bool:
        """Kill and remove a container with its anonymous volumes; False where there was none."""
        return self._ask("DELETE", f"/containers/{quote(name)}?force=1&v=1", absent=False, busy=True) is not False

    def networks(self, *labels: str) -> dict[str, str]:
        """The networks with all `labels`: id to owner."""
        filters = quote(json.dumps({"label": list(labels)}))
        found = self._ask("GET", f"/networks?filters={filters}")
        return {item["Id"]: str((item.get("Labels") or {}).get(OWNER, "")) for item in found}

    def remove_network(self, name: str) -> bool:
        """Remove a network; False where there is none, or a container is still on it."""
        return self._ask("DELETE", f"/networks/{quote(name)}", absent=False, busy=False, forbidden=False) is not False

    def kill(self, name: str, signal: str) -> bool:
        """Send a signal to a container's first process; False where it does not run."""
        return (
            self._ask("POST", f"/containers/{quote(name)}/kill?signal={signal}", absent=False, busy=False) is not False
        )

    def stop(self, name: str, seconds: int) -> bool:
        """SIGTERM, and SIGKILL after `seconds`; False where there is no such container."""
        path = f"/containers/{quote(name)}/stop?t={seconds}"
        return self._ask("POST", path, absent=False, wait=seconds + 30) is not False

    def wait_for_exit(self, name: str, seconds: float = 60) -> None:
        """Return when a container ends, or after `seconds`, or where the question cannot be put."""
        with contextlib.suppress(EngineError):
            self._ask("POST", f"/containers/{quote(name)}/wait?condition=next-exit", wait=seconds)

    def exit_of(self, name: str) -> tuple[bool, int | None]:
        """Whether the container ever started, and its exit code if it has ended; it may be gone by now.

        The engine keeps the last 256 events, so after a long run only the end may be left: what died had started.
        """
        filters = quote(json.dumps({"container": [name], "event": ["start", "die"]}))
        now = _unix_time(self._ask("GET", "/info")["SystemTime"])
        started, code = False, None
        for event in self._ask_lines(f"/events?since=0&until={now:.6f}&filters={filters}"):
            started = True
            if event.get("Action") == "die":
                text = (event.get("Actor") or {}).get("Attributes", {}).get("exitCode", "")
                code = int(text) if text.isdigit() else None
        return started, code

    def state_error(self, name: str) -> str:
        """Why a container that exists did not start, in the engine's words, or an empty string."""
        found = self._ask("GET", f"/containers/{quote(name)}/json", absent=None)
        return str(((found or {}).get("State") or {}).get("Error", ""))

    # --- the rest -------------------------------------------------------------------------------------------------

    def images(self, label: str) -> list[str]:
        """The tags of all images with a label."""
        filters = quote(json.dumps({"label": [label]}))
        found = self._ask("GET", f"/images/json?filters={filters}")
        return sorted(tag for item in found for tag in item.get("RepoTags") or [])

    def remove_image(self, tag: str) -> bool:
        """Untag an image and delete what nothing else uses; False where there is none."""
        return self._ask("DELETE", f"/images/{quote(tag)}", absent=False) is not False

    def create_network(self, name: str, labels: dict[str, str]) -> None:
        """A bridge of its own."""
        try:
            self.sdk().networks.create(name, driver="bridge", labels=labels)
        except Exception as error:
            raise _from_sdk(error, self.endpoint) from None

    def start(self, image: str, command: list[str], **options: Any) -> dict[str, str]:
        """Start a container that goes on by itself; its address by network. The options are those of the SDK."""
        try:
            container = self.sdk().containers.run(image, command, detach=True, **options)
            container.reload()
            networks = container.attrs["NetworkSettings"]["Networks"]
            return {name: str(each["IPAddress"]) for name, each in networks.items()}
        except Exception as error:
            raise _from_sdk(error, self.endpoint) from None

    def output_of(self, image: str, command: list[str], **options: Any) -> bytes:
        """What a container that lives for one command prints. The options are those of the SDK."""
        try:
            return bytes(self.sdk().containers.run(image, command, remove=True, **options))
        except Exception as error:
            raise _from_sdk(error, self.endpoint) from None

    def logs(self, name: str, *, follow: bool, tail: int | None) -> Iterator[bytes]:
        """The output of a container, as it comes."""
        try:
            container = self.sdk().containers.get(name)
            stream = container.logs(stream=True, follow=follow, tail="all" if tail is None else tail)
            yield from stream
        except Exception as error:
            raise _from_sdk(error, self.endpoint) from None

    def sdk(self) -> Any:
        """The SDK's client for this engine."""
        if self._sdk is None:
            import docker

            try:
                tls = bool(os.environ.get("DOCKER_TLS_VERIFY") or os.environ.get("DOCKER_CERT_PATH"))
                if tls or self.endpoint == os.environ.get("DOCKER_HOST"):
                    self._sdk = docker.from_env(timeout=60)
                else:
                    self._sdk = docker.DockerClient(base_url=self.endpoint, timeout=60)
            except Exception as error:
                raise _from_sdk(error, self.endpoint) from None
        return self._sdk

    # --- transport --------------------------------------------------------------------------------------------------

    def _ask(self, method: str, path: str, wait: float = 60, **answers: Any) -> Any:
        """The JSON answer to one request. `absent`, `busy`, `forbidden`: what to answer for 404, 409 and 403."""
        status, body = self._exchange(method, path, wait)
        if (key := ANSWERS.get(status, "")) in answers:
            return answers[key]
        if status >= 400:
            raise EngineError("engine", _message(body) or f"answered {status} to {method} {path.partition('?')[0]}")
        return json.loads(body) if body.strip() else None

    def _ask_lines(self, path: str) -> list[dict[str, Any]]:
        status, body = self._exchange("GET", path, 60)
        if status >= 400:
            raise EngineError("engine", _message(body) or f"answered {status}")
        return [json.loads(line) for line in body.splitlines() if line.strip()]

    def _exchange(self, method: str, path: str, wait: float) -> tuple[int, bytes]:
        if self.socket:
            return self._exchange_local(method, path, wait)
        try:
            api = self.sdk().api
            answer = api.request(method, f"{api.base_url}{path}", timeout=wait)
            return int(answer.status_code), bytes(answer.content)
        except EngineError:
            raise
        except Exception as error:
            raise _from_sdk(error, self.endpoint) from None

    def _exchange_local(self, method: str, path: str, wait: float) -> tuple[int, bytes]:
        request = f"{method} {path} HTTP/1.0\r\nHost: docker\r\nContent-Length: 0\r\n\r\n"
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(wait)
                connection.connect(self.socket)
                connection.sendall(request.encode())
                with connection.makefile("rb") as answer:
                    head = answer.readline().split(b" ", 2)
                    while answer.readline().strip():
                        pass
                    return int(head[1]), answer.read()
        except OSError as error:
            raise unreachable(error, self.endpoint) from None
        except (IndexError, ValueError):
            raise EngineError("engine", f"{self.endpoint} does not speak the engine's protocol") from None


def unreachable(error: OSError, endpoint: str) -> NoEngineError:
    """What a failed connection means to a person."""
    path = endpoint.removeprefix("unix://")
    if error.errno == errno.EACCES:
        hint = "add yourself to the group docker (usermod -aG docker NAME, then log in again), or use sudo"
        return NoEngineError("engine", f"no permission on {path}", hint)
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        if find_docker() is None:
            return no_docker()
        return NoEngineError("engine", f"is not running: there is no {path}", "start it: sudo systemctl start docker")
    if error.errno == errno.ECONNREFUSED:
        return NoEngineError(
            "engine", f"is not running: nobody listens on {path}", "start it: sudo systemctl start docker"
        )
    if isinstance(error, TimeoutError):
        return NoEngineError("engine", f"does not answer on {path}", "see its log: journalctl -u docker")
    return NoEngineError("engine", f"{path}: {error.strerror or error}")


def no_docker() -> NoEngineError:
    return NoEngineError("docker", "is not installed, or not on PATH", INSTALL)


def find_docker() -> str | None:
    """The `docker` program."""
    return programs.find("docker")


def compose_missing(text: str) -> EngineError | None:
    """The error for a `docker` without Compose v2, if that is what `text`, its output, says."""
    import re

    if not re.search(r"'compose' is not a docker command|unknown command: docker compose|unknown shorthand flag", text):
        return None
    old = any(os.access(f"{folder}/docker-compose", os.X_OK) for folder in os.environ.get("PATH", "").split(os.pathsep))
    cause = "only Compose v1 (docker-compose) is installed" if old else "its Compose plugin is not installed"
    return EngineError(
        "docker compose", cause, "install Compose v2: package docker-compose-plugin, or docker-compose-v2"
    )


def compose_program() -> list[str]:
    """How to call Compose v2: its plugin itself, where it lies in one of the usual places, else through `docker`.

    `docker compose` asks the plugin who it is before it runs it; calling it directly saves 40 ms of a run.
    Raises EngineError without either.
    """
    own = os.environ.get("DOCKER_CONFIG") or f"{os.environ.get('HOME', '')}/.docker"
    for folder in (f"{own}/cli-plugins", *PLUGIN_FOLDERS):
        path = f"{folder}/docker-compose"
        if path.startswith("/") and os.access(path, os.X_OK):
            return [path]
    if (docker := find_docker()) is None:
        raise no_docker()
    return [docker, "compose"]


def _endpoint() -> str:
    """Where the engine is, by the rules of the `docker` program: DOCKER_HOST, else the context, else the socket."""
    if host := os.environ.get("DOCKER_HOST"):
        return host
    name = os.environ.get("DOCKER_CONTEXT", "")
    if not name:
        folder = os.environ.get("DOCKER_CONFIG") or str(Path(os.environ.get("HOME", "/")) / ".docker")
        with contextlib.suppress(OSError, ValueError, AttributeError):
            name = json.loads(Path(folder, "config.json").read_bytes()).get("currentContext", "")
    if name in ("", "default"):
        return f"unix://{DEFAULT_SOCKET}"
    from docker.context import ContextAPI

    try:
        context = ContextAPI.get_context(name)
    except Exception as error:
        raise EngineError(f"docker context {one_line(name)}", str(error)) from None
    if context is None:
        raise EngineError(f"docker context {one_line(name)}", "does not exist", "docker context ls")
    return str(context.Host)


def _unix_time(stamp: str) -> float:
    """The engine's own clock: a remote one may differ from ours, and a time to come makes /events wait for it."""
    from datetime import datetime

    return datetime.fromisoformat(stamp).timestamp()


def _from_sdk(error: Exception, endpoint: str) -> EngineError:
    if isinstance(error, EngineError):
        return error
    text = one_line(str(getattr(error, "explanation", None) or error))
    if reason := re.search(
        r"\[Errno -?\d+\] ([^'\")]+)", text
    ):  # of a connection, below what three libraries say of it
        hint = "DOCKER_HOST, or the docker context, says where it is"
        return NoEngineError("engine", f"cannot be reached at {endpoint}: {reason[1]}", hint)
    return EngineError("engine", f"{endpoint}: {text}")


def _message(body: bytes) -> str:
    with contextlib.suppress(ValueError, AttributeError):
        return str(json.loads(body).get("message", ""))
    return ""
