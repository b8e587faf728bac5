"""Runs stale chapters through papermill, and keeps good runs."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import nbformat
import papermill
import psutil
from chapters import BookError, Chapter, chapters, chosen_profile, profile, run_key
from filelock import FileLock, Timeout
from nbformat import NotebookNode

from fersep.storage import build_folder, whole_file
from fersep_book import records

#: Seconds that a chapter may take.
WALL_CLOCK = {"smoke": 600, "cpu": 7200, "gpu": 86400}
#: Chapters that run at one time; larger scales want the whole machine for each.
SIDE_BY_SIDE = {"smoke": 2, "cpu": 1, "gpu": 1}
#: Marks of the chapters that run now.
_running: set[str] = set()


def hold_build() -> AbstractContextManager[Any]:
    """Wait until no other build of this book runs; hold the others off meanwhile."""
    build = build_folder()
    try:
        build.mkdir(parents=True, exist_ok=True)
        lock = FileLock(build / "runner.lock")
        return lock.acquire(timeout=0)
    except Timeout:
        print("Another build of this book is running; waiting for it.", flush=True)
        return lock.acquire()
    except OSError as error:
        raise BookError(
            f"{build} cannot be written ({error.strerror}); name another folder, like "
            "FERSEP_BUILD=~/_build make book."
        ) from None


def run_stale(root: Path, names: Sequence[str] = (), force: bool = False) -> None:
    """Run every chapter whose last good run is not what its sources ask for.

    Raises
    ------
    BookError
        When sources or profile are wrong or chapters fail; one line for each of them.
    """
    parameters, limit = profile(root, chosen_profile()), _time_limit()
    all_chapters = chapters(root)
    unknown = set(names) - {chapter.name for chapter in all_chapters}
    if unknown:
        raise BookError(f"There is no chapter {sorted(unknown)[0]!r} in _toc.yml.")
    restore_records(all_chapters)

    def run(chapter: Chapter) -> str:
        """Run a chapter, if it is stale; return what is wrong with it, or nothing."""
        try:
            run_if_stale(chapter, parameters.get(chapter.name, {}), limit, force)
        except SyntaxError as error:
            place = str(error.filename).removeprefix(f"{root}/")
            return f"{place}, line {error.lineno}: {error.msg}."
        except BookError as error:
            return str(error)
        return ""

    wanted = [each for each in all_chapters if not names or each.name in names]
    first = [chapter for chapter in wanted if not chapter.reads_records]
    with ThreadPoolExecutor(SIDE_BY_SIDE[chosen_profile()]) as pool:
        try:
            failures = [*pool.map(run, first)]
        except BaseException:  # the threads wait for what they have started
            pool.shutdown(wait=False, cancel_futures=True)
            for mark in [*_running]:
                _end_family(mark)
            raise
    for chapter in wanted:
        if chapter.reads_records and any(failures):
            print(f"{chapter.name:24} left out: it reads the records of the others")
        elif chapter.reads_records:
            failures.append(run(chapter))
    if any(failures):
        raise BookError("\n".join(dict.fromkeys(filter(None, failures))))


def _time_limit() -> int:
    """Return the seconds that a chapter may take."""
    given = os.environ.get("FERSEP_TIMEOUT") or str(WALL_CLOCK[chosen_profile()])
    if not given.isdecimal():
        raise BookError(f"FERSEP_TIMEOUT is a number of seconds, not {given!r}.")
    return int(given)


def restore_records(found: Sequence[Chapter]) -> None:
    """Bring the records in step with the last good runs, at the chosen scale."""
    kept = {chapter.record: chapter for chapter in found if read_run(chapter.executed)}
    for chapter in kept.values():
        records.write(chapter.record, records.read(chapter.executed))
    for path in (build_folder() / "records").glob("*.json"):
        if path not in kept:
            path.unlink()


def read_run(path: Path) -> NotebookNode | None:
    """Read a run, if it is there and whole."""
    try:
        return nbformat.read(path, as_version=4)
    except Exception:  # whatever a broken file makes of the reader
        return None


def run_if_stale(
    chapter: Chapter, parameters: dict[str, Any], limit: int, force: bool
) -> None:
    """Run one chapter unless the kept run is what its sources ask for; say how long."""
    key = run_key(chapter, parameters)
    kept = read_run(chapter.executed)
    if kept and kept.metadata.get("fersep", {}).get("key") == key and not force:
        return
    start = time.monotonic()
    outcome = "failed after"
    try:
        run_chapter(chapter, parameters, key, limit)
        outcome = "ran in"
    finally:
        seconds = time.monotonic() - start
        print(f"{chapter.name:24} {outcome} {seconds:.0f} s", flush=True)


def run_chapter(
    chapter: Chapter, parameters: dict[str, Any], key: str, limit: int
) -> None:
    """Run one chapter; keep it and its record if it is good, else say where it stopped.

    Until it has proved good it has the name of a failed run, so that neither a failure
    nor a killed process can touch the last good one.
    """
    chapter.failed.parent.mkdir(parents=True, exist_ok=True)
    chapter.failed.unlink(missing_ok=True)
    error = _papermill(chapter, parameters, limit) or faults(chapter)
    run = read_run(chapter.failed)
    if run is None:  # half a file, if the disk is full
        chapter.failed.unlink(missing_ok=True)
    if error or run is None:
        place = f" See {str(chapter.failed).removeprefix(f'{chapter.root}/')}."
        raise BookError(
            f"{chapter.name} failed: {error.rstrip('.')}."
            + place * (run is not None)
            + no_space()
        )
    run.metadata["fersep"] = {"key": key, "profile": chosen_profile()}
    with whole_file(chapter.executed) as part:
        part.write_text(nbformat.writes(run), "utf-8")
    chapter.failed.unlink()
    records.write(chapter.record, records.read(chapter.executed))


def no_space() -> str:
    """Say which disk is full, if one is."""
    for folder in (build_folder(), Path(tempfile.gettempdir())):
        free = shutil.disk_usage(folder).free / 1e6
        if free < 20:
            return f" The disk of {folder} is full: {free:.0f} MB are free."
    return ""


def faults(chapter: Chapter) -> str:
    """Return what makes a completed run unfit for the book, or nothing."""
    try:
        record = records.read(chapter.failed)
    except ValueError:
        return "it ends without records.save()."
    if record.chapter != chapter.name:
        return f"its record calls it {record.chapter!r}; see records.start()."
    return ""


def _papermill(chapter: Chapter, parameters: dict[str, Any], limit: int) -> str:
    """Run papermill in a process of its own; return what went wrong, or nothing."""
    mark, side_by_side = uuid4().hex, SIDE_BY_SIDE[chosen_profile()]
    order = [str(chapter.source), str(chapter.failed), json.dumps(parameters)]
    with (
        tempfile.TemporaryDirectory(
            prefix="fersep-", ignore_cleanup_errors=True
        ) as scratch,
        # No pipe: what a cell starts would hold it open, and this process with it.
        tempfile.TemporaryFile("w+", encoding="utf-8") as said,
    ):
        process = subprocess.Popen(
            [sys.executable, __file__, *order],
            cwd=chapter.root,
            env={
                "OMP_WAIT_POLICY": "PASSIVE",  # kernels that spin steal shared cores
                "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // side_by_side)),
                **os.environ,
                "FERSEP_STATIC": "1",
                "FERSEP_PROFILE": chosen_profile(),
                "FERSEP_RUN": mark,
                "JUPYTER_RUNTIME_DIR": scratch,
                "TMPDIR": scratch,
                "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            },
            stdout=said,
            stderr=subprocess.DEVNULL,
        )
        _running.add(mark)
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            return f"it took longer than {limit} s; set FERSEP_TIMEOUT to allow more."
        finally:
            _end_family(mark)
            _running.remove(mark)
        said.seek(0)
        answer = said.read()
    ended = f"papermill ended with status {process.returncode}."
    return answer.strip() or ended if process.returncode else ""


def _end_family(mark: str) -> None:
    """End papermill, the kernel, and all they started, in whatever session it is."""
    for _ in range(3):  # one may have started another meanwhile
        running = psutil.process_iter(["environ"])
        family = [
            p for p in running if mark == (p.info["environ"] or {}).get("FERSEP_RUN")
        ]
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=10)


class _Printed:
    """Stands where papermill writes what cells print; too much of it is an error."""

    left = 5_000_000  # characters; a page holds 3 MB

    def write(self, text: str) -> None:
        """Count the text."""
        self.left -= len(text)
        if self.left < 0:
            raise ValueError("its cells print more than 5 MB")

    def flush(self) -> None:
        """Do nothing: no text is kept."""


def _papermill_here(source: str, target: str, parameters: str) -> int:
    """Run one notebook in this process; print one line if a cell raises."""
    try:
        papermill.execute_notebook(
            source,
            target,
            parameters=json.loads(parameters),
            kernel_name="python3",  # that of this Python, whatever the notebook names
            progress_bar=False,
            coalesce_streams=True,
            stdout_file=_Printed(),
            stderr_file=_Printed(),
        )
    except papermill.PapermillExecutionError as error:
        message = " ".join(error.evalue.split())
        print(f"{error.ename} in cell {error.cell_index + 1}: {message}")
        return 1
    except Exception as error:
        # A kernel that died (out of memory) or did not start has no cell to name.
        print(f"{type(error).__name__}: {' '.join(str(error).split())}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_papermill_here(*sys.argv[1:]))
