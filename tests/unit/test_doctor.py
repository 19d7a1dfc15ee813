"""`agentbox doctor` on a machine where all is well, and on the same machine broken in one way at a time."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pty
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from agentbox import authority, compose, doctor, identity, images, policy
from agentbox import engine as engines
from agentbox.doctor import kernel
from agentbox.doctor.finding import World, size
from agentbox.engine import INPUTS, Engine, Facts
from agentbox.native import landlock, layout

GIB = 1 << 30
UID = 1000 if os.geteuid() == 0 else os.geteuid()
PROBE = {
    "landlock": 7,
    "io_uring": -errno.EPERM,
    "status": {"NoNewPrivs": "1", "Seccomp": "2", "CapBnd": "0000000000000000", "Uid": f"{UID}\t{UID}\t{UID}\t{UID}"},
    "uid_map": "         0          0 4294967295",
    "limits": {"pids": "71", "memory": str(192 << 20), "swap": "0", "cpu": "50000 100000"},
}
DOCKER = """
case "$1 $2" in
"compose version") echo v2.26.1;;
"buildx version") echo github.com/docker/buildx v0.13.1 abc;;
*) exit 1;;
esac
"""


def mine(path: Path) -> Path:
    """Give it to the user that the agents run as."""
    if os.geteuid() == 0:
        os.chown(path, UID, UID, follow_symlinks=False)
    return path


def folder(home: Path, name: str, mode: int = 0o700) -> Path:
    path = home
    for part in Path(name).parts:
        path /= part
        if not path.exists():
            path.mkdir(mode=0o700)
            mine(path)
    path.chmod(mode)
    return path


def file(home: Path, name: str, text: str = "x", mode: int = 0o600) -> Path:
    path = folder(home, str(Path(name).parent)) / Path(name).name
    path.write_text(text)
    path.chmod(mode)
    return mine(path)


AUTHORITY: dict[str, bytes] = {}
DIGESTS: dict[str, str] = {}


def digests(who: identity.Identity) -> dict[str, str]:
    """All images, by name. Their user's authority is part of them: the first test's is every test's, so they are worked out once."""
    for path in authority.folder(who).iterdir():
        path.write_bytes(AUTHORITY.setdefault(path.name, path.read_bytes()))
    if not DIGESTS:
        for agent in policy.agent_names():
            found = images.recipes(policy.load(agent), who, Facts(2, "amd64"))
            DIGESTS.update({each.tag: each.digest for each in (found.base, found.egress, found.agent)})
    return DIGESTS


@dataclass
class Machine:
    """What the tests break. `see` runs doctor: the exit code, and the findings of one id that are not ok."""

    home: Path
    fake: object
    patch: pytest.MonkeyPatch
    docker: Callable[[str], Path]
    call: Callable[..., tuple[int, str, str]]
    probe: dict
    info: dict

    def see(self, name: str, *options: str) -> tuple[int, list[dict]]:
        code, out, err = self.call("doctor", "--json", *options)
        assert err == ""
        found = [each for each in json.loads(out)["findings"] if each["level"] != "ok"]
        assert code == any(each["level"] == "error" for each in found)
        assert all(each["fix"] and each["why"] for each in found), found
        return code, [each for each in found if each["id"] == name]


@pytest.fixture
def machine(  # noqa: PLR0917  a world is made of worlds
    home, engine, docker, call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Machine:
    for name in [name for name in os.environ if name.lower().endswith(("_proxy", "_api_key", "_bundle", "_cert_file"))]:
        monkeypatch.delenv(name)
    for name in ("NODE_EXTRA_CA_CERTS", "PIP_CERT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOST_UID", str(UID))
    monkeypatch.setattr(engines, "PLUGIN_FOLDERS", ())
    monkeypatch.setattr(psutil, "disk_usage", lambda path: SimpleNamespace(free=100 * GIB))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=20 * GIB, total=24 * GIB))
    docker(DOCKER)
    probe, info = json.loads(json.dumps(PROBE)), engine.answers["GET /info"][1] | {
        "ServerVersion": "28.1.0", "OperatingSystem": "Debian", "KernelVersion": os.uname().release,
        "MemTotal": 24 * GIB, "DockerRootDir": str(tmp_path), "SecurityOptions": ["name=seccomp,profile=builtin"],
    }  # fmt: skip
    engine.answers["GET /info"] = (200, info)
    engine.answers["GET /containers/json"] = engine.answers["GET /networks"] = (200, [])
    monkeypatch.setattr(Engine, "output_of", lambda *_, **__: json.dumps(probe).encode())
    who = identity.current()
    folder(home, ".local/state/agentbox")
    for name, digest in digests(who).items():
        engine.answers[f"GET /images/{name}/json"] = (200, {"Config": {"Labels": {INPUTS: digest}}})
    return Machine(home, engine, monkeypatch, docker, call, probe, info)


def test_nothing_is_wrong_with_a_good_machine(machine: Machine):
    """The control of all that follows."""
    code, out, _ = machine.call("doctor")
    assert (code, out.splitlines()[-1].partition(",")[0]) == (0, "0 errors")
    assert "warning " not in out, out
    assert machine.call("doctor", "--quiet")[1].count("\n") == 1
    assert not list(machine.home.rglob(".pi")), "a doctor changes nothing unasked"


# --- the engine -----------------------------------------------------------------------------------------------------------


def without_docker(machine: Machine) -> None:
    tools = machine.home / "tools"
    tools.mkdir()
    (tools / "git").symlink_to("/usr/bin/git")
    machine.patch.setenv("PATH", str(tools))
    machine.patch.setenv("DOCKER_HOST", f"unix://{machine.home}/none.sock")


def test_no_docker(machine: Machine):
    without_docker(machine)
    file(machine.home, ".pi/agent/auth.json", mode=0o644)
    code, found = machine.see("engine.reach")
    assert code == 1
    assert found[0]["what"] == "docker: is not installed, or not on PATH"
    assert "install Docker Engine" in found[0]["fix"]
    # All that needs no engine is still looked at.
    assert machine.see("state.pi.credential")[1]
    assert {"host.disk.home", "kernel.landlock", "credentials.claude", "configuration.user", "leftovers"} <= {
        each["id"] for each in json.loads(machine.call("doctor", "--json")[1])["findings"]
    }


def test_engine_that_is_down(machine: Machine):
    machine.patch.setenv("DOCKER_HOST", f"unix://{machine.home}/none.sock")
    _, found = machine.see("engine.reach")
    assert "is not running" in found[0]["what"]
    assert found[0]["fix"] == "start it: sudo systemctl start docker"


@pytest.mark.parametrize(
    ("wanted", "abi", "code"), [("auto", 1, 0), ("native", 1, 0), ("docker", 1, 1), ("auto", 0, 1)]
)
def test_no_engine_is_an_error_only_where_the_native_one_does_not_take_its_place(
    machine: Machine, wanted: str, abi: int, code: int
):
    machine.patch.setenv("DOCKER_HOST", f"unix://{machine.home}/none.sock")
    machine.patch.setattr(landlock, "abi", lambda: abi)
    file(machine.home, ".config/agentbox/config.toml", f'engine = "{wanted}"\n')
    found = [each for each in doctor.examine(World()) if each.id == "engine.reach"]
    assert [each.level == "error" for each in found] == [bool(code)]
    assert ("native engine" in found[0].why) != bool(code)


def test_an_installation_without_compiled_parts_has_no_native_engine(machine: Machine):
    machine.patch.setenv("DOCKER_HOST", f"unix://{machine.home}/none.sock")
    machine.patch.setattr(layout, "lib", lambda _: None)
    code, found = machine.see("native.parts")
    assert (code, "no compiled parts" in found[0]["what"], "python3-dev" in found[0]["fix"]) == (1, True, True)
    assert machine.see("native.sandbox")[1] == []


def refuse(*_: object) -> None:
    raise PermissionError(errno.EACCES, "Permission denied")


def test_no_permission_on_the_socket(machine: Machine):
    machine.patch.setattr(socket.socket, "connect", refuse)
    _, found = machine.see("engine.reach")
    assert "no permission on" in found[0]["what"]
    assert "usermod -aG docker" in found[0]["fix"]


def test_no_permission_since_the_login_is_older_than_the_group(machine: Machine):
    import grp
    import pwd

    name = pwd.getpwuid(os.geteuid()).pw_name
    machine.patch.setattr(grp, "getgrnam", lambda _: SimpleNamespace(gr_mem=[name], gr_gid=987654))
    machine.patch.setattr(socket.socket, "connect", refuse)
    assert "newgrp docker" in machine.see("engine.reach")[1][0]["fix"]


def test_socket_for_everybody(machine: Machine):
    Path(os.environ["DOCKER_HOST"].removeprefix("unix://")).chmod(0o666)
    assert machine.see("engine.socket")[1][0]["fix"].startswith("sudo chmod 0660 ")


def test_old_engine(machine: Machine):
    machine.info["ServerVersion"] = "19.03.15"
    assert machine.see("engine.version")[0] == 1


def test_engine_without_seccomp(machine: Machine):
    machine.info["SecurityOptions"] = []
    assert machine.see("engine.seccomp")[1][0]["level"] == "error"


def test_rootless_engine(machine: Machine):
    machine.info["SecurityOptions"].append("name=rootless")
    machine.probe["uid_map"] = f"0 {UID} 1\n1 100000 65536"
    assert machine.see("engine.kind")[1][0]["what"] == "the engine is rootless"
    code, found = machine.see("kernel.users")
    assert code == 1
    assert f"UID {UID} is UID {99999 + UID} outside" in found[0]["what"]


def test_docker_desktop_maps_users_by_itself(machine: Machine):
    machine.info |= {"OperatingSystem": "Docker Desktop", "KernelVersion": "6.10.14-linuxkit"}
    machine.probe["uid_map"] = "0 100000 65536"
    assert machine.call("doctor")[0] == 0
    assert "virtual machine" in machine.call("doctor")[1]


def test_selinux(machine: Machine):
    machine.info["SecurityOptions"].append("name=selinux")
    assert machine.see("engine.selinux")[1]


# --- programs -------------------------------------------------------------------------------------------------------------


def test_only_compose_v1(machine: Machine):
    out = machine.docker(
        DOCKER.replace("echo v2.26.1", "echo \"docker: 'compose' is not a docker command.\" >&2; exit 1")
    )
    v1 = out.parent / "bin/docker-compose"
    v1.write_text("#!/bin/sh\n")
    v1.chmod(0o755)
    code, found = machine.see("programs.compose")
    assert code == 1
    assert "only Compose v1" in found[0]["what"]


def test_no_buildx(machine: Machine):
    machine.docker(DOCKER.replace("echo github.com/docker/buildx v0.13.1 abc", "exit 1"))
    code, found = machine.see("programs.buildx")
    assert code == 0
    assert "docker-buildx" in found[0]["fix"]


def test_compose_that_hangs(machine: Machine):
    machine.patch.setattr("agentbox.doctor.programs.SECONDS", 0.2)
    machine.docker(DOCKER.replace("echo v2.26.1", "exec sleep 30"))
    assert "no answer" in machine.see("programs.compose")[1][0]["what"]


# --- the kernel, as a container has it --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("abi", "level", "word"),
    [
        (6, "ok", "ABI 6"), (5, "warning", "does not cover signals and abstract sockets"),
        (1, "warning", "does not cover device ioctls, signals"), (-errno.ENOSYS, "error", "built without"),
        (-errno.EOPNOTSUPP, "error", "not enabled at boot"), (-errno.EPERM, "error", "seccomp filter"),
    ],
)  # fmt: skip
def test_landlock(machine: Machine, abi: int, level: str, word: str):
    machine.probe["landlock"] = abi
    found = [each for each in doctor.examine(World()) if each.id == "kernel.landlock"]
    assert (found[0].level, len(found)) == (level, 1)
    assert word in found[0].what


def test_no_landlock_with_paranoid_mode_off(machine: Machine):
    machine.probe["landlock"] = -errno.ENOSYS
    machine.patch.setenv("PARANOID_MODE", "false")
    code, found = machine.see("kernel.landlock")
    assert (code, found[0]["level"]) == (0, "warning")
    assert "static programs" in found[0]["why"]
    assert machine.see("host.paranoid")[1]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"io_uring": -errno.EFAULT}, "profile is not applied"),
        ({"status": PROBE["status"] | {"NoNewPrivs": "0"}}, "no_new_privs is off"),
        ({"status": PROBE["status"] | {"Seccomp": "0"}}, "seccomp is off"),
        ({"status": PROBE["status"] | {"CapBnd": "00000000a80425fb"}}, "capabilities are left"),
        ({"status": PROBE["status"] | {"Uid": "0\t0\t0\t0"}}, "the process is root"),
    ],
)
def test_hardening_that_does_not_arrive(machine: Machine, change: dict, word: str):
    machine.probe |= change
    code, found = machine.see("kernel.seccomp")
    assert code == 1
    assert word in found[0]["what"]


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [("pids", "max", 1), ("pids", None, 1), ("memory", "9223372036854771712", 1), ("cpu", "max 100000", 0),
     ("cpu", "-1", 0), ("swap", "max", 0), ("swap", None, 0)],
)  # fmt: skip
def test_limits_without_effect(machine: Machine, name: str, value: str | None, code: int):
    machine.probe["limits"][name] = value
    assert machine.see(f"kernel.limits.{name}")[0] == code
    assert machine.see(f"kernel.limits.{name}")[1]


def test_no_image_to_ask_in(machine: Machine):
    for name in [name for name in machine.fake.answers if name.startswith("GET /images/")]:
        del machine.fake.answers[name]
    machine.info["PidsLimit"] = False
    assert machine.see("kernel.container")[1][0]["fix"] == "agentbox build"
    assert machine.see("kernel.limits.pids")[0] == 1


def test_container_that_does_not_start(machine: Machine):
    def fail(*_: object, **__: object) -> bytes:
        raise engines.EngineError("engine", "OCI runtime create failed")

    machine.patch.setattr(Engine, "output_of", fail)
    assert "OCI runtime" in machine.see("kernel.container")[1][0]["what"]


def test_users_outside_of_a_namespace():
    assert [kernel.mapped("0 1000 1\n1 100000 65536", uid) for uid in (0, 1, 1000, 70000)] == [
        1000,
        100000,
        100999,
        None,
    ]


# --- images, host, certificates ---------------------------------------------------------------------------------------------


def test_stale_image(machine: Machine):
    machine.fake.answers["GET /images/local/dev-pi/json"] = (200, {"Config": {"Labels": {INPUTS: "old"}}})
    _, found = machine.see("images.stale")
    assert found[0]["what"].endswith("configuration: pi")
    assert found[0]["fix"] == "agentbox build pi"


def test_images_of_another_authority_and_none_made_by_looking(machine: Machine):
    (machine.home / ".local/state/agentbox/ca").rename(machine.home / "elsewhere")
    assert "another broker's authority" in machine.see("images.stale")[1][0]["what"]
    assert not (machine.home / ".local/state/agentbox/ca").exists()


def test_full_disk(machine: Machine):
    machine.patch.setattr(psutil, "disk_usage", lambda path: SimpleNamespace(free=300 << 20))
    code, found = machine.see("host.disk.images")
    assert code == 1
    assert "300 MiB free" in found[0]["what"]
    machine.patch.setattr(psutil, "disk_usage", lambda path: SimpleNamespace(free=3 * GIB))
    assert machine.see("host.disk.home")[1][0]["level"] == "warning"


def test_no_inodes(machine: Machine):
    machine.patch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_favail=3, f_files=1000))
    assert "only 3 files more" in machine.see("host.disk.home")[1][0]["what"]


def test_memory_limit_above_the_machine(machine: Machine):
    machine.info["MemTotal"] = 4 * GIB
    assert machine.see("host.memory")[1][0]["fix"].endswith('memory = "3072m"')
    machine.patch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=GIB // 2, total=4 * GIB))
    assert machine.see("host.memory.free")[1]


def test_root_without_a_user(machine: Machine):
    machine.patch.delenv("HOST_UID")
    machine.patch.setattr(os, "geteuid", lambda: 0)
    code, found = machine.see("host.user")
    assert code == 1
    assert "set HOST_UID" in found[0]["fix"]


def test_proxy_on_loopback_is_named_without_its_password(machine: Machine):
    machine.patch.setenv("HTTPS_PROXY", "http://me:hunter2@127.0.0.1:3128")
    assert "127.0.0.1:3128" in machine.see("host.proxy.HTTPS_PROXY")[1][0]["what"]
    machine.patch.setenv("HTTPS_PROXY", "http://me:hunter2@proxy.example:3128")
    assert machine.see("host.proxy.HTTPS_PROXY")[1] == []
    assert "hunter2" not in machine.call("doctor")[1]
    machine.patch.setenv("HTTPS_PROXY", "http://[::1:x")
    assert machine.see("host.proxy.HTTPS_PROXY")[0] == 1


@pytest.mark.parametrize(("text", "word"), [(None, "No such file"), ("hello", "no PEM certificate")])
def test_ca_bundle_that_is_none(machine: Machine, text: str | None, word: str):
    path = machine.home / "ca.pem"
    if text:
        path.write_text(text)
    machine.patch.setenv("AGENTBOX_CA_BUNDLE", str(path))
    assert word in machine.see("certificates.bundle")[1][0]["what"]


def test_certificates_that_only_the_host_has(machine: Machine):
    machine.patch.setenv("SSL_CERT_FILE", "/corporate.pem")
    assert machine.see("certificates.bundle")[1][0]["fix"] == 'export AGENTBOX_CA_BUNDLE="$SSL_CERT_FILE"'


def test_expired_ca_bundle(machine: Machine):
    import datetime

    import trustme

    path = machine.home / "ca.pem"
    path.write_bytes(trustme.CA().cert_pem.bytes())
    machine.patch.setenv("AGENTBOX_CA_BUNDLE", str(path))
    assert machine.see("certificates.bundle")[1] == []
    later = SimpleNamespace(datetime=SimpleNamespace(now=lambda _: datetime.datetime(4000, 1, 1, tzinfo=datetime.UTC)),
                            UTC=datetime.UTC)  # fmt: skip
    machine.patch.setattr("agentbox.doctor.authorities.datetime", later)
    assert "have expired" in machine.see("certificates.bundle")[1][0]["what"]
    assert machine.see("certificates.broker")[0] == 1


def test_key_of_the_broker_that_others_can_read(machine: Machine):
    key = machine.home / ".local/state/agentbox/ca/ca.key"
    key.chmod(0o644)
    assert machine.see("certificates.key")[0] == 1
    assert machine.see("certificates.key", "--fix") == (0, [])
    assert key.stat().st_mode & 0o777 == 0o600


# --- configuration, state, credentials, leftovers ---------------------------------------------------------------------------


def test_bad_configuration_does_not_hide_the_rest(machine: Machine):
    path = file(machine.home, ".config/agentbox/config.toml", "[limits]\npids = 3\nmemory = 3\n")
    code, found = machine.see("configuration.user")
    assert code == 1
    assert [each["what"].partition(": ")[0] for each in found] == [f"{path}:2", f"{path}:3"]
    assert any(each.id == "state.pi.missing" for each in doctor.examine(World()))


def test_project_that_loosens(machine: Machine):
    Path(".agentbox.toml").write_text('[image]\nbase = "evil"\n')
    assert ".agentbox.toml:2: image.base may not be set" in machine.see("configuration.project")[1][0]["what"]


def test_broken_list_of_allowed_hosts(machine: Machine):
    file(machine.home, ".config/agentbox/allowed.toml", "[[allow]]\n")
    assert machine.see("configuration.allowed")[0] == 1


def test_what_the_users_file_takes_away_is_not_forgotten(machine: Machine):
    text = '[network]\nmode = "open"\n[vault]\nwrite = ["/agent/pi/agent"]\n[mask]\nglobs = ["-.env"]\n[agents.pi.env.set]\nOPENAI_API_KEY = "sk-hunter2"\n'
    path = file(machine.home, ".config/agentbox/config.toml", text)
    _, found = machine.see("configuration.weakened")
    assert f'{path}:2: claude: network.mode is "open"' in [each["what"] for each in found]
    assert f"{path}:6: pi: mask.globs lacks .env" in [each["what"] for each in found]
    assert f"{path}:4: pi: vault.write has /agent/pi/agent" in [each["what"] for each in found]
    assert f"{path}:8: pi: env.set holds OPENAI_API_KEY" == machine.see("configuration.secret")[1][0]["what"]
    assert "hunter2" not in machine.call("doctor")[1]


def test_state_of_somebody_else(machine: Machine):
    folder(machine.home, ".pi")
    machine.patch.setenv("HOST_UID", str(UID + 1))
    code, found = machine.see("state.pi.owner")
    assert code == 1
    assert found[0]["fix"] == f"sudo chown -R {UID + 1}:1000 {machine.home}/.pi"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to make files of another user")
def test_files_of_root_deep_in_a_state(machine: Machine):
    path = file(machine.home, ".pi/agent/sessions/old.jsonl")
    assert machine.see("state.pi.owner")[1] == []
    os.chown(path, 0, 0)
    assert f"{path} belongs to UID 0" in machine.see("state.pi.owner")[1][0]["what"]


def test_a_home_that_cannot_be_written(machine: Machine):
    able, home = os.access, machine.home
    machine.patch.setattr(os, "access", lambda path, mode: Path(path) != home and able(path, mode))
    code, (found,) = machine.see("state.pi")
    assert (code, found["level"], found["fixable"]) == (1, "error", False)
    assert f"{home} cannot be written" in found["what"]


def test_fix_closes_what_is_open_and_makes_what_is_missing(machine: Machine):
    state = folder(machine.home, ".claude", 0o755)
    key = file(machine.home, ".pi/agent/auth.json", mode=0o644)
    assert machine.see("state.claude.mode")[1]
    assert machine.see("state.pi.credential")[1]
    code, out, _ = machine.call("doctor", "--fix")
    assert code == 0
    assert f"fixed: chmod 700 {state}" in out
    assert f"fixed: chmod 600 {key}" in out
    assert (state.stat().st_mode & 0o777, key.stat().st_mode & 0o777) == (0o700, 0o600)
    assert (machine.home / ".hermes").stat().st_uid == UID
    assert "fixed:" not in machine.call("doctor", "--fix")[1]


@pytest.mark.parametrize("has", ["image", "installation", "configuration"])
def test_fix_makes_directories_for_agents_that_are_used_alone(machine: Machine, has: str):
    for name in policy.agent_names():
        used = has == "image" and name == "hermes"
        if not used:
            machine.fake.answers.pop(f"GET /images/{compose.tag(identity.current(), name)}/json")
    if has == "installation":
        folder(machine.home, ".cache/agentbox/hermes")
    elif has == "configuration":
        file(machine.home, ".config/agentbox/config.toml", "[agents.hermes.limits]\npids = 100\n")

    out = machine.call("doctor", "--fix")[1]

    made = [line.rpartition("/")[2] for line in out.splitlines() if line.startswith("fixed: mkdir")]
    assert made == [".hermes"]
    assert not [name for name in (".pi", ".claude", ".local/share/opencode") if (machine.home / name).exists()]


def test_fix_follows_no_link_out_of_the_state(machine: Machine):
    folder(machine.home, ".pi/agent")
    outside = file(machine.home, "outside", mode=0o644)
    (machine.home / ".pi/agent/auth.json").symlink_to(outside)
    mine(machine.home / ".pi/agent/auth.json")
    code, found = machine.see("state.pi.link", "--fix")
    assert code == 1
    assert "its target is not protected" in found[0]["why"]
    assert outside.stat().st_mode & 0o777 == 0o644


def test_hard_link_to_a_credential(machine: Machine):
    key = file(machine.home, ".pi/agent/auth.json")
    assert machine.see("state.pi.link")[1] == []
    (machine.home / "second").hardlink_to(key)
    assert "second name" in machine.see("state.pi.link")[1][0]["what"]


@pytest.mark.parametrize("what", ["file", "dangling", "locked"])
def test_state_that_is_no_usable_directory(machine: Machine, what: str):
    path = machine.home / ".pi"
    if what == "file":
        file(machine.home, ".pi")
    elif what == "dangling":
        path.symlink_to(machine.home / "gone")
    else:
        folder(machine.home, ".pi", 0o500)
    assert machine.see("state.pi.mode" if what == "locked" else "state.pi")[0] == 1


def test_credentials_are_named_and_never_shown(machine: Machine):
    machine.patch.setenv("ANTHROPIC_API_KEY", "sk-ant-hunter2")
    file(machine.home, ".pi/agent/auth.json", '{"key": "sk-ant-hunter3"}')
    text = '[[credential]]\nname = "OPENAI_API_KEY"\nhosts = ["api.openai.com"]\nfile = "~/key"\n'
    file(machine.home, ".config/agentbox/config.toml", text)
    out = machine.call("doctor")[1] + machine.call("doctor", "--json")[1]
    assert "pi: present: env ANTHROPIC_API_KEY / file ~/key (missing) / file ~/.pi/agent/auth.json" in out
    assert "claude: present: env ANTHROPIC_API_KEY\n" in out
    assert "hunter" not in out


def test_leftovers_are_named_and_removed(machine: Machine):
    run = folder(machine.home, ".local/state/agentbox/run/0123")
    owner = f"{2**22 + 1}:1:{socket.gethostname()}"  # no such pid can be
    file(machine.home, ".local/state/agentbox/run/0123/owner", owner)
    container = {"Names": ["/agentbox-pi-9"], "Id": "9", "Created": int(time.time()),
                 "Labels": {"io.agentbox.owner": owner}}  # fmt: skip
    machine.fake.answers["GET /containers/json"] = (200, [container])
    _, found = machine.see("leftovers")
    assert [each["what"].split()[0] for each in found] == ["agentbox-pi-9", str(run)]
    machine.fake.answers["DELETE /containers/agentbox-pi-9"] = (204, b"")
    out = machine.call("doctor", "--fix")[1]
    assert f"fixed: removed {run}" in out
    assert "fixed: removed agentbox-pi-9" in out
    assert not run.exists()


def test_a_run_that_lives_is_no_leftover(machine: Machine):
    from agentbox import owner

    folder(machine.home, ".local/state/agentbox/run/0123")
    file(machine.home, ".local/state/agentbox/run/0123/owner", owner.current())
    assert machine.see("leftovers", "--fix")[1] == []
    assert (machine.home / ".local/state/agentbox/run/0123").exists()


# --- the doctor himself -----------------------------------------------------------------------------------------------------


def test_control_characters_do_not_reach_the_terminal(machine: Machine):
    machine.info["OperatingSystem"] = "Debian\x1b]52;c;cHduZWQ=\x07\nerror   forged: line"
    out = machine.call("doctor")[1]
    assert "\x1b" not in out
    assert "\x07" not in out
    assert not any(line.startswith("error ") for line in out.splitlines())


def test_a_check_that_fails_keeps_no_other_from_being_made(machine: Machine):
    def fail(_: object) -> None:
        raise RuntimeError("odd")

    before = {each.id for each in doctor.examine(World())}
    machine.patch.setitem(doctor.CHECKS, "host", fail)
    after = {each.id: each for each in doctor.examine(World())}
    assert before - set(after) == {name for name in before if name.startswith("host.")}
    assert (after["host.failed"].level, "RuntimeError: odd" in after["host.failed"].what) == ("error", True)


@pytest.mark.parametrize(("extra", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_a_table_in_colours(machine: Machine, extra: dict[str, str], coloured: bool):
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "200", **extra}
    done = subprocess.Popen([sys.executable, "-m", "agentbox", "doctor"], stdout=theirs, env=environ)
    os.close(theirs)
    out = b""
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while part := os.read(ours, 4096):
            out += part
    os.close(ours)
    assert done.wait() in (0, 1)
    assert (b"\x1b[32mok" in out) is coloured
    assert b"engine.reach" in out


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0.0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (25 * GIB, "25 GiB"), (1 << 50, "1024 TiB")]
)
def test_sizes(number: int, text: str):
    assert size(number) == text
