"""With CI=true nothing but a GPU test may be skipped: the rule, tested on itself."""

from pathlib import Path

import pytest

RULE = Path(__file__).with_name("no_skips.py").read_text("utf-8")
TESTS = """
import pytest

def test_skips():
    pytest.skip("no faces here")

@pytest.mark.gpu
def test_needs_a_gpu():
    pytest.skip("needs a CUDA device")

def test_runs():
    pass
"""


@pytest.fixture
def session(pytester):
    pytester.makeini("[pytest]\nmarkers =\n    gpu: needs a CUDA device")
    pytester.makeconftest(RULE)
    pytester.makepyfile(TESTS)
    return pytester


def test_skip_is_a_failure_with_ci(session, monkeypatch):
    monkeypatch.setenv("CI", "true")
    result = session.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=1, skipped=1)
    result.stdout.fnmatch_lines(["*no faces here*only GPU tests may be skipped*"])


def test_skip_is_a_skip_without_ci(session, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    result = session.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, skipped=2)


def test_module_that_skips_itself_is_an_error_with_ci(session, monkeypatch):
    monkeypatch.setenv("CI", "true")
    session.makepyfile(
        test_other="import pytest\npytest.importorskip('no_such_module')"
    )
    result = session.runpytest_subprocess("-p", "no:cacheprovider", "test_other.py")
    result.assert_outcomes(errors=1)
