"""What a chapter found, kept so that a machine can check it.

A chapter calls `start` once, `check` and `value` where it shows something, and `save`
in its last cell. The record travels inside the notebook as an output; the book's runner
takes it out of there, so nobody's own run can touch the book's scorecard.
"""

from __future__ import annotations

import ast
import difflib
import html
import json
import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from statistics import fmean as mean
from typing import TYPE_CHECKING, Any

from fersep import provenance
from fersep.storage import build_folder, whole_file
from fersep_book import symbols

if TYPE_CHECKING:
    from fersep.analysis import Interval

RECORD_MIME = "application/vnd.fersep.record+json"
CHECKS_MIME = "application/vnd.fersep.checks+json"
GLUE_PREFIX = "application/papermill.record/"

#: The types that a parameter may be annotated with.
KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "str": (str,),
    "bool": (bool,),
}
_WAYS = {"int": "3", "float": "0.5", "bool": "True"}


@dataclass
class Check:
    """One statement that a chapter checked; numbers that are not finite are text."""

    id: str
    statement: str
    got: float | str | bool
    want: float | str | bool
    tol: float | str
    ok: bool


@dataclass
class Value:
    """One value that a chapter found: over ``n`` seeds, with standard deviation."""

    key: str
    mean: float | str
    spread: float | None
    n: int
    unit: str


@dataclass
class Record:
    """All that one run of a chapter checked and found, and what made it."""

    chapter: str
    profile: str
    parameters: dict[str, Any]
    checks: list[Check] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)
    symbols: dict[str, str] = field(default_factory=dict)
    schema: int = 1

    @property
    def faces(self) -> str:
        """The data set, a folder of images by its name; empty if there is none."""
        data = str(self.parameters.get("data", ""))
        return str(self.parameters.get("root", "")) if data == "folder" else data

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Record:
        """Return the record that ``asdict`` made into ``body``."""
        checks = [Check(**entry) for entry in body["checks"]]
        values = [Value(**entry) for entry in body["values"]]
        return cls(**{**body, "checks": checks, "values": values})


_current: Record | None = None
_namespace: Mapping[str, Any] = {}
_started = 0.0
_shown: dict[str, list[str]] = {}  # the checks in the badge of the last cell


def start(chapter: str, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Begin the record of a chapter; call it right after the parameters cells.

    ``chapter`` is the file name without its ending, ``namespace`` the notebook's
    ``globals()``: names annotated so far are the parameters, which are returned.
    TypeError if one has another type than its annotation; ValueError if a number is not
    finite, or papermill set what is no parameter.
    """
    global _current, _namespace, _started
    _current, _namespace = None, namespace
    kinds = {n: k for n, k in _annotations(namespace).items() if n in namespace}
    for name in _injected(namespace) - set(kinds):
        nearest = difflib.get_close_matches(name, kinds, 1, cutoff=0)
        raise ValueError(
            f"{chapter} has no parameter {name}; the nearest is {' '.join(nearest)}, "
            f"and papermill --help-notebook book/{chapter}.ipynb lists all"
        )
    for name, kind in kinds.items():
        _check_parameter(name, namespace[name], kind)
    parameters = {name: namespace[name] for name in kinds}
    _current = Record(
        chapter,
        os.environ.get("FERSEP_PROFILE", "own"),
        {name: _without_folders(entry) for name, entry in parameters.items()},
    )
    _started = time.perf_counter()
    return parameters


def fits(value: Any, kind: str) -> bool:
    """Tell whether a value is of one of the `KINDS`; a whole number fits a float."""
    return isinstance(value, KINDS[kind]) and (
        kind == "bool" or not isinstance(value, bool)
    )


def check(
    id: str,
    statement: str,
    got: float | str | bool,
    want: float | str | bool,
    tol: float = 0.0,
) -> None:
    """Keep and show one check: numbers within ``tol``, words and truth values equal.

    The checks of one cell share a badge, "5 checks passed", which opens. The id is
    unique within the chapter; ``tol`` is the largest allowed ``|got - want|``.
    AssertionError if the check fails, and the record is written first; ValueError if
    the book is built and the id was used before.
    """
    record = _open_record()
    _make_room(record.checks, "id", id)
    got, want = _plain(got), _plain(want)
    if isinstance(got, str | bool) or isinstance(want, str | bool):
        ok = type(got) is type(want) and got == want
    else:
        ok = bool(abs(got - want) <= tol)
    kept = {"got": got, "want": want, "tol": float(tol)}
    kept = {name: _finite_or_text(number) for name, number in kept.items()}
    record.checks.append(Check(id=id, statement=statement, ok=ok, **kept))
    if not ok:
        save()
        raise AssertionError(
            f"{statement}: got {_short(got)}, want {_short(want)} within {tol:g}"
        )
    near = f" (within {tol:g})" if tol else ""
    _show_check(f"{statement}: {_short(got)}, expected {_short(want)}{near}")


def value(
    key: str,
    mean: float | str,
    spread: float | None = None,
    n: int = 1,
    unit: str = "",
    digits: int = 3,
) -> None:
    """Keep a value and make it available to the text as ``{glue:text}`key```.

    A number is the mean of ``n`` seeds with the standard deviation ``spread``. The text
    shows ``digits`` decimals, of an int none. ValueError if a number is not finite, or
    if the book is built and the key was used before.
    """
    record = _open_record()
    _make_room(record.values, "key", key)
    digits = 0 if isinstance(mean, int) else digits
    mean = _plain(mean)
    spread = None if spread is None else float(spread)
    for number in (mean, spread):
        if isinstance(number, float) and not math.isfinite(number):
            raise ValueError(f"the value {key!r} must be a finite number, got {number}")
    record.values.append(Value(key, mean, spread, n, unit))
    text = str(mean)
    if isinstance(mean, float):
        text = f"{mean:.{digits}f}".replace("-", "−")
    # The repr, because this is how the output of a glued object looks.
    _display(
        {f"{GLUE_PREFIX}text/plain": repr(text)},
        {"scrapbook": {"name": key, "mime_prefix": GLUE_PREFIX}},
    )


def over_seeds(
    key: str, values: Iterable[float], unit: str = "", digits: int = 3
) -> Interval:
    """Keep the mean of one value per seed; return it with its interval.

    The other parameters are those of :func:`value`.
    """
    # The runner reads records too, and need not wait for torch.
    from fersep.analysis import mean_interval, standard_deviation

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
    """Keep the mean of ``second - first``, one pair a seed, as `over_seeds` does."""
    apart = [float(b) - float(a) for a, b in zip(first, second, strict=True)]
    return over_seeds(key, apart, unit, digits)


def save(device: str | None = None, data_fingerprint: str | None = None) -> None:
    """Put the record into the notebook; the last cell of each chapter.

    ``device`` is where the chapter computed, the CPU by default; the fingerprint is
    that of its data, if any.
    """
    record = _open_record()
    record.provenance = {
        **provenance.provenance(device or "cpu"),
        "seconds": round(time.perf_counter() - _started, 3),
        "data_fingerprint": data_fingerprint,
    }
    record.symbols = symbols.in_this_build(_namespace)
    body = asdict(record)
    json.dumps(body, allow_nan=False)
    _display({RECORD_MIME: body}, {})


def read(notebook: str | Path) -> Record:
    """Return the record inside an executed notebook.

    ValueError if the file is no notebook or holds no record.
    """
    try:
        cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{notebook} is no notebook ({type(error).__name__}); give the output file "
            "of a papermill run"
        ) from None
    found = None
    for cell in cells:
        for output in cell.get("outputs", []):
            found = output.get("data", {}).get(RECORD_MIME, found)
    if found is None:
        raise ValueError(
            f"{notebook} holds no record; run it to its last cell, which saves one"
        )
    return Record.from_json(found)


def write(path: str | Path, record: Record) -> None:
    """Write a record into a JSON file, whole or not at all."""
    text = json.dumps(asdict(record), indent=1, ensure_ascii=False) + "\n"
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")


def from_build() -> list[Record]:
    """Return the records of this build's chapters."""
    paths = sorted((build_folder() / "records").glob("*.json"))
    bodies = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return [Record.from_json(body) for body in bodies]


def _annotations(namespace: Mapping[str, Any]) -> dict[str, str]:
    notes = namespace.get("__annotations__")
    if notes is None and "__annotate__" in namespace:  # Python 3.14 makes them late
        notes = namespace["__annotate__"](1)
    return {
        name: note if isinstance(note, str) else getattr(note, "__name__", str(note))
        for name, note in (notes or {}).items()
    }


def _injected(namespace: Mapping[str, Any]) -> set[str]:
    """Return the names in the cell that papermill puts behind the parameters."""
    cells = [
        cell for cell in namespace.get("In", ()) if cell.startswith("# Parameters")
    ]
    return {
        target.id
        for node in ast.parse("\n".join(cells)).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _check_parameter(name: str, value: Any, kind: str) -> None:
    if kind not in KINDS:
        return
    way = f"write it like -p {name} {_WAYS.get(kind)}"
    if kind == "str":
        way = f"write -r {name} {value}, which keeps text as it is"
    if not fits(value, kind):
        raise TypeError(
            f"parameter {name} must be of type {kind}, got {value!r} "
            f"({type(value).__name__}); {way}"
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"parameter {name} must be finite, got {value}; {way}")


def _open_record() -> Record:
    if _current is None:
        raise RuntimeError(
            "no record is open; call records.start(chapter, globals()) first"
        )
    return _current


def _make_room(entries: list[Any], field: str, name: str) -> None:
    """Remove the entry of that name: in a notebook, a cell may run again.

    While the book is built no cell runs twice, so there it is a mistake.
    """
    earlier = [entry for entry in entries if getattr(entry, field) == name]
    if earlier and os.environ.get("FERSEP_STATIC") == "1":
        raise ValueError(f"the {field} {name!r} exists already; give each its own")
    for entry in earlier:
        entries.remove(entry)


def _plain(number: Any) -> Any:
    """Return a number of NumPy or torch as one of Python, whole ones as floats too."""
    number = number.item() if hasattr(number, "item") else number
    return number if isinstance(number, str | bool) else float(number)


def _without_folders(entry: Any) -> Any:
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


def badge(lines: Sequence[str]) -> str:
    """Return passed checks as one quiet line of HTML that opens."""
    entries = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return (
        f'<details class="fersep-checks margin"><summary>{_count(lines)}</summary>'
        f"<ul>{entries}</ul></details>"
    )


def _count(lines: Sequence[str]) -> str:
    return f"{len(lines)} check{'s' * (len(lines) > 1)} passed"


def _show_check(line: str) -> None:
    """Show a check in the badge of the running cell; make the badge if it is new."""
    from IPython import get_ipython

    shell = get_ipython()
    cell = f"checks {_started} of cell {shell.execution_count if shell else 0}"
    again = cell in _shown
    if not again:
        _shown.clear()
    lines = _shown.setdefault(cell, [])
    lines.append(line)
    data = {CHECKS_MIME: lines, "text/html": badge(lines), "text/plain": _count(lines)}
    _display(data, {}, display_id=cell, update=again)


def _display(data: dict[str, Any], meta: dict[str, Any], **place: Any) -> None:
    from IPython.display import display

    display(data, metadata=meta, raw=True, **place)
