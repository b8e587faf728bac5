"""Runs stale chapters through papermill, one kernel at a time, and keeps good runs."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import nbformat
import papermill
import psutil
from chapters import BookError, Chapter, chapters, profile, run_key
from filelock import FileLock, Timeout

from fersep.storage import whole_file
from fersep_book import records

#: Seconds that a chapter may take.
WALL_CLOCK = {"smoke": 600, "cpu": 7200, "gpu": 86400}


def run_stale(
    root: Path, profile_name: str, names: Sequence[str] = (), force: bool = False
) -> None:
    """Run every chapter whose last good run is not what its sources ask for.

    Raises
    ------
    BookError
        When the profile is wrong or chapters fail; one line for each of them.
    """
    parameters = profile(root, profile_name)
    all_chapters = chapters(root)
    unknown = set(names) - {chapter.name for chapter in all_chapters}
    if unknown:
        raise BookError(f"There is no chapter {sorted(unknown)[0]!r} in _toc.yml.")
    failures: list[str] = []
    with _only_build(root):
        for chapter in all_chapters:
            if names and chapter.name not in names:
                continue
            if chapter.reads_records and failures:
                print(f"{chapter.name:24} left out: it reads the records of the others")
                continue
            try:
                run_if_stale(
                    chapter, parameters.get(chapter.name, {}), profile_name, force
                )
            except BookError as error:
                failures.append(str(error))
    if failures:
        raise BookError("\n".join(failures))


def _only_build(root: Path) -> AbstractContextManager[Any]:
    """Wait until no other build of this book runs; hold the others off meanwhile."""
    (root / "_build").mkdir(exist_ok=True)
    lock = FileLock(root / "_build" / "runner.lock")
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        print("Another build of this book is running; waiting for it.", flush=True)
        return lock.acquire()


def run_if_stale(
    chapter: Chapter, parameters: dict[str, Any], profile_name: str, force: bool
) -> None:
    """Run one chapter unless the kept run is what its sources ask for; say how long."""
    key = run_key(chapter, parameters)
    if not force and is_fresh(chapter, key):
        write_record(chapter)
        return
    print(f"{chapter.name:24} ", end="", flush=True)
    start = time.monotonic()
    outcome = "failed after"
    try:
        run_chapter(chapter, parameters, key, profile_name)
        outcome = "ran in"
    finally:
        print(f"{outcome} {time.monotonic() - start:.0f} s", flush=True)


def is_fresh(chapter: Chapter, key: str) -> bool:
    """Tell whether the kept run is of exactly this key."""
    if not chapter.executed.is_file():
        return False
    kept = nbformat.read(chapter.executed, as_version=4)
    return bool(kept.metadata.get("fersep", {}).get("key") == key)


def run_chapter(
    chapter: Chapter, parameters: dict[str, Any], key: str, profile_name: str
) -> None:
    """Run one chapter; keep it and its record if it is good, else say where it stopped.

    Until it has proved good it has the name of a failed run, so that neither a failure
    nor a killed process can touch the last good one.
    """
    chapter.failed.parent.mkdir(parents=True, exist_ok=True)
    chapter.failed.unlink(missing_ok=True)
    limit = int(os.environ.get("FERSEP_TIMEOUT", WALL_CLOCK[profile_name]))
    error = _papermill(chapter, parameters, limit, profile_name) or faults(chapter)
    if error:
        place = f" See {chapter.failed.relative_to(chapter.root)}."
        raise BookError(
            f"{chapter.name} failed: {error.rstrip('.')}."
            + place * chapter.failed.is_file()
        )
    run = nbformat.read(chapter.failed, as_version=4)
    run.metadata["fersep"] = {"key": key, "profile": profile_name}
    with whole_file(chapter.executed) as part:
        part.write_text(nbformat.writes(run), "utf-8")
    chapter.failed.unlink()
    write_record(chapter)


def faults(chapter: Chapter) -> str:
    """Return what makes a completed run unfit for the book, or nothing."""
    try:
        record = records.read(chapter.failed)
    except ValueError:
        return "it ends without records.save()."
    if record.chapter != chapter.name:
        return f"its record calls it {record.chapter!r}; see records.start()."
    return ""


def write_record(chapter: Chapter) -> None:
    """Bring `_build/records` in step with the last good run."""
    records.write(chapter.record, records.read(chapter.executed))


def _papermill(
    chapter: Chapter, parameters: dict[str, Any], limit: int, profile_name: str
) -> str:
    """Run papermill in a process of its own; return what went wrong, or nothing."""
    environment = {
        **os.environ,
        "FERSEP_STATIC": "1",
        "FERSEP_PROFILE": profile_name,
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    order = [str(chapter.source), str(chapter.failed), json.dumps(parameters)]
    process = subprocess.Popen(
        [sys.executable, __file__, *order],
        cwd=chapter.root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        answer, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        return f"it took longer than {limit} s; set FERSEP_TIMEOUT to allow more."
    finally:
        _kill(process)
    ended = f"papermill ended with status {process.returncode}."
    return answer.strip() or ended if process.returncode else ""


def _kill(process: subprocess.Popen[str]) -> None:
    """End a process that still runs, its kernel included."""
    try:
        parent = psutil.Process(process.pid)
        family = [*parent.children(recursive=True), parent]
    except psutil.NoSuchProcess:
        return
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    psutil.wait_procs(family, timeout=10)


def _papermill_here(source: str, target: str, parameters: str) -> int:
    """Run one notebook in this process; print one line if a cell raises."""
    try:
        papermill.execute_notebook(
            source,
            target,
            parameters=json.loads(parameters),
            progress_bar=False,
            coalesce_streams=True,
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
