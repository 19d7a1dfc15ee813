"""The ruleset that the agent keeps for its tools: used while nothing has changed, and never when something has."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from test_matrix import READERS_BY_START
from vault_world import AUTH, SECRET, SETTINGS, STATE, World, policy

pytestmark = [pytest.mark.vault, pytest.mark.usefixtures("fresh")]

HOWS = ["execv", "vfork", "posix_spawn", "system"]
# -D: strace becomes the agent, and a grandchild of it traces. So the marker's pid is the agent's.
TRACE = ("strace", "-D", "-f", "-qq", "-e", "trace=landlock_add_rule,landlock_restrict_self", "-o", "trace")


def steps(world: World, how: str, *words: str) -> subprocess.CompletedProcess[str]:
    return world.run("./agent", "steps", how, *words, launch=world.preloads)


def calls(world: World, how: str, *words: str) -> str:
    """What Landlock was asked, in order: r for a rule, s for a process that confines itself."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    world.set_policy(policy(world.work / "agent", extra=["link /usr/bin/strace"]))
    try:
        done = world.run(*TRACE, "./agent", "steps", how, *words, launch=True)
    finally:
        world.set_policy(policy(world.work / "agent"))
    assert done.returncode == 0, done.stderr
    names = re.findall(r"landlock_(add_rule|restrict_self)\(", (world.work / "trace").read_text())
    return "".join("r" if name == "add_rule" else "s" for name in names)


@pytest.mark.parametrize("how", HOWS)
def test_rules_are_made_once_while_nothing_changes(worlds: dict[str, World], how: str) -> None:
    asked = calls(worlds["vault"], how, "@settle", "true", "true", "true")
    assert re.fullmatch("r+sss", asked)


@pytest.mark.parametrize("how", HOWS)
def test_rules_are_made_anew_after_a_change(worlds: dict[str, World], how: str) -> None:
    asked = calls(worlds["vault"], how, "@settle", "true", f"@write {STATE}/new text", "true", "@settle", "true")
    assert re.fullmatch("r+sr+s(r+)?s", asked)  # how often depends on how soon


@pytest.mark.parametrize(("reader", "start"), READERS_BY_START)
def test_reader_in_a_kept_domain_is_eacces(worlds: dict[str, World], reader: str, start: str) -> None:
    environment = {"SETTLED": "1"}
    control = worlds["control"].run("./agent", start, f"./{reader}", env=environment)
    assert (control.returncode, SECRET in control.stdout) == (0, True), control.stderr
    done = worlds["vault"].run("./agent", start, f"./{reader}", launch=True, env=environment)
    assert (done.returncode, SECRET in done.stdout) == (1, False), done.stderr


@pytest.mark.parametrize("how", HOWS)
def test_what_the_agent_makes_later_is_there_for_its_tools(worlds: dict[str, World], how: str) -> None:
    new = STATE / "new"
    script = ["@settle", "true", f"@write {new} one", f"cat {new}", "@settle", f"cat {new}", f"@unlink {new}"]
    again = ["@settle", "true", f"@write {new} two", "@settle", f"cat {new}; echo three > {new}; cat {new}"]
    for world in worlds.values():
        assert steps(world, how, *script, *again).stdout == "oneonetwothree\n"


@pytest.mark.parametrize("settled", [(), ("@settle",)], ids=["at once", "later"])
@pytest.mark.parametrize("how", HOWS)
def test_a_granted_file_that_becomes_the_credential_is_granted_no_more(
    worlds: dict[str, World], how: str, settled: tuple[str, ...]
) -> None:
    """The kept ruleset holds the inode; the new one must not."""
    new = STATE / "renewed"
    script = [f"@write {new} {SECRET}", "@settle", "true", f"@rename {new} {AUTH}", *settled, "./read_static"]
    assert SECRET in steps(worlds["control"], how, *script).stdout
    done = steps(worlds["vault"], how, *script)
    assert (SECRET in done.stdout, done.returncode) == (False, 1), done.stderr


@pytest.mark.parametrize("how", HOWS)
def test_a_raised_directory_that_is_replaced_is_granted_no_more(worlds: dict[str, World], how: str) -> None:
    """extensions/cache may be written to, inside extensions that may not: moved away, it is as closed as they are."""
    old, cache = STATE / "extensions/old", STATE / "extensions/cache"
    first, second = f"./write_static {cache}/tool; echo $?", f"./write_static {old}/tool; echo $?"
    script = ["@settle", first, f"@rename {cache} {old}", "@settle", second]
    assert steps(worlds["control"], how, *script).stdout == "0\n0\n"
    assert steps(worlds["vault"], how, *script).stdout == "0\n1\n"


@pytest.mark.parametrize("how", HOWS)
def test_a_weaker_ruleset_under_the_same_number_is_not_enough(worlds: dict[str, World], how: str) -> None:
    script = ["@settle", "true", "@weaker", "./read_static"]
    assert SECRET in steps(worlds["control"], how, *script).stdout
    done = steps(worlds["vault"], how, *script)
    assert (SECRET in done.stdout, done.returncode) == (False, 1), done.stderr


@pytest.mark.parametrize("how", HOWS)
def test_a_state_that_changes_all_the_time_stays_closed(worlds: dict[str, World], how: str) -> None:
    script = ["@churn", *["./read_static"] * 200, f"cat {STATE}/history; echo x 2>&1 >> {SETTINGS}"]
    done = steps(worlds["vault"], how, *script)
    assert SECRET not in done.stdout
    assert done.stdout.startswith("allowed content\n")
    assert worlds["vault"].read(SETTINGS) == '{"theme": "dark"}'
