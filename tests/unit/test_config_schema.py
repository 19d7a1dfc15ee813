"""The JSON Schemas for editors: valid themselves, and never stricter than agentbox."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from jsonschema import Draft7Validator

from agentbox import config_schema
from agentbox.policy import agent_names
from agentbox.policy_load import PACKAGE
from agentbox.policy_schema import KEYS, TABLES

CHECKS = dict.fromkeys(
    [key.check for key in KEYS.values()] + [check for table in TABLES.values() for check in table.keys.values()]
)

# Values of every kind and on both sides of what the checks draw.
POOL: list[Any] = [
    None, True, False, -1, 0, 1, 15, 16, 63, 64, 65535, 65536, 1 << 20, 1 << 31, 0.001, 0.01, 0.5, 4096, 4097.0,
    "", "x", " ", "a b", "a/b", "/", "/x", "/x/", "/x/../y", "//x", "-/x", "~/x", "~x", "é", "a\nb", "a\x7fb", "-x", "*", "X*",
    "-X*", "1bad", "A_B", "512m", "8G", " 1g ", "4095", "4096", "1.5g", "m", "0700", "1777", "7777", "700", "npm", "pip",
    "1.2.3", "-1.2", "v" * 64, "v" * 65, "read", "write", "open", "allowlist", "none", "native", "x-api-key", "x_api", "example.org", "*.example.org",
    "example.org:8443", "192.0.2.1", "host.docker.internal", "a" * 300,
]  # fmt: skip
POOL += [[value] for value in POOL] + [[], ["/x", "-/y"], ["X", 1], {}]
POOL += [
    {"a/b": "/x"},
    {"a": ["b"]},
    {"a/b": "c/d"},
    {"A": "b"},
    {"a b": "c"},
    {"A": 1},
    {"x.example": "192.0.2.1"},
    {"x.example": "y"},
    {"A": "a\nb"},
]


def validator(render: Callable[[], str]) -> Draft7Validator:
    schema = json.loads(render())
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: getattr(check, "__name__", repr(check)))
def test_what_agentbox_accepts_the_schema_accepts(check: Callable[[Any], str]):
    judge = Draft7Validator(config_schema.shape(check))
    accepted = [value for value in POOL if not check(value)]
    refused = [value for value in POOL if check(value)]
    assert [value for value in accepted if not judge.is_valid(value)] == []
    # The control: the pool has what is accepted, and a schema that accepts all would be none.
    assert accepted
    assert [value for value in refused if not judge.is_valid(value)]


@pytest.mark.parametrize("name", ["defaults.toml", *(f"agents/{agent}.toml" for agent in agent_names())])
def test_the_shipped_files_would_do_as_a_users(name: str):
    validator(config_schema.render_user).validate(tomllib.loads((PACKAGE / name).read_text()))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[limits]\npids = 3\n", "limits.pids"),
        ("[limits]\npid = 99\n", "limits"),
        ("[agents.pie]\n", "agents"),
        ("[agents.pi.limits]\npids = 3\n", "agents.pi.limits.pids"),
        ('[[tmpfs]]\nsize = "1m"\n', "tmpfs.0"),
        ('[network]\nmode = "closed"\n', "network.mode"),
    ],
)
def test_mistakes_are_seen_where_they_are(text: str, path: str):
    errors = list(validator(config_schema.render_user).iter_errors(tomllib.loads(text)))
    assert [".".join(map(str, error.path)) for error in errors] == [path]


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("[limits]\npids = 99\n", True),
        ('[vault]\ndeny = ["x"]\n', True),
        ('[vault]\ndeny = ["-auth.json"]\n', False),
        ('[network]\nhosts = ["-pi.dev"]\n', True),
        ('[network]\nhosts = ["evil.example"]\n', False),
        ('[image]\nbase = "evil"\n', False),
        ('[agents.pi.vault]\nwrite = ["/agent"]\n', False),
        ('[[tmpfs]]\npath = "/x"\n', False),
    ],
)
def test_a_projects_schema_has_only_what_tightens(text: str, good: bool):
    found = tomllib.loads(text)
    assert validator(config_schema.render_workspace).is_valid(found) is good
    assert validator(config_schema.render_user).is_valid(found)  # the control: the user may


def test_keys_are_described_by_the_comments_of_the_shipped_file():
    tables = json.loads(config_schema.render_user())["properties"]
    pids = tables["limits"]["properties"]["pids"]
    assert (pids["default"], pids["description"]) == (150, "processes and threads together")
    assert "description" not in tables["limits"]["properties"]["memory"]
    assert tables["mask"]["properties"]["globs"]["description"].startswith("Covered in the mounted folders")
    assert tables["network"]["properties"]["hosts"]["description"].startswith("example.org, *.example.org")


@pytest.mark.parametrize("option", [[], ["--workspace"]])
def test_the_command_prints_it(call, option: list[str]):
    code, out, _ = call("config", "schema", *option)
    assert code == 0
    jsonschema.Draft7Validator.check_schema(json.loads(out))
