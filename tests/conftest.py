"""What holds for every test: with AGENTBOX_MUST_RUN=1 (set by .ci/run) one that does not run is one that failed, and which
tests may run at the same time as others."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Their tests share nothing but what each worker makes for itself; the tests of any other file stay on one worker.
SCATTERED = ("attacks", "js/test_routes.py")
# Those look at all that runs on the engine or change an image: one after the other. The other tests of the engine look at
# their own container, and run beside them.
WHOLE_ENGINE = {
    f"containers/test_{name}.py"
    for name in (
        "broker_faults",
        "doctor_on_engine",
        "session",
        "setup",
        "source_build",
        "verify_on_engine",
        "timeline",
    )
}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if os.environ.get("AGENTBOX_MUST_RUN") == "1" and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"must run, but: {report.longrepr}"
    return report


@pytest.hookimpl(trylast=True)  # the folders' own hooks mark what needs an engine
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        path = item.path.relative_to(HERE).as_posix()
        if item.get_closest_marker("engine"):
            item.add_marker(pytest.mark.xdist_group("engine" if path in WHOLE_ENGINE else "containers"))
        elif not path.startswith(SCATTERED):
            item.add_marker(pytest.mark.xdist_group(path))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Print what a worker had to show (reporting.show)."""
    for line in getattr(node, "workeroutput", {}).get("shown", ()):
        print(line)
