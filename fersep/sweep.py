"""The command ``python -m fersep sweep``: one notebook, many parameter values."""

from __future__ import annotations

import argparse
import csv
import hashlib
import itertools
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tqdm import tqdm

from fersep import records

DESCRIPTION = """\
Run a chapter with every combination of some parameter values, by papermill:

  python -m fersep sweep book/08_training.ipynb -p lam 0.1 0.5 0.9 -p seed 0 1 2 \\
      --out my_sweep

Each run becomes a notebook in the folder. Good finished runs are not run again, so the
same command goes on after a stop. The values of all records come together in table.csv,
the whole records in table.json. --print writes one command for each run instead, for a
scheduler; afterwards the same command without --print makes the table.
"""

COLUMNS = ("value", "mean", "spread", "n", "unit")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options of the command."""
    parser.description = DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("notebook", help="for example book/08_training.ipynb")
    parser.add_argument(
        "-p",
        dest="parameters",
        nargs="+",
        action="append",
        required=True,
        metavar="X",
        help="a parameter and its values, like -p lam 0.1 0.5 0.9",
    )
    parser.add_argument("--out", required=True, help="the folder for the runs")
    parser.add_argument(
        "--print", action="store_true", help="only print one command for each run"
    )


def run(order: argparse.Namespace) -> int:
    """Run what is missing, collect the records; return 1 if a run failed.

    Raises
    ------
    ValueError
        If a parameter or a value does not fit the notebook; nothing has run then.
    """
    matrix = combinations(order.notebook, order.parameters)
    out = Path(order.out)
    targets = {out / f"{name_of(values)}.ipynb": values for values in matrix}
    out.mkdir(parents=True, exist_ok=True)
    if order.print:
        for target, values in targets.items():
            print(shlex.join(["papermill", order.notebook, str(target), *_p(values)]))
        return 0
    source = Path(order.notebook)
    missing = {t: v for t, v in targets.items() if not is_good(t, source, v)}
    if done := len(targets) - len(missing):
        print(f"{done} of {len(targets)} runs are good and stay", flush=True)
    failures = []
    bar = tqdm(
        missing.items(), file=sys.stdout, disable=not sys.stdout.isatty(), unit="run"
    )
    for target, values in bar:
        why = run_one(source, target, values)
        if why:
            failures.append(target)
            bar.write(f"{target.stem} failed: {why}", file=sys.stderr)
    good = {target: v for target, v in targets.items() if target not in failures}
    write_table(out, good)
    print(f"{len(good)} of {len(targets)} runs in {out / 'table.csv'}")
    return 1 if failures else 0


def combinations(
    notebook: str | Path, parameters: Sequence[Sequence[str]]
) -> list[dict[str, Any]]:
    """Return every combination of the values, as the notebook's types.

    Raises
    ------
    ValueError
        One sentence that names what does not fit.
    """
    known = parameters_of(Path(notebook))
    lists: dict[str, list[Any]] = {}
    for name, *texts in parameters:
        if name not in known:
            raise ValueError(
                f"{notebook} has no parameter {name!r}; it has {', '.join(known)}"
            )
        if name in lists or not texts:
            raise ValueError(
                f"give -p {name} once, with its values behind it: -p {name} 1 2 3"
            )
        lists[name] = []
        for text in texts:
            value = _value(name, text, known[name])
            if value in lists[name]:
                raise ValueError(f"-p {name} holds {text} twice")
            lists[name].append(value)
    rows = itertools.product(*lists.values())
    return [dict(zip(lists, row, strict=True)) for row in rows]


def parameters_of(notebook: Path) -> dict[str, str]:
    """Return the parameters of a notebook and their types, by name.

    Raises
    ------
    ValueError
        If the file is no notebook with a cell of parameters.
    """
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{notebook} is no notebook ({type(error).__name__}); give one like "
            "book/08_training.ipynb"
        ) from None
    for cell in cells:
        if "parameters" in cell["metadata"].get("tags", []):
            source = "".join(cell["source"])
            return dict(re.findall(r"^(\w+)\s*:\s*(\w+)\s*=", source, re.MULTILINE))
    raise ValueError(f"{notebook} has no cell tagged parameters; nothing can be swept")


def name_of(values: Mapping[str, Any]) -> str:
    """Return the file name of a run, like ``lam=0.9,seed=1``."""
    plain = ",".join(f"{name}={value}" for name, value in values.items())
    name = re.sub(r"[^\w.,=+-]", "_", plain)
    if name == plain and len(name) <= 120:
        return name
    return f"{name[:100]}-{hashlib.sha256(plain.encode()).hexdigest()[:8]}"


def is_good(target: Path, source: Path, values: Mapping[str, Any]) -> bool:
    """Tell whether a run is finished, without a failed check, and of today's code.

    That means: the cells of the notebook, the values, and the library code that took
    part are those of now.
    """
    try:
        record = records.read(target)
    except ValueError:
        return False
    of_now = all(
        records.module_hash(name) == there
        for name, there in record["provenance"]["code"].items()
    )
    # A record keeps the last part of a folder's path only.
    right = all(
        record["parameters"].get(name) == records.without_folders(value)
        for name, value in values.items()
    )
    checks = all(entry["ok"] for entry in record["checks"])
    return of_now and right and checks and _cells(target) == _cells(source)


def run_one(source: Path, target: Path, values: Mapping[str, Any]) -> str:
    """Run the notebook with some values; return what went wrong, or nothing.

    The target appears only when the run is finished; a failed one stays beside it, with
    ``.failed`` in its name.
    """
    running = target.with_name(f".{target.stem}.running.ipynb")
    order = [sys.executable, "-m", "papermill", "--no-progress-bar", "--log-level"]
    order += ["ERROR", str(source), str(running), *_p(values)]
    done = subprocess.run(order, capture_output=True, text=True)
    why = ""
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        why = lines[-1] if lines else f"papermill ended with status {done.returncode}"
    else:
        try:
            records.read(running)
        except ValueError as error:
            why = str(error)
    failed = target.with_name(f"{target.stem}.failed.ipynb")
    if why:
        if running.is_file():
            running.replace(failed)
            why += f" (see {failed})"
        return why
    running.replace(target)
    failed.unlink(missing_ok=True)
    return ""


def write_table(out: Path, runs: Mapping[Path, Mapping[str, Any]]) -> None:
    """Write table.csv, a row for each value of a run, and table.json, the records."""
    found = [(values, records.read(target)) for target, values in runs.items()]
    names = list(next(iter(runs.values()), {}))
    part = out / ".table.part"
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*names, *COLUMNS])
        for values, record in found:
            for e in record["values"]:
                row = [e["key"], e["mean"], e["spread"], e["n"], e["unit"]]
                writer.writerow([*values.values(), *row])
    part.replace(out / "table.csv")
    whole = [{"parameters": dict(values), "record": r} for values, r in found]
    part.write_text(json.dumps(whole, indent=1, ensure_ascii=False), encoding="utf-8")
    part.replace(out / "table.json")


def _value(name: str, text: str, kind: str) -> Any:
    value: Any = text
    if kind == "bool":
        value = {"True": True, "False": False}.get(text, text)
    elif kind in ("int", "float"):
        with suppress(ValueError):
            value = int(text) if kind == "int" else float(text)
    try:
        return records.checked_parameter(name, value, kind)
    except TypeError as error:
        raise ValueError(str(error)) from None


def _p(values: Mapping[str, Any]) -> list[str]:
    words: list[str] = []
    for name, value in values.items():
        # Papermill would read the text 1 as a number behind -p.
        words += ["-r" if isinstance(value, str) else "-p", name, str(value)]
    return words


def _cells(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [
        "".join(cell["source"])
        for cell in cells
        if cell["cell_type"] == "code"
        and "injected-parameters" not in cell["metadata"].get("tags", [])
    ]
