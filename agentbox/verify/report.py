"""Verdicts as people and programs read them: a table, lines, JSON, JUnit's XML. What a container printed is escaped."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from agentbox import __version__
from agentbox.errors import one_line
from agentbox.verify.catalogue import FAMILIES, Attack
from agentbox.verify.verdict import BREACH, DENIED, LEVELS, REFUSED, UNCLAIMED, UNPROVEN, Verdict

# What XML 1.0 cannot hold; one_line has written out the control characters, but not these.
NO_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")


def counts(verdicts: Sequence[Verdict]) -> list[tuple[str, ...]]:
    """Rows: a family, then for each agent `denied/all`, with what is wrong in words."""
    agents = list(dict.fromkeys(each.agent for each in verdicts))
    rows = []
    for family in (name for name in FAMILIES if any(each.attack.family == name for each in verdicts)):
        cells = [
            _cell([each for each in verdicts if (each.agent, each.attack.family) == (name, family)]) for name in agents
        ]
        rows.append((family, *cells))
    total = [_cell([each for each in verdicts if each.agent == name]) for name in agents]
    return [("", *agents), *rows, ("all", *total)]


def _cell(found: Sequence[Verdict]) -> str:
    if not found:
        return "-"
    level = Counter(each.level for each in found)
    text = f"{level[DENIED]}/{len(found)} denied"
    other = [f"{level[name]} {name}" for name in LEVELS if level[name] and name != DENIED]
    return ", ".join([text, *other])


def lines(verdicts: Sequence[Verdict]) -> list[str]:
    """Two lines for each verdict that is not `denied`, the breaches first."""
    wrong = sorted((each for each in verdicts if each.level != DENIED), key=lambda each: LEVELS.index(each.level))
    found = []
    for each in wrong:
        attack = each.attack
        found.append(f"{each.level}: {each.agent}: {attack.path}: {one_line(attack.says)}")
        found.append(f"    {one_line(each.why)}" + (f"; it printed: {each.output}" if each.output else ""))
    return found


def data(verdicts: Sequence[Verdict], seconds: Mapping[str, float]) -> dict[str, Any]:
    rows = [
        {
            "agent": each.agent,
            **described(each.attack),
            "verdict": each.level,
            "why": each.why,
            "output": each.output,
        }
        for each in verdicts
    ]
    count = Counter(each.level for each in verdicts)
    summary = {name.replace(" ", "_"): count[name] for name in LEVELS}
    return {
        "agentbox": __version__,
        "summary": summary,
        "seconds": {k: round(v, 1) for k, v in seconds.items()},
        "verdicts": rows,
    }


def described(attack: Attack) -> dict[str, Any]:
    return {
        "family": attack.family,
        "name": attack.name,
        "says": attack.says,
        "stopped_by": sorted(attack.stopped_by),
        "source": attack.source,
        "engines": list(attack.engines),
    }


def junit(verdicts: Sequence[Verdict], seconds: Mapping[str, float]) -> bytes:
    """One suite for each agent. A breach is a failure; what was not proven, an error; what could not be tried, or is
    not claimed, is skipped."""
    kinds = {BREACH: "failure", UNPROVEN: "error"}
    root = ElementTree.Element("testsuites", name="agentbox verify")
    for agent in dict.fromkeys(each.agent for each in verdicts):
        own = [each for each in verdicts if each.agent == agent]
        level = Counter(each.level for each in own)
        suite = ElementTree.SubElement(
            root, "testsuite", name=agent, tests=str(len(own)), failures=str(level[BREACH]),
            errors=str(level[UNPROVEN]), skipped=str(level[REFUSED] + level[UNCLAIMED]),
            time=f"{seconds.get(agent, 0):.1f}",
        )  # fmt: skip
        for each in own:
            case = ElementTree.SubElement(
                suite, "testcase", classname=f"{agent}.{each.attack.family}", name=each.attack.name
            )
            if each.level != DENIED:
                kind = kinds.get(each.level, "skipped")
                ElementTree.SubElement(case, kind, message=_xml(each.why)).text = _xml(each.output)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _xml(text: str) -> str:
    return NO_XML.sub("?", one_line(text))
