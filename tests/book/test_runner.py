"""The runner: what is stale, what is kept, and what a failure leaves behind."""

import json
import subprocess
import time

import nbformat
import psutil
import pytest
from fersep_book.records import RECORD_MIME
from filelock import FileLock

pytestmark = pytest.mark.chapters


def ran(done: subprocess.CompletedProcess) -> list[str]:
    """Return the chapters that a command ran."""
    lines = done.stdout.splitlines()
    return sorted(line.split()[0] for line in lines if " ran in " in line)


def test_every_chapter_ran_and_sources_stay_without_outputs(clean):
    for name in ("01_first", "02_second", "status"):
        assert clean.executed(name).is_file()
        assert json.loads(clean.record(name).read_text())["chapter"] == name
        source = nbformat.read(clean.path("book", f"{name}.ipynb"), as_version=4)
        assert not any(cell.get("outputs") for cell in source.cells)


def test_nothing_changed_nothing_runs(book):
    html = book.path("_build", "html", "book", "01_first.html")
    before = html.stat().st_mtime_ns
    done = book.command("book")
    assert done.returncode == 0
    assert done.stdout == "Open _build/html/index.html\n"
    assert html.stat().st_mtime_ns == before


STEP = "book/fersep_book/step.py"


@pytest.mark.parametrize(
    ("name", "old", "new", "stale"),
    [
        # The status follows because the record of the first chapter changed.
        (STEP, "return 1", "return 2", ["01_first", "status"]),
        (STEP, "One step.", "A single step.", []),
        (STEP, "return 1", "return 1  # not two", []),
        ("book/02_second.ipynb", "size + 1", "size + 2", ["02_second"]),
    ],
)
def test_only_a_change_of_code_reruns_what_it_reaches(book, name, old, new, stale):
    book.replace(name, old, new)
    assert ran(book.command("run")) == stale


def test_a_new_result_reruns_what_draws_from_the_evidence(book):
    reading = "from fersep_book import evidence"
    book.replace("book/02_second.ipynb", "total = size + 1", reading)
    assert ran(book.command("run")) == ["02_second"]
    assert ran(book.command("run")) == []
    result = book.path("results", "some", "exact-0.npz")
    result.parent.mkdir(parents=True)
    result.write_bytes(b"one")
    assert ran(book.command("run")) == ["02_second"]


def test_changed_prose_makes_a_new_page_without_a_run(book):
    book.replace("book/02_second.ipynb", "2 · Second", "2 · Another name")
    done = book.command("book")
    assert done.returncode == 0, done.stderr
    assert ran(done) == []
    assert "Another name" in book.page("02_second")


def test_changed_lock_reruns_everything(book):
    book.path("requirements.lock").write_text("torch==0\n")
    assert ran(book.command("run")) == ["01_first", "02_second", "status"]


def test_each_profile_keeps_its_own_runs(book):
    book.path("book", "profiles", "cpu.yml").write_text("02_second: {size: 8}\n")
    done = book.command("run", FERSEP_PROFILE="cpu")
    assert ran(done) == ["01_first", "02_second", "status"]
    assert json.loads(book.record("02_second").read_text())["parameters"]["size"] == 8
    assert ran(book.command("run")) == []  # the smaller book is still there
    assert json.loads(book.record("02_second").read_text())["parameters"]["size"] == 3


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "02_second: {sizes: 8}",
            ["02_second has no parameter 'sizes'", "size (int)"],
        ),
        ("02_second: {rate: 1e-3}", ["no parameter 'rate' that can be '1e-3'"]),
        ("02_second: {size: 2.5}", ["no parameter 'size' that can be 2.5"]),
        ("02_second: {size: true}", ["no parameter 'size' that can be True"]),
        ("03_third: {size: 2}", ["no chapter '03_third'"]),
    ],
)
def test_wrong_profile_is_refused_before_anything_runs(book, line, words):
    book.path("book", "profiles", "smoke.yml").write_text(line + "\n")
    done = book.command("run", "--force")
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    for word in ["book/profiles/smoke.yml", *words]:
        assert word in done.stderr


def test_unknown_profile_and_chapter_are_refused(book):
    done = book.command("run", FERSEP_PROFILE="huge")
    assert done.returncode == 1
    assert done.stderr == (
        "There is no profile 'huge'; the profiles are smoke, cpu, gpu.\n"
    )
    done = book.command("run", "09_ninth")
    assert done.returncode == 1
    assert done.stderr == "There is no chapter '09_ninth' in _toc.yml.\n"


def test_failing_chapter_keeps_the_last_good_run(book):
    good = book.executed("01_first").read_bytes()
    record = book.record("01_first").read_bytes()
    book.replace("book/01_first.ipynb", "steps = step()", "steps = 1 / 0 + step()")
    done = book.command("run")
    assert done.returncode == 1
    assert done.stderr == (
        "01_first failed: ZeroDivisionError in cell 4: division by zero. "
        "See _build/executed/smoke/01_first.failed.ipynb.\n"
    )
    assert book.executed("01_first").read_bytes() == good
    assert book.record("01_first").read_bytes() == record
    assert book.executed("01_first").with_suffix(".failed.ipynb").is_file()
    assert list(book.executed("01_first").parent.glob(".*")) == []


def test_failing_chapter_does_not_stop_the_next_but_stops_the_status(book):
    book.change_cell("01_first", "1 / 0")
    done = book.command("run", "--force")
    assert ran(done) == ["02_second"]
    assert "status" in done.stdout
    assert "left out" in done.stdout


@pytest.mark.parametrize(
    ("source", "tags", "words"),
    [
        ("records.save = print", [], "it ends without records.save()."),
        ("1 / 0", ["raises-exception"], "ZeroDivisionError in cell 4"),
        ("records.check('a', 'two', size, 2)", [], "AssertionError in cell 4: two: "),
        ("records.start('07_toy', globals())", [], "its record calls it '07_toy'"),
        ("import os; os._exit(3)", [], "DeadKernelError"),
    ],
)
def test_unfit_run_fails_the_chapter(book, source, tags, words):
    before = book.record("02_second").read_bytes()
    book.change_cell("02_second", source, *tags)
    done = book.command("run")
    assert done.returncode == 1
    assert f"02_second failed: {words}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert book.record("02_second").read_bytes() == before


def test_wall_clock_ends_a_chapter_and_its_kernel(book):
    book.change_cell("02_second", SLEEP)
    done = book.command("run", FERSEP_TIMEOUT="9")
    assert done.returncode == 1
    assert "02_second failed: it took longer than 9 s" in done.stderr
    assert "FERSEP_TIMEOUT" in done.stderr
    kernel = int(book.path("pid").read_text())
    # A zombie is dead too: in a container nobody may be there to bury it.
    running = [p.pid for p in psutil.process_iter() if p.status() != "zombie"]
    assert kernel not in running


SLEEP = """\
import os, time, pathlib
pathlib.Path('pid').write_text(str(os.getpid()))
time.sleep(60)
"""


def test_killed_runner_leaves_nothing_half_written(book):
    good = book.executed("02_second").read_bytes()
    record = book.record("02_second").read_bytes()
    book.change_cell("02_second", SLEEP)
    runner = book.start("run")
    pid = book.path("pid")
    deadline = time.monotonic() + 60
    while not pid.is_file() and time.monotonic() < deadline:
        time.sleep(0.2)
    family = psutil.Process(runner.pid).children(recursive=True)
    runner.kill()
    runner.communicate()
    for member in family:
        member.kill()
    assert book.executed("02_second").read_bytes() == good
    assert book.record("02_second").read_bytes() == record
    kept = book.path("_build", "records").iterdir()
    assert [path.suffix for path in kept] == [".json"] * 3
    book.change_cell("02_second", "total = size")
    assert ran(book.command("run")) == ["02_second"]


def test_two_builds_never_run_kernels_at_once(book):
    book.replace("book/02_second.ipynb", "total = size + 1", "total = size + 2")
    with FileLock(book.path("_build", "runner.lock")):
        second = book.start("run")
        assert "Another build" in second.stdout.readline()
        assert second.poll() is None
    rest, _ = second.communicate(timeout=60)
    assert "02_second" in rest
    assert second.returncode == 0


def test_lost_record_comes_back_without_a_run(book):
    record = book.record("01_first").read_bytes()
    book.record("01_first").unlink()
    assert ran(book.command("run")) == []
    assert book.record("01_first").read_bytes() == record


def test_own_papermill_run_touches_no_record(book):
    before = {p: p.read_bytes() for p in book.path("_build", "records").iterdir()}
    done = book.run(
        "papermill", "book/02_second.ipynb", "mine.ipynb", "-p", "size", "9"
    )
    assert done.returncode == 0, done.stderr
    assert RECORD_MIME in book.path("mine.ipynb").read_text("utf-8")
    after = {p: p.read_bytes() for p in book.path("_build", "records").iterdir()}
    assert after == before


def test_student_book_has_no_solutions(book):
    book.change_cell("01_first", None, "solution", "hide-cell")
    assert book.command("student").returncode == 0
    text = book.path("_build", "student", "01_first.ipynb").read_text("utf-8")
    assert "fersep_book.step" not in text
    assert "records.save()" in text


def test_pages_show_what_papermill_injected_and_no_record(book):
    book.path("book", "profiles", "smoke.yml").write_text("02_second: {size: 8}\n")
    assert book.command("book").returncode == 0
    page = book.page("02_second")
    assert "tag_injected-parameters" in page
    assert "vnd.fersep" not in page
