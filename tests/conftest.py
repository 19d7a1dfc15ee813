"""With AGENTBOX_MUST_RUN=1 (set by .ci/run) a test that does not run is a test that failed."""

import os
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if os.environ.get("AGENTBOX_MUST_RUN") == "1" and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"must run, but: {report.longrepr}"
    return report
