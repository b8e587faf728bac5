"""The order of the tests, and what they share."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from fersep_book.paper import browser_path
from playwright.sync_api import Browser, sync_playwright

# Some tests fork, and a forked child waits forever for the threads of its parent.
# Chapters run in processes of their own and keep all cores.
torch.set_num_threads(1)

# The tests say themselves which profile they run.
os.environ.pop("FERSEP_PROFILE", None)

#: The test that asks for a chapter, and the process that runs all of these.
CHAPTER_TEST = "test_chapter_runs"
CHAPTERS_RUN = pytest.StashKey[subprocess.Popen[str]]()


def build_apart() -> None:
    """Build in a folder of the tests, which shares drawn faces and trained networks."""
    book = Path(os.environ["FERSEP_BUILD"])  # which fersep_book sets
    own = book / "test" / "_build"
    if not own.exists() and (book / "executed").exists():
        shutil.copytree(book / "executed", own / "executed")
    own.mkdir(parents=True, exist_ok=True)
    for name in ("data", "runs"):
        (book / name).mkdir(exist_ok=True)
        with suppress(FileExistsError):
            (own / name).symlink_to(f"../../{name}")
    os.environ["FERSEP_BUILD"] = str(own)


build_apart()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests: units, chapters, site. What is cheap fails first."""

    def rank(item: pytest.Item) -> int:
        if item.get_closest_marker("site"):
            return 2
        return 1 if item.get_closest_marker("chapters") else 0

    items.sort(key=rank)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Run the chapters under test while the units, which take one core, are tested."""
    runs = [i for i in session.items if getattr(i, "originalname", "") == CHAPTER_TEST]
    if not runs or session.config.option.collectonly:
        return
    order = ["nice", "-n", "10", sys.executable, "book/_ext/commands.py", "run"]
    order += [item.callspec.params["chapter"].name for item in runs]
    session.config.stash[CHAPTERS_RUN] = subprocess.Popen(
        order,
        cwd=session.config.rootpath,
        env={**os.environ, "FERSEP_PROFILE": "smoke"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave no run behind where the tests end early."""
    run = session.config.stash.get(CHAPTERS_RUN, None)
    if run and run.poll() is None:
        run.terminate()
        run.communicate()


@pytest.fixture(scope="session")
def chapters_said(request: pytest.FixtureRequest) -> str:
    """Wait for the run of all chapters under test, and return its errors."""
    return request.config.stash[CHAPTERS_RUN].communicate()[1]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip the tests marked `gpu` on a machine without one."""
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Let nothing be skipped unnoticed where CI=true.

    Except what needs a GPU, or faces where an empty FERSEP_FACES says there are none.
    """
    report = yield
    excused = hasattr(report, "wasxfail") or item.get_closest_marker("gpu")
    if item.get_closest_marker("faces") and os.environ.get("FERSEP_FACES") == "":
        excused = True
    if report.skipped and os.environ.get("CI") == "true" and not excused:
        report.outcome = "failed"
        report.longrepr = f"{report.longrepr[2]} (with CI=true nothing may be skipped)"
    return report


@pytest.fixture(scope="session")
def faces() -> Path:
    """Return the folder of real faces named by FERSEP_FACES."""
    named = os.environ.get("FERSEP_FACES", "")
    if not named or not Path(named).is_dir():
        pytest.skip(f"FERSEP_FACES names no folder of real faces: {named!r}")
    return Path(named)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the Chromium of this machine once."""
    program = browser_path()
    if program is None:
        pytest.skip("no Chromium on this machine: see `make browser`")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
