"""What a chapter found, kept so that a machine can check it.

A chapter calls `start` once, `check` and `value` where it shows something, and `save`
in its last cell. The record travels inside the notebook as an output; the book's runner
takes it out of there, so nobody's own run can touch the book's scorecard.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from statistics import fmean as mean
from typing import Any

from fersep import provenance
from fersep.analysis import Interval, mean_interval, standard_deviation
from fersep.storage import build_folder, whole_file

RECORD_MIME = "application/vnd.fersep.record+json"
GLUE_PREFIX = "application/papermill.record/"
SCHEMA = 1

#: What computes the numbers of a chapter; pictures and records cannot change one.
COMPUTING = ("fersep.training", "fersep.data", "fersep.embedding")

_ACCEPTED: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "str": (str,),
    "bool": (bool,),
}
_WAYS = {"int": "3", "float": "0.5", "str": "text", "bool": "True"}


class _Record:
    """The record of the chapter that runs in this process."""

    def __init__(self, chapter: str, parameters: dict[str, Any]) -> None:
        self.chapter = chapter
        self.parameters = parameters
        self.started = time.perf_counter()
        self.checks: list[dict[str, Any]] = []
        self.values: list[dict[str, Any]] = []


_current: _Record | None = None


def start(chapter: str, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Begin the record of a chapter; call it right after the parameters cells.

    Parameters
    ----------
    chapter : str
        The file name without its ending, for example "08_training".
    namespace : mapping
        ``globals()`` of the notebook. The names annotated so far are the parameters.

    Returns
    -------
    dict
        The parameters.

    Raises
    ------
    TypeError
        If a parameter has another type than its annotation.
    ValueError
        If a number is not finite.
    """
    global _current
    _current = None
    parameters = {}
    for name, annotation in _annotations(namespace).items():
        if name in namespace:
            parameters[name] = checked_parameter(name, namespace[name], annotation)
    _current = _Record(chapter, parameters)
    return parameters


def checked_parameter(name: str, value: Any, annotation: str) -> Any:
    """Return the value if it has the annotated type (int, float, str or bool).

    Raises
    ------
    TypeError
        If it has not; a whole number counts as a float.
    ValueError
        If it is a number that is not finite.
    """
    accepted = _ACCEPTED.get(annotation)
    if accepted is None:
        return value
    right = isinstance(value, accepted) and (
        annotation == "bool" or not isinstance(value, bool)
    )
    if not right:
        raise TypeError(
            f"parameter {name} must be of type {annotation}, got {value!r} "
            f"({type(value).__name__}); write it like -p {name} {_WAYS[annotation]}"
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(
            f"parameter {name} must be a finite number, got {value}; "
            f"write it like -p {name} {_WAYS[annotation]}"
        )
    return value


def check(
    id: str,
    statement: str,
    got: float | str | bool,
    want: float | str | bool,
    tol: float = 0.0,
) -> None:
    """Keep and print one check: numbers within ``tol``, words and truth values equal.

    Parameters
    ----------
    id : str
        Unique within the chapter.
    statement : str
        What the check says, as a reader should read it.
    got, want : float, str or bool
    tol : float
        Largest allowed ``|got - want|``.

    Raises
    ------
    AssertionError
        If it fails; the record is written first.
    ValueError
        If the book is built and the id was used before in this chapter.
    """
    record = _started()
    _make_room(record.checks, "id", id)
    got, want = _plain(got), _plain(want)
    if isinstance(got, str | bool) or isinstance(want, str | bool):
        ok = type(got) is type(want) and got == want
    else:
        ok = bool(abs(got - want) <= tol)
    entry = {
        "id": id,
        "statement": statement,
        "got": _finite_or_text(got),
        "want": _finite_or_text(want),
        "tol": _finite_or_text(float(tol)),
        "ok": ok,
    }
    record.checks.append(entry)
    if not ok:
        save()
        raise AssertionError(
            f"{statement}: got {_short(got)}, want {_short(want)} within {tol:g}"
        )
    near = f" (within {tol:g})" if tol else ""
    print(f"✓ {statement}: {_short(got)}, expected {_short(want)}{near}")


def value(
    key: str,
    mean: float | str,
    spread: float | None = None,
    n: int = 1,
    unit: str = "",
    digits: int = 3,
) -> None:
    """Keep a value and make it available to the text as ``{glue:text}`key```.

    Parameters
    ----------
    key : str
    mean : float or str
        A number, the mean over seeds where there are several, or words.
    spread : float, optional
        Standard deviation over the seeds.
    n : int
        How many seeds.
    unit : str
    digits : int
        Decimals that the text shows; an int shows none.

    Raises
    ------
    ValueError
        If a number is not finite, or if the book is built and the key was used before.
    """
    record = _started()
    _make_room(record.values, "key", key)
    whole = isinstance(mean, int) and not isinstance(mean, bool)
    mean = _plain(mean)
    spread = None if spread is None else float(spread)
    for number in (mean, spread):
        if isinstance(number, float) and not math.isfinite(number):
            raise ValueError(f"the value {key!r} must be a finite number, got {number}")
    record.values.append(
        {"key": key, "mean": mean, "spread": spread, "n": n, "unit": unit}
    )
    if isinstance(mean, float):
        text = f"{mean:.{0 if whole else digits}f}".replace("-", "−")
    else:
        text = str(mean)
    # The repr, because this is how the output of a glued object looks.
    _display(
        {f"{GLUE_PREFIX}text/plain": repr(text)},
        {"scrapbook": {"name": key, "mime_prefix": GLUE_PREFIX}},
    )


def over_seeds(
    key: str, values: Iterable[float], unit: str = "", digits: int = 3
) -> Interval:
    """Keep the mean of one value per seed; return it with its interval.

    Parameters
    ----------
    key, unit, digits
        As in :func:`value`.
    values : iterable of float
        One for each seed; a tensor of one axis will do.
    """
    each = [float(v) for v in values]
    value(key, mean(each), standard_deviation(each), len(each), unit, digits)
    return mean_interval(each)


def over_pairs(
    key: str,
    first: Iterable[float],
    second: Iterable[float],
    unit: str = "",
    digits: int = 3,
) -> Interval:
    """Keep the mean difference ``second - first`` over paired seeds, and return it.

    Parameters
    ----------
    key, unit, digits
        As in :func:`value`.
    first, second : iterable of float
        One value for each seed, in the same order.
    """
    apart = [float(b) - float(a) for a, b in zip(first, second, strict=True)]
    return over_seeds(key, apart, unit, digits)


def save(device: str | None = None, data_fingerprint: str | None = None) -> None:
    """Put the record into the notebook; the last cell of each chapter.

    Parameters
    ----------
    device : str, optional
        Where the chapter computed; "cpu" by default.
    data_fingerprint : str, optional
        Of the data set used, if any.
    """
    record = _started()
    origin = provenance.provenance(device or "cpu")
    origin["seconds"] = round(time.perf_counter() - record.started, 3)
    origin["data_fingerprint"] = data_fingerprint
    origin["code"] = provenance.code_key(*COMPUTING)
    body = {
        "schema": SCHEMA,
        "chapter": record.chapter,
        "profile": os.environ.get("FERSEP_PROFILE", "own"),
        "parameters": {
            name: without_folders(entry) for name, entry in record.parameters.items()
        },
        "checks": record.checks,
        "values": record.values,
        "provenance": origin,
    }
    json.dumps(body, allow_nan=False)
    _display({RECORD_MIME: body}, {})


def read(notebook: str | Path) -> dict[str, Any]:
    """Return the record inside an executed notebook.

    Raises
    ------
    ValueError
        If the file is no notebook or holds no record.
    """
    path = Path(notebook)
    if not path.is_file():
        raise ValueError(
            f"there is no file {path}; give the output file of a papermill run"
        )
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is no notebook ({type(error).__name__}); give the output file of "
            "a papermill run"
        ) from None
    found: dict[str, Any] | None = None
    for cell in cells:
        for output in cell.get("outputs", []):
            found = output.get("data", {}).get(RECORD_MIME, found)
    if found is None:
        raise ValueError(
            f"{path} holds no record; run it to its last cell, which saves one"
        )
    return found


def compare(notebook: str | Path) -> list[dict[str, Any]]:
    """Set the values of a notebook beside the book's record of the same chapter.

    Parameters
    ----------
    notebook : str or path
        The output of a papermill run.

    Returns
    -------
    list of dict
        One entry per value: ``key``, ``unit``, ``yours``, ``book`` (None if the book
        has none) and ``inside``: whether yours lies within two standard deviations of
        the book's mean (None without a spread).

    Raises
    ------
    ValueError
        If the notebook holds no record.
    """
    mine = read(notebook)
    path = build_folder() / "records" / f"{mine['chapter']}.json"
    theirs = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    book = {entry["key"]: entry for entry in theirs.get("values", [])}
    rows = []
    for entry in mine["values"]:
        other = book.get(entry["key"])
        inside = None
        if other and other["spread"] and isinstance(entry["mean"], float):
            inside = abs(entry["mean"] - other["mean"]) <= 2 * other["spread"]
        rows.append(
            {
                "key": entry["key"],
                "unit": entry["unit"],
                "yours": entry["mean"],
                "book": other and other["mean"],
                "inside": inside,
            }
        )
    return rows


def keep(file: str | Path, notebooks: Sequence[str | Path]) -> None:
    """Write the records of executed chapters into one JSON file, whole or not at all.

    Such a file in ``results/cpu`` or ``results/gpu`` is a recorded run: the verdict
    shows it apart from the runs of the build.

    Raises
    ------
    ValueError
        If a notebook holds no record, one of a smoke run, or one with a failed check.
    """
    found = [read(notebook) for notebook in notebooks]
    for path, record in zip(notebooks, found, strict=True):
        if record["profile"] == "smoke":
            raise ValueError(
                f"{path} is a smoke run, which is too small to keep; run it with "
                "larger parameters, outside make book"
            )
        failed = [entry["id"] for entry in record["checks"] if not entry["ok"]]
        if failed:
            raise ValueError(f"{path} has failed checks: {', '.join(failed)}")
    target = Path(file)
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    with whole_file(target) as part:
        part.write_text(text, encoding="utf-8")


def _annotations(namespace: Mapping[str, Any]) -> dict[str, str]:
    notes = namespace.get("__annotations__")
    if notes is None and "__annotate__" in namespace:  # Python 3.14 makes them late
        notes = namespace["__annotate__"](1)
    return {
        name: note if isinstance(note, str) else getattr(note, "__name__", str(note))
        for name, note in (notes or {}).items()
    }


def _started() -> _Record:
    if _current is None:
        raise RuntimeError(
            "no record is open; call records.start(chapter, globals()) first"
        )
    return _current


def _make_room(entries: list[dict[str, Any]], field: str, name: str) -> None:
    """Remove the entry of that name: in a notebook, a cell may run again.

    While the book is built no cell runs twice, so there it is a mistake.
    """
    earlier = [entry for entry in entries if entry[field] == name]
    if earlier and os.environ.get("FERSEP_STATIC") == "1":
        raise ValueError(f"the {field} {name!r} exists already; give each its own")
    for entry in earlier:
        entries.remove(entry)


def _plain(number: Any) -> Any:
    """Return a number of NumPy or torch as one of Python, whole ones as floats too."""
    number = number.item() if hasattr(number, "item") else number
    return number if isinstance(number, str | bool) else float(number)


def without_folders(entry: Any) -> Any:
    """Return an absolute path as its last name: the folders are nobody's business."""
    if isinstance(entry, str):
        for flavor in (PurePosixPath, PureWindowsPath):
            if flavor(entry).is_absolute() or entry.startswith("~"):
                return flavor(entry).name
    return entry


def _finite_or_text(number: Any) -> Any:
    if isinstance(number, float) and not math.isfinite(number):
        return str(number)
    return number


def _short(number: Any) -> str:
    return f"{number:.6g}" if isinstance(number, float) else str(number)


def _display(data: dict[str, Any], meta: dict[str, Any]) -> None:
    from IPython.display import display

    display(data, metadata=meta, raw=True)
