"""The rule that with CI=true nothing is skipped unnoticed, as a pytest plugin."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """With CI=true a skipped test is a failed test, unless it needs a GPU."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        _refuse_skip(report, bool(item.get_closest_marker("gpu")))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    """With CI=true a module that skips itself is an error."""
    report = yield
    if report.skipped:
        _refuse_skip(report, False)
    return report


def _refuse_skip(
    report: pytest.TestReport | pytest.CollectReport, may_skip: bool
) -> None:
    if os.environ.get("CI") == "true" and not may_skip:
        reason = report.longrepr
        if isinstance(reason, tuple):
            reason = reason[2]
        report.outcome = "failed"
        report.longrepr = f"{reason} (with CI=true only GPU tests may be skipped)"
