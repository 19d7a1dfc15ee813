"""The native engine's broker, when it ends before its agent does."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import psutil
import pytest
from fake_model import FakeModel
from native_box import OWN_HOST, NativeBox

pytestmark = [pytest.mark.npm, pytest.mark.slow]

SECONDS = 240
ASK = "curl -s -o /dev/null -w '%{http_connect}\\n' --max-time 20 https://unlisted.example/"


def start(box: NativeBox, script: str) -> subprocess.Popen[str]:
    words = ("shell", "pi", "--engine", "native", "--network", "allowlist", "--quiet")
    return box.start(*words, "--", "bash", "-c", script)


def brokers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            found += [child] if "--rules" in child.cmdline() else []
        except psutil.NoSuchProcess:
            continue
    return found


def wait_for(path: Path) -> None:
    end = time.monotonic() + SECONDS
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_one_that_crashed_comes_back_with_its_rules(box: NativeBox) -> None:
    with FakeModel([]) as model:
        host = f"{OWN_HOST}:{model.url.rpartition(':')[2]}"
        ask = f"curl -s -o /dev/null -w '%{{http_code}}\\n' --max-time 20 http://{host}/"
        process = start(box, f"{ask}; touch asked; while [ ! -e go ]; do sleep 0.05; done; {ask}; echo end")
        wait_for(box.workspace / "asked")
        assert box.agentbox("allow", host).stderr.endswith("; 1 running now\n")
        for each in brokers(process):
            each.kill()
        (box.workspace / "go").touch()
        out, _ = process.communicate(timeout=SECONDS)
    assert (process.returncode, out[-12:]) == (0, "403\n200\nend\n")  # the first start installs pi, and says so


def test_one_that_is_gone_for_good_ends_the_agent_with_a_line_of_why(box: NativeBox) -> None:
    script = f"{ASK}; touch asked; sleep 3; echo end"
    out, _ = (control := start(box, script)).communicate(timeout=SECONDS)
    assert (control.returncode, out[-8:]) == (0, "403\nend\n"), "the control fails"

    process = start(box, f"touch started; {script.replace('sleep 3', 'sleep 300')}")
    wait_for(box.workspace / "started")
    end = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < end:
        for each in brokers(process):
            each.kill()
        time.sleep(0.02)
    out, _ = process.communicate(timeout=1)
    assert process.returncode == 125
    assert "end\n" not in out
    assert "agentbox: broker: is gone (ended with " in out
    assert "Hint: its log is " in out
