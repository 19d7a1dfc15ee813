"""The merged policy: what one agent may do, as plain values. Nothing here reads a file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from agentbox.hosts import Host


class Image(NamedTuple):
    """How the base image is made. `ca_bundle` is a file of PEM certificates, or empty."""

    base: str
    packages: tuple[str, ...]
    ca_bundle: str


class Limits(NamedTuple):
    """Bounds of one container: `pids` counts processes and threads, `memory` is bytes."""

    pids: int
    memory: int
    cpus: float
    nofile: int


class Tmpfs(NamedTuple):
    """A writable place that is not on the host. `size` is bytes; `why` says why `executable` is on."""

    path: str
    size: int
    mode: str
    executable: bool
    why: str


class Package(NamedTuple):
    """What is installed: `manager` is npm or pip, which knows `extras`."""

    manager: str
    name: str
    version: str
    extras: tuple[str, ...] = ()


class Command(NamedTuple):
    """How the agent is started and by what the vault knows it. `script` is empty unless `exe` is an interpreter."""

    argv: tuple[str, ...]
    exe: str
    script: str
    version: tuple[str, ...]


class Plugins(NamedTuple):
    """For an agent that reads its plugins from one folder, which the variable names: where its `own` are in what is
    installed (a glob), and what in the library is the guard. Empty for all others."""

    own: str
    guard: str
    variable: str


class Native(NamedTuple):
    """What an image has besides, for the native engine to lay out: files of containers/ by their name in the library,
    links by their name in /etc. `programs`: by its Debian package, each that the host should have (names, places)."""

    library: Mapping[str, str]
    etc: Mapping[str, str]
    programs: Mapping[str, list[str]]


class StateDir(NamedTuple):
    """A directory that outlives the container: `host` and `link` are below the two homes, `path` is the mount."""

    host: str
    path: str
    link: str


class Vault(NamedTuple):
    """Rights of the tools below `tree` (docs/internals.md, "The vault's policy file")."""

    tree: str
    deny: tuple[str, ...]
    read: tuple[str, ...]
    write: tuple[str, ...]


class Tools(NamedTuple):
    """The agent's own tools as the in-process guards see them: `read` only read files, `spawn` start a process, where
    the vault is. Any other that names a file is taken to write it."""

    read: tuple[str, ...]
    spawn: tuple[str, ...]


class MaskRules(NamedTuple):
    """Which files and folders of a workspace are covered: `globs` less `spared`, but nothing in folders called as in
    `skip`. More than `entries` are not searched."""

    globs: tuple[str, ...]
    spared: tuple[str, ...]
    skip: tuple[str, ...]
    entries: int


class Environment(NamedTuple):
    """Names taken from the host (`passed`, `secret`), names kept from the tools (`secret` and `hide`, less `keep`), and
    fixed values."""

    passed: tuple[str, ...]
    secret: tuple[str, ...]
    hide: tuple[str, ...]
    keep: tuple[str, ...]
    fixed: Mapping[str, str]


class Allowed(NamedTuple):
    """A host as a policy names it (agentbox.hosts), and the file that does."""

    host: Host
    source: str


class Network(NamedTuple):
    """What is reachable. `setup` is added in `agentbox setup`; `addresses` are names that are not looked up."""

    mode: str
    allowed: tuple[Allowed, ...]
    setup: tuple[Allowed, ...]
    addresses: Mapping[str, str]


class Credential(NamedTuple):
    """A key that the broker puts in place of a placeholder, in `headers` and `query` parameters of requests to `hosts`.

    `name` is the variable that holds it on the host, unless `file` or `keyring` (a service there) does.
    """

    name: str
    hosts: tuple[str, ...]
    headers: tuple[str, ...]
    query: tuple[str, ...]
    prefix: str
    file: str
    keyring: str


class Port(NamedTuple):
    """A port published on the host's loopback when asked for: by `name`, or those called login-... by --login."""

    name: str
    host: int
    container: int

    @property
    def for_login(self) -> bool:
        """Whether it is one where a browser brings a provider's answer."""
        return self.name.startswith("login-")


class Policy(NamedTuple):
    """Everything about one agent. `engine` is auto, docker or native, which takes the agent on PATH where it is to
    `use_installed`; `hooks` is what tools may do with git's: read or write. `origin` maps a key (`limits.pids`) to the
    files that set it, last one winning."""

    agent: str
    title: str
    homepage: str
    image: Image
    limits: Limits
    tmpfs: tuple[Tmpfs, ...]
    links: tuple[str, ...]
    package: Package
    command: Command
    native: Native
    plugins: Plugins
    state: tuple[StateDir, ...]
    vault: Vault
    guard: tuple[str, ...]
    tools: Tools
    frames: tuple[str, ...]
    mask: MaskRules
    hooks: str
    engine: str
    use_installed: bool
    env: Environment
    network: Network
    credentials: tuple[Credential, ...]
    ports: tuple[Port, ...]
    origin: Mapping[str, tuple[str, ...]]

    def published(self, names: Collection[str]) -> list[Port]:
        """The ports of these names."""
        return [port for port in self.ports if port.name in names]
