"""Runs stale chapters through papermill, one kernel at a time, and keeps good runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
import psutil
from chapters import BookError, Chapter, chapters, profile, run_key
from fersep_book import records
from filelock import FileLock, Timeout

WALL_CLOCK = {
    "smoke": 600,
    "cpu": 7200,
    "gpu": 86400,
}  # seconds a chapter may take


def run_stale(
    root: Path,
    profile_name: str,
    names: Sequence[str] = (),
    force: bool = False,
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
    chosen = [c for c in all_chapters if not names or c.name in names]
    build = root / "_build"
    build.mkdir(exist_ok=True)
    lock = FileLock(build / "runner.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(
            "Another build of this book is running; waiting for it.",
            flush=True,
        )
        lock.acquire()
    try:
        _run_in_order(chosen, parameters, profile_name, force)
    finally:
        lock.release()


def _run_in_order(
    chosen: list[Chapter],
    parameters: dict[str, dict[str, Any]],
    profile_name: str,
    force: bool,
) -> None:
    """Run the stale ones of the chosen chapters; collect failures, then raise."""
    failures: list[str] = []
    for chapter in chosen:
        if chapter.reads_records and failures:
            print(f"{chapter.name:24} left out: it reads the records of the others")
            continue
        values = parameters.get(chapter.name, {})
        key = run_key(chapter, values)
        if not force and is_fresh(chapter, key):
            write_record(chapter)
            continue
        print(f"{chapter.name:24} ", end="", flush=True)
        start = time.monotonic()
        try:
            run_chapter(chapter, values, key, profile_name)
        except BookError as error:
            print(f"failed after {time.monotonic() - start:.0f} s", flush=True)
            failures.append(str(error))
        else:
            print(f"ran in {time.monotonic() - start:.0f} s", flush=True)
    if failures:
        raise BookError("\n".join(failures))


def is_fresh(chapter: Chapter, key: str) -> bool:
    """Tell whether the kept run is of exactly this key."""
    if not chapter.executed.is_file():
        return False
    kept = nbformat.read(chapter.executed, as_version=4)
    return bool(kept.metadata.get("fersep", {}).get("key") == key)


def run_chapter(
    chapter: Chapter,
    parameters: dict[str, Any],
    key: str,
    profile_name: str,
) -> None:
    """Run one chapter; keep it and its record if it is good, else say where it stopped.

    The run goes to a temporary name, so that neither a failure nor a killed
    process can touch the last good run.
    """
    chapter.executed.parent.mkdir(parents=True, exist_ok=True)
    running = chapter.executed.with_suffix(".running.ipynb")
    limit = int(os.environ.get("FERSEP_TIMEOUT", WALL_CLOCK[profile_name]))
    error = _papermill(chapter, parameters, running, limit, profile_name)
    if not error:
        error = faults(running, chapter)
    if error:
        place = ""
        if running.is_file():
            running.replace(chapter.failed)
            place = f" See {chapter.failed.relative_to(chapter.root)}."
        raise BookError(f"{chapter.name} failed: {error.rstrip('.')}.{place}")
    run = nbformat.read(running, as_version=4)
    run.metadata["fersep"] = {"key": key, "profile": profile_name}
    nbformat.write(run, running)
    running.replace(chapter.executed)
    chapter.failed.unlink(missing_ok=True)
    write_record(chapter)


def _papermill(
    chapter: Chapter,
    parameters: dict[str, Any],
    target: Path,
    limit: int,
    profile_name: str,
) -> str:
    """Run papermill in a process of its own; return what went wrong, or nothing."""
    environment = {
        **os.environ,
        "FERSEP_STATIC": "1",
        "FERSEP_PROFILE": profile_name,
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    order = [str(chapter.source), str(target), json.dumps(parameters)]
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
        return (
            f"it took longer than {limit} s; set FERSEP_TIMEOUT to allow more seconds."
        )
    finally:
        _kill(process)
    if process.returncode:
        return answer.strip() or f"papermill ended with status {process.returncode}."
    return ""


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


def faults(path: Path, chapter: Chapter) -> str:
    """Return what makes a completed run unfit for the book, or nothing."""
    try:
        record = records.read(path)
    except ValueError:
        return "it ends without records.save()."
    if record["chapter"] != chapter.name:
        return f"its record calls it {record['chapter']!r}; see records.start()."
    return ""


def write_record(chapter: Chapter) -> None:
    """Bring `_build/records` in step with the last good run."""
    text = (
        json.dumps(records.read(chapter.executed), indent=1, ensure_ascii=False) + "\n"
    )
    if chapter.record.is_file() and chapter.record.read_text("utf-8") == text:
        return
    chapter.record.parent.mkdir(parents=True, exist_ok=True)
    temporary = chapter.record.with_suffix(".tmp")
    temporary.write_text(text, "utf-8")
    temporary.replace(chapter.record)


def _papermill_here(source: str, target: str, parameters: str) -> int:
    """Run one notebook in this process; print one line if a cell raises."""
    import papermill
    from papermill.exceptions import PapermillExecutionError

    try:
        papermill.execute_notebook(
            source,
            target,
            parameters=json.loads(parameters),
            kernel_name="python3",
            language="python",
            progress_bar=False,
            coalesce_streams=True,
        )
    except PapermillExecutionError as error:
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
