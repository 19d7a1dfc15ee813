"""What holds for every test: with AGENTBOX_MUST_RUN=1 (set by .ci/run) one that does not run is one that failed, and which
tests may run at the same time as others."""

import os
from collections.abc import Generator
from typing import Any

import pytest

# Their tests share nothing but what each worker makes for itself; the tests of any other file stay on one worker.
SCATTERED = ("attacks", "js/test_routes.py")
# Their tests see each other: the processes of one user and their number, and the host's ports.
HOST = ("native/test_native_", "native/test_verify_native", "containers/test_dashboard", "containers/test_login_ports")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if os.environ.get("AGENTBOX_MUST_RUN") == "1" and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"must run, but: {report.longrepr}"
    return report


def group(nodeid: str) -> str:
    """The tests of one group run on one worker, one after the other."""
    path = nodeid.partition("::")[0].removeprefix("tests/")
    if path.startswith(SCATTERED):
        return nodeid
    return "host" if path.startswith(HOST) else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Not --dist loadgroup, whose groups pytest-xdist 3.8 loses with pytest 9.2."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    return Groups(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Print what a worker had to show (reporting.show)."""
    for line in getattr(node, "workeroutput", {}).get("shown", ()):
        print(line)
