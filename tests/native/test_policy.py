"""The policy file: what is accepted, what is refused with which line, and which right a path gets."""

import pytest

from agentbox import vault
from agentbox.vault import Policy, PolicyMalformed, Right

pytestmark = pytest.mark.skipif(not vault.available(), reason="the native parts are not built")

HEAD = "agentbox-vault 1\nexe /usr/bin/node\nvault /agent\n"


def parse(body: str, *, head: str = HEAD, tail: str = "end\n") -> Policy:
    return Policy((head + body + tail).encode("utf-8", "surrogateescape"))


GOOD = parse(
    "script /opt/pi.js\nlink /usr/bin/dash\n# a comment\n\ndeny auth.json\ndeny .env.local\ndeny /agent/pi/private dir\n"
    "read /agent/pi\nwrite /agent/pi/private dir/open\nread /etc/outside\nhide SECRET_*\nhide KEY\nkeep SECRET_OK\naudit /log/a\n"
)

RIGHTS = {
    "/agent/pi": (Right.READ, "/agent/pi"),
    "/agent/pi/": (Right.READ, "/agent/pi"),
    "/agent/pi/x": (Right.READ, "/agent/pi"),
    "/agent/pix": (Right.WRITE, None),
    "/agent": (Right.WRITE, None),
    "/agent/pi/private dir": (Right.DENY, "/agent/pi/private dir"),
    "/agent/pi/private dir/a/b": (Right.DENY, "/agent/pi/private dir"),
    "/agent/pi/private dir/open/a": (Right.WRITE, "/agent/pi/private dir/open"),
    "/agent/pi/private dir/open/auth.json": (Right.DENY, "auth.json"),
    "/agent/pi/./private dir/../private dir//x": (Right.DENY, "/agent/pi/private dir"),
    "/../../agent/pi": (Right.READ, "/agent/pi"),
    "/agent/pi/..": (Right.WRITE, None),
    "/etc/outside": (Right.READ, "/etc/outside"),
    "/etc/outsides": (Right.WRITE, None),
    "auth.json": (Right.DENY, "auth.json"),
    "auth.json/": (Right.DENY, "auth.json"),
    "./a/auth.json/b": (Right.DENY, "auth.json"),
    "auth.jsonl": (Right.WRITE, None),
    "xauth.json": (Right.WRITE, None),
    "/tmp/.env.local": (Right.DENY, ".env.local"),
    "pi/private dir": (Right.WRITE, None),
    "": (Right.WRITE, None),
    "/": (Right.WRITE, None),
    "/..": (Right.WRITE, None),
    "/" + "a/" * 4000: (Right.WRITE, None),
}


@pytest.mark.parametrize("path", RIGHTS, ids=lambda path: path[:40] or "empty")
def test_right_of(path: str) -> None:
    assert GOOD.judge(path) == RIGHTS[path]


def test_a_directory_of_bytes_that_are_no_utf8() -> None:
    policy = parse("deny /agent/\udcff\udcfe\n")
    assert policy.judge(b"/agent/\xff\xfe/x").right is Right.DENY


def test_of_two_rules_for_one_path_the_stricter_wins() -> None:
    for lines in ("write /agent/a\ndeny /agent/a\n", "deny /agent/a\nwrite /agent/a\n"):
        assert parse(lines).judge("/agent/a").right is Right.DENY


def test_hidden_variables() -> None:
    hidden = [
        v for v in ("SECRET_A=1", "SECRET_OK=1", "SECRET_=", "SECRET=1", "KEY=", "KEYS=1", "KEY") if GOOD.hides(v)
    ]
    assert hidden == ["SECRET_A=1", "SECRET_=", "KEY=", "KEY"]


def test_fields() -> None:
    assert (GOOD.exe, GOOD.script, GOOD.vault, GOOD.audit) == ("/usr/bin/node", "/opt/pi.js", "/agent", "/log/a")
    assert parse("").script is None


MALFORMED = {
    "empty": ("", 0, "no end line"),
    "no newline at the end": (HEAD + "end", 4, "without a newline"),
    "no end": (HEAD, 0, "no end line"),
    "half a line": (HEAD + "deny /agent/pi/au", 4, "without a newline"),
    "wrong header": ("agentbox-vault 2\nend\n", 1, "not an agentbox-vault 1 file"),
    "no exe": ("agentbox-vault 1\nvault /agent\nend\n", 0, "no exe line"),
    "no vault": ("agentbox-vault 1\nexe /x\nend\n", 0, "no vault line"),
    "unknown keyword": (HEAD + "allow /x\nend\n", 4, "unknown keyword"),
    "keyword alone": (HEAD + "deny\nend\n", 4, "without a value"),
    "keyword and a space": (HEAD + "deny \nend\n", 4, "without a value"),
    "relative read": (HEAD + "read x\nend\n", 4, "not an absolute path"),
    "relative deny with a slash": (HEAD + "deny a/b\nend\n", 4, "not an absolute path"),
    "dots": (HEAD + "deny /agent/../etc\nend\n", 4, "normal form"),
    "two slashes": (HEAD + "deny /agent//x\nend\n", 4, "normal form"),
    "slash at the end": (HEAD + "deny /agent/\nend\n", 4, "normal form"),
    "dot as a name": (HEAD + "deny ..\nend\n", 4, "not a file name"),
    "second exe": (HEAD + "exe /y\nend\n", 4, "given twice"),
    "text after the end": (HEAD + "end\nwrite /agent\n", 5, "after the end"),
    "NUL": (HEAD + "deny /a\0b\nend\n", 0, "NUL"),
    "long line": (HEAD + "deny /" + "a" * 4096 + "\nend\n", 4, "longer than 4096"),
    "large": (HEAD + "# x\n" * 17000 + "end\n", 0, "64 KiB"),
    "star inside": (HEAD + "hide A*B\nend\n", 4, "environment name"),
    "too many rules": (HEAD + "".join(f"deny /agent/{i}\n" for i in range(257)) + "end\n", 260, "too many"),
    "carriage returns": (HEAD.replace("\n", "\r\n") + "end\r\n", 1, "not an agentbox-vault 1 file"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_policy_is_refused_with_its_line(case: str) -> None:
    text, line, message = MALFORMED[case]
    with pytest.raises(PolicyMalformed, match=message) as caught:
        Policy(text.encode())
    assert caught.value.line == line
