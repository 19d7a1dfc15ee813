"""Who runs, where state goes, what is cleaned, and what an image is made of."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from agentbox import identity, images, owner, policy, state, versions
from agentbox.cli import update_
from agentbox.engine import Engine, Facts
from agentbox.errors import StateError, UsageError

OWN = {"HOME": "/home/own"}


def test_own_user():
    found = identity.current({**OWN, "REAL_USER": "Ann.Other_X", "HOST_GID": "9"}, euid=1234)
    assert (found.uid, found.name, found.home) == (1234, "Ann.Other_X", Path("/home/own"))
    assert found.tag == "ann.other_x"


def test_sudo_means_the_caller():
    found = identity.current({"HOME": "/root", "SUDO_UID": "1", "SUDO_GID": "1", "SUDO_USER": "daemon"}, euid=0)
    assert (found.uid, found.gid, found.name) == (1, 1, "daemon")
    assert found.home != Path("/root")


def test_explicit_numbers_win_over_sudo():
    env = {"SUDO_UID": "1", "SUDO_GID": "1", "HOST_UID": "77", "HOST_GID": "78", "REAL_USER": "x"}
    found = identity.current({**OWN, **env}, euid=0)
    assert (found.uid, found.gid) == (77, 78)


@pytest.mark.parametrize(
    "env", [{}, {"HOST_UID": "0"}, {"SUDO_UID": "0"}, {"HOST_UID": "-1"}, {"HOST_UID": "99999999999"}]
)
def test_root_and_nonsense_are_refused(env: dict[str, str]):
    with pytest.raises(UsageError):
        identity.current({**OWN, **env}, euid=0)


@pytest.mark.parametrize("name", ["...", "-", "ÄÖ", "_.-"])
def test_tag_of_an_odd_name_is_still_a_tag(name: str):
    assert identity.Identity(5, 5, name, Path("/")).tag == "uid5"


def test_state_is_private_and_parents_are_made(home: Path):
    who = identity.Identity(os.geteuid(), os.getegid(), "dev", home)
    before = os.umask(0)
    try:
        paths = state.prepare(policy.load("opencode"), who)
    finally:
        os.umask(before)
    assert len(paths) == 4
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o700 for path in (*paths, home / ".local", home / ".local/share"))


def test_existing_state_is_left_alone(home: Path):
    (home / ".pi").mkdir(mode=0o755)
    (home / ".pi" / "file").write_text("x")
    state.prepare(policy.load("pi"), identity.Identity(os.geteuid(), os.getegid(), "dev", home))
    assert stat.S_IMODE((home / ".pi").stat().st_mode) == 0o755
    assert (home / ".pi" / "file").read_text() == "x"


@pytest.mark.parametrize("kind", ["file", "loop", "dangling", "below a file"])
def test_state_that_is_no_directory_is_refused(home: Path, kind: str):
    path = home / ".pi"
    if kind == "file":
        path.touch()
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "dangling":
        path.symlink_to(home / "nowhere")
    else:
        (home / "f").touch()
        path.symlink_to(home / "f" / "x")
    with pytest.raises(StateError):
        state.prepare(policy.load("pi"), identity.Identity(os.geteuid(), os.getegid(), "dev", home))


def test_a_folder_of_agentbox_s_own_that_is_refused_is_no_agents_state(home: Path, monkeypatch):
    own = identity.current().own_state / "audit"
    look = os.stat

    def refuse(path: object, **words: Any) -> os.stat_result:
        if path == own:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return look(path, **words)

    monkeypatch.setattr(os, "stat", refuse)
    with pytest.raises(StateError, match="Permission denied") as raised:
        state.make_dir(own, identity.current())
    assert "XDG" in raised.value.hint


def test_what_a_tool_did_with_chmod_is_undone(home: Path):
    """No Landlock domain refuses chmod: a credential that everybody may read, a directory that nobody may enter."""
    folder, credential = home / ".pi/agent", home / ".pi/agent/auth.json"
    folder.mkdir(parents=True)
    credential.write_text("{}")
    credential.chmod(0o644)
    folder.chmod(0o000)
    state.tighten(policy.load("pi"), identity.Identity(os.geteuid(), os.getegid(), "dev", home))
    assert (folder.stat().st_mode & 0o777, credential.stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_credential_that_is_a_symlink_is_not_followed(home: Path):
    elsewhere = home / "elsewhere"
    elsewhere.write_text("")
    elsewhere.chmod(0o644)
    (home / ".pi/agent").mkdir(parents=True)
    (home / ".pi/agent/auth.json").symlink_to(elsewhere)
    state.tighten(policy.load("pi"), identity.Identity(os.geteuid(), os.getegid(), "dev", home))
    assert elsewhere.stat().st_mode & 0o777 == 0o644


def test_state_of_another_user_is_refused(home: Path):
    (home / ".pi").mkdir(mode=0o700)
    with pytest.raises(StateError, match="belongs to UID"):
        state.prepare(policy.load("pi"), identity.Identity(os.geteuid() + 1, 54321, "dev", home))


def test_owner_is_alive_only_as_the_same_process_on_this_host():
    own = owner.current()
    pid, start, host = own.split(":")
    assert not owner.gone(own)
    assert owner.gone(f"{pid}:1{start}:{host}")
    assert not owner.gone(f"{pid}:1{start}:elsewhere")
    free = next(number for number in range(4_000_000, 1, -1) if not psutil.pid_exists(number))
    assert owner.gone(f"{free}:1:{socket.gethostname()}")
    assert not owner.gone("nonsense")
    assert not owner.gone(f"{pid}:nonsense:{host}")
    assert not owner.gone(f"{pid}:1780000000:{host}")  # as written by an older agentbox, whose session goes on


def test_a_clock_that_is_set_makes_no_owner_another():
    """A start is counted from the boot, of which there is one number."""
    ticks, _, boot = owner.current().split(":")[1].partition(".")
    assert ticks == Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    assert boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_without_proc_a_start_is_as_unique(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "BOOT_ID", Path("/nowhere"))
    own = owner.current()
    assert abs(float(own.split(":")[1]) - psutil.Process().create_time()) < 1
    assert not owner.gone(own)


def test_who_does_not_exist_has_no_start() -> None:
    free = next(pid for pid in range(2, 1 << 22) if not Path(f"/proc/{pid}").exists())
    for look in (owner._started, owner._started_elsewhere):
        with pytest.raises(ProcessLookupError):
            look(free)


def test_clean_removes_what_a_dead_owner_left(home: Path, engine):
    dead, live = f"{os.getpid()}:1.0:{socket.gethostname()}", owner.current()
    engine.answers["GET /containers/json"] = (
        200,
        [
            {"Names": [f"/{name}"], "Labels": {"io.agentbox.owner": text}}
            for name, text in (("dead", dead), ("live", live))
        ],
    )
    engine.answers["DELETE /containers/dead"] = (204, b"")
    labels = {"n1": dead, "n2": live}
    networks = [{"Id": name, "Labels": {"io.agentbox.owner": text}} for name, text in labels.items()]
    engine.answers["GET /networks"] = (200, networks)
    engine.answers["DELETE /networks/n1"] = (204, b"")
    who = identity.current()
    roots = (owner.run_root(who), who.secrets)
    for root, (name, text) in itertools.product(roots, (("d", dead), ("l", live))):
        (root / name / "keys").mkdir(parents=True)
        (root / name / "keys/ONE").touch()
        (root / name / "owner").write_text(text)
    assert owner.clean(Engine(), who) == ["dead", "network n1", *(str(root / "d") for root in roots)]
    assert [path.name for root in roots for path in root.iterdir()] == ["l", "l"]


FACTS = Facts(2, "amd64")


def test_digest_tells_versions_users_and_packages_apart(home: Path):
    who = identity.current()
    pi = policy.load("pi")
    found = images.recipes(pi, who, FACTS)
    newer = images.recipes(versions.apply(pi, who, {"pi": "9.9.9"}), who, FACTS)
    other = images.recipes(pi, identity.Identity(1001, 1000, "dev", home), FACTS)
    assert images.recipes(pi, who, FACTS).agent.digest == found.agent.digest
    assert newer.base.digest == found.base.digest
    assert newer.agent.digest != found.agent.digest
    assert other.agent.digest != found.agent.digest
    assert newer.egress.digest == other.egress.digest == found.egress.digest


def test_an_image_that_trusts_another_authority_is_another(home: Path):
    who = identity.current()
    before = images.recipes(policy.load("pi"), who, FACTS)
    shutil.rmtree(who.own_state / "ca")
    after = images.recipes(policy.load("pi"), who, FACTS)
    assert (before.agent.digest != after.agent.digest, before.base.digest == after.base.digest) == (True, True)


def test_first_starts_at_once_have_one_authority(home: Path):
    code = "from agentbox import authority, identity; print(authority.certificate(identity.current()).read_text())"
    command = [sys.executable, "-c", code]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = {process.communicate()[0] for process in started}
    assert [text[:28] for text in said] == ["-----BEGIN CERTIFICATE-----\n"]


def test_another_cpu_builds_the_vault_from_source(home: Path):
    base = images.recipes(policy.load("pi"), identity.current(), Facts(2, "riscv64")).base
    assert base.arguments["VAULT_FROM"] == "source"
    assert not any(name.startswith("lib/") for name in base.files)
    assert any(name.startswith("csrc/") for name in base.files)


def test_image_is_stale_without_the_label_or_with_another(home: Path, engine):
    agent = images.recipes(policy.load("pi"), identity.current(), FACTS).agent
    assert images.stale(Engine(), agent)
    path = f"GET /images/{agent.tag}/json"
    for label, expected in (("old", True), (agent.digest, False)):
        engine.answers[path] = (200, {"Config": {"Labels": {"io.agentbox.inputs": label}}})
        assert images.stale(Engine(), agent) is expected


def test_ca_bundle_by_precedence(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pem = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
    for name in ("option", "variable", "node"):
        (tmp_path / name).write_bytes(b"-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n" + pem)
    pi = policy.load("pi")
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(tmp_path / "node"))
    assert images.ca_bundle(None, pi) == tmp_path / "node"
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", "/" + "x" * 300)  # looking at it fails, as in a closed folder
    assert images.ca_bundle(None, pi) is None
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(tmp_path / "node"))
    (tmp_path / "node").write_bytes(b"")
    with pytest.raises(UsageError, match=f"NODE_EXTRA_CA_CERTS {tmp_path}/node: holds no PEM certificate"):
        images.ca_bundle(None, pi)
    monkeypatch.setenv("AGENTBOX_CA_BUNDLE", str(tmp_path / "variable"))
    assert images.ca_bundle(None, pi) == tmp_path / "variable"
    assert images.ca_bundle(str(tmp_path / "option"), pi) == tmp_path / "option"
    assert images.certificates(tmp_path / "option", "x") == pem + b"\n"
    with pytest.raises(UsageError, match="No such file"):
        images.ca_bundle(str(tmp_path / "none"), pi)


def test_versions_are_remembered_and_forgotten(home: Path):
    who = identity.Identity(os.geteuid() or 1000, os.getegid() or 1000, "dev", home)
    pi = policy.load("pi")
    versions.remember(who, {"pi": "9.9.9", "claude": "8.8.8"})
    assert versions.apply(pi, who, {}).package.version == "9.9.9"
    assert versions.apply(pi, who, {"pi": "7.7.7"}).package.version == "7.7.7"
    versions.remember(who, {"pi": "pinned"})
    assert versions.apply(pi, who, {}).package.version == pi.package.version
    assert versions.remembered(who) == {"claude": "8.8.8"}


def test_the_users_file_wins_over_a_remembered_version(home: Path, tmp_path: Path):
    who = identity.Identity(os.geteuid() or 1000, os.getegid() or 1000, "dev", home)
    versions.remember(who, {"pi": "9.9.9"})
    (tmp_path / "config.toml").write_text('[agents.pi.package]\nversion = "5.5.5"\n')
    assert versions.apply(policy.load("pi", tmp_path / "config.toml"), who, {}).package.version == "5.5.5"


@pytest.mark.parametrize(
    "words",
    [
        ["update", "claude", "pi"],
        ["build", "--version-of", "pi=6.6.6"],
        ["run", "--version-of", "pi=6.6.6"],
        ["run", "--version-of", "pi=pinned"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("way", ["docker", "native"])
def test_no_other_version_is_taken_where_the_users_file_sets_one(call, home: Path, engine, words: list[str], way: str):
    if words[0] != "build":
        words = [*words, "--engine", way]
    file = home / ".config/agentbox/config.toml"
    file.parent.mkdir(parents=True)
    file.write_text('[agents.pi.package]\nversion = "5.5.5"\n')
    code, _, err = call(*words)
    assert (code, err.startswith(f"agentbox: {file}: package.version sets the version of pi")) == (2, True), err
    assert engine.asked == []
    assert not versions.remembered(identity.current())


def test_update_of_all_leaves_out_what_the_users_file_sets(call, home: Path, monkeypatch: pytest.MonkeyPatch):
    file = home / ".config/agentbox/config.toml"
    file.parent.mkdir(parents=True)
    file.write_text('[agents.pi.package]\nversion = "5.5.5"\n')
    monkeypatch.setattr(update_, "_update", lambda found, *_: {policy.agent: "9.9.9" for policy in found})
    code, out, err = call("update")
    assert (code, [line.split()[0] for line in out.splitlines()]) == (0, ["claude", "hermes", "opencode"])
    assert f"pi stays 5.5.5, which {file} sets" in err
