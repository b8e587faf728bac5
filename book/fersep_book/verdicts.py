"""What may be said of the paper's numbers and claims, by rules fixed beforehand.

A *number* of the paper gets a verdict only from the paper's own data: ``equal`` if our
95 % interval lies within a margin of it, ``different`` if it lies outside, else
``inconclusive``. A *claim* gets one on rendered and on real faces separately:
``holds``, ``fails`` or ``inconclusive``, from an interval over paired seeds. The quick
``smoke`` profile shows that the book works; it never yields a verdict.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from fersep.analysis import student_interval
from fersep.data import is_rendered
from fersep_book import published
from fersep_book.records import Record, Value

#: How far our interval may reach from a printed number and still be equal to it, in
#: the unit of the number.
MARGINS = {
    "accuracy": 1.0,  # percentage points; one run on RAF-DB has a standard error of 0.6
    "gain": 0.5,  # percentage points
    "similarity": 0.02,
    "agreement": 0.05,
    "share": 0.05,  # a cell of a confusion matrix
    "size": 0.0,  # images are counted, not estimated
}

#: Why a number of another kind gets no verdict: no measurement of ours can decide it.
NO_VERDICT = {
    "label list": "not the paper's number",
    "setting": "a choice, not a result",
    "word": "a choice, not a result",
    "time": "depends on the machine",
    "cited": "another group's number",
}

#: Below this many test images a share is shown as a count only.
FEWEST_IMAGES = 30

SMOKE = "smoke run: no verdict"
UNTRIED = "not measured"

_DATA_SETS = {
    "rafdb": "RAF-DB",
    "affectnet": "AffectNet",
    "ck_plus": "CK+",
    "mmi": "MMI",
}
#: First part of a value's key -> the chapter that records it and the heading there.
_CELLS = {
    "similarity": ("09_similarity", "the-table"),
    "agreement": ("10_convergence", "the-control"),
    "accuracy": ("08_training", "accuracy-with-an-honest-interval"),
    "recall": ("08_training", "who-pays-the-rare-classes"),
    "tsne": ("11_tsne", "first-the-number"),
    "basic": ("12_accuracy", "basic-expressions"),
    "compound": ("12_accuracy", "compound-expressions"),
    "sweep": ("13_sweeps", "how-flat-is-flat"),
    "confusion": ("12_accuracy", "who-is-taken-for-whom"),
    "lambda": ("13_sweeps", "the-sweep-over"),
    "length": ("13_sweeps", "the-length-of-the-features"),
    "transfer": ("15_transfer", "the-transfer-table"),
}
# The settings of the paper that the chapters of training take.
_SCALE = (
    "-p size 0 -p image_size 224 -p width 64 -p weights imagenet -p batch_size 100 "
    "-p n_seeds 5"
)
_LAMBDAS = "-p lambdas " + ",".join(f"{i / 10}" for i in range(1, 12))
_LENGTHS = "-p lengths 64,128,256,512,768,1024"
_OTHER = r"-p other \2 -p other_root {\2}"
#: Key of a published number -> what `tested_by` returns for it.
_TESTS = (
    (r"table1\.(.+)\.avg_(.+)", "raf_db_basic", r"similarity.\2.{\1}", ""),
    (r"table1\.(.+)\.(.+)", "raf_db_basic", r"similarity.intra.\2.{\1}", ""),
    (r"centers\.(.+)", "raf_db_basic", r"agreement.\1", ""),
    (r"table2\.ResNet18\+(.+)\.(.+)", r"\2", r"accuracy.{\1}", ""),
    (r"gain\.(.+)", r"\1", "accuracy.gain", ""),
    (r"table3\.ResNet18\+.+\.(.+)\.(.+)", r"\1", r"transfer.accuracy.\2", _OTHER),
    (r"fig4\.(.+)", "raf_db_basic", r"lambda.\1", _LAMBDAS),
    (r"features\.(.+)", "raf_db_basic", r"length.\1", _LENGTHS),
    (r"fig5a\.(.+)", "raf_db_basic", r"confusion.\1", ""),
    (r"fig5b\.(.+)", "affectnet", r"confusion.\1", ""),
    (r"fig6\.(.+)", "raf_db_compound", r"confusion.\1", ""),
)
#: What stands for {words} there.
_WORDS = {"Ls": "softmax", "Ls+Lsep": "separate", "ck_plus": "CK_PLUS", "mmi": "MMI"}
_SCHEDULE = {"affectnet": "-p epochs 20 -p lr 0.01"}


@dataclass(frozen=True)
class Claim:
    """One claim of the paper, and the value that decides it.

    The value of that ``key`` lies on the ``direction`` side ("above" or "below") of the
    ``threshold`` if the claim holds. ``by_construction`` says why rendered faces could
    not have shown anything else; it is None where they could. ``decided`` says which
    sealed experiments decide it, see `fersep_book.outcomes`.
    """

    id: str
    sentence: str
    where: str
    key: str
    direction: str
    threshold: float
    chapter: str
    by_construction: str | None
    decided: Mapping[str, Any] = field(default_factory=dict)


def interval(value: Value) -> tuple[float, float] | None:
    """Return Student's 95 % interval of a mean over seeds.

    None if one seed cannot say how much seeds differ, or if the value is a word.
    """
    if value.n < 2 or value.spread is None or isinstance(value.mean, str):
        return None
    return student_interval(value.mean, value.spread, value.n)


def number_verdict(
    ours: tuple[float, float] | None, published: float, margin: float
) -> str:
    """Return ``equal``, ``different`` or ``inconclusive``.

    Parameters
    ----------
    ours : (low, high) or None
        Our interval, from the paper's own data.
    published : float
    margin : float
        Fixed before any measurement, see `MARGINS`.
    """
    if ours is None:
        return "inconclusive"
    low, high = published - margin, published + margin
    if low <= ours[0] and ours[1] <= high:
        return "equal"
    apart = ours[1] < low or high < ours[0]
    return "different" if apart else "inconclusive"


def claim_verdict(ours: tuple[float, float] | None, claim: Claim) -> str:
    """Return ``holds``, ``fails`` or ``inconclusive``, from our interval."""
    if ours is None:
        return "inconclusive"
    sign = 1 if claim.direction == "above" else -1
    beyond = [sign * (end - claim.threshold) for end in ours]
    if min(beyond) > 0:
        return "holds"
    return "fails" if max(beyond) < 0 else "inconclusive"


def rounds_to(count: int, n: int, printed: str) -> bool:
    """Tell whether ``count`` of ``n`` gives a printed percentage or share.

    An exact half may have been rounded either way.
    """
    share, half_digit = _share(printed)
    return abs(Decimal(count) / n - share) <= half_digit


def attainable(printed: str, n: int) -> list[int]:
    """Return every number of images out of ``n`` that gives a printed percentage."""
    near = round(_share(printed)[0] * n)
    around = range(max(near - 2, 0), min(near + 2, n) + 1)
    return [count for count in around if rounds_to(count, n, printed)]


def _share(printed: str) -> tuple[Decimal, Decimal]:
    """Return a printed number as a share of one, and half of its last digit.

    A percentage has its sign or a value above one.
    """
    number = Decimal(printed.rstrip("%"))
    scale = 100 if printed.endswith("%") or number > 1 else 1
    last_digit = Decimal(1).scaleb(int(number.as_tuple().exponent))
    return number / scale, last_digit / 2 / scale


@cache
def claims() -> list[Claim]:
    """Return the claims of the paper that this book tests."""
    path = Path(__file__).with_name("claims.json")
    return [Claim(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]


def tested_by(key: str) -> tuple[str, str, str] | None:
    """Return what would decide a published number, or None if the book cannot.

    Parameters
    ----------
    key : str
        Of an entry of ``published.json``.

    Returns
    -------
    (data, value, extra)
        The data set, the key of the value that a chapter records on it, and the
        parameters that differ from the paper's standard setting.
    """
    for pattern, *answer in _TESTS:
        if found := re.fullmatch(pattern, key):
            parts = [found.expand(part).format_map(_WORDS) for part in answer]
            return parts[0].replace("rafdb", "raf_db"), parts[1], parts[2]
    return None


def needed_data(key: str) -> str:
    """Return the name of the data set that a published number speaks about."""
    if key.startswith("fig5b."):
        return "AffectNet"
    # A model trained on one set and tested on another speaks about the second.
    last = max(_DATA_SETS, key=lambda name: key.rfind(name))
    return _DATA_SETS[last] if last in key else "RAF-DB"


def papermill_line(key: str) -> str:
    """Return the command that would decide a published number; empty if there is none.

    The capital word behind ``root`` stands for the folder of the reader's own copy.
    """
    test = tested_by(key)
    if test is None:
        return ""
    data, value, extra = test
    chapter = _CELLS[value.split(".")[0]][0]
    folder = data.split("_db")[0].upper()
    line = f"papermill book/{chapter}.ipynb mine.ipynb -p data {data} -p root {folder}"
    schedule = _SCHEDULE.get(data, "-p epochs 60 -p lr 0.01")
    return " ".join(filter(None, [line, _SCALE, schedule, extra]))


def cell_of(key: str) -> str:
    """Return the page and heading where a value is recorded, as a link; or nothing.

    Parameters
    ----------
    key : str
        Of a value, like ``similarity.inter.gain``.
    """
    cell = _CELLS.get(key.split(".")[0])
    return f"{cell[0]}.html#{cell[1]}" if cell else ""


@cache
def paper_values() -> dict[str, str]:
    """Return the paper's number, as printed, for each value that chapters record."""
    tests = {key: tested_by(key) for key in published.entries()}
    return {
        test[1]: published.entry(key)["value"]
        for key, test in tests.items()
        if test and test[0] == "raf_db_basic"
    }


def data_of(record: Record) -> str:
    """Return the data set of a record; a folder of images is called by its name."""
    data = str(record.parameters.get("data", ""))
    return str(record.parameters.get("root", "")) if data == "folder" else data


def find_value(found: Iterable[Record], key: str) -> tuple[Record, Value] | None:
    """Return the first (record, number) with that key; one with most seeds wins."""
    hits = [
        (record, value)
        for record in found
        for value in record.values
        if value.key == key and not isinstance(value.mean, str)
    ]
    return max(hits, key=lambda hit: hit[1].n, default=None)


def judge_claim(claim: Claim, found: Iterable[Record]) -> tuple[str, str]:
    """Judge one claim by the records of one kind of faces.

    Returns
    -------
    (number, verdict)
        Our number with its interval, empty if nothing was measured, and the verdict.
    """
    hit = find_value(found, claim.key)
    if hit is None:
        return "", UNTRIED
    record, value = hit
    if record.profile == "smoke":
        return in_figures(value), SMOKE
    return in_figures(value), claim_verdict(interval(value), claim)


def judge_on_both(claim: Claim, found: Iterable[Record]) -> dict[str, tuple[str, str]]:
    """Judge one claim on rendered and on real faces, each by its own records.

    Parameters
    ----------
    claim : Claim
    found : iterable of Record
        Of both kinds; one without a data set speaks about no faces.

    Returns
    -------
    dict
        ``rendered`` and ``real``, each with the pair that `judge_claim` gives.
    """
    kinds: dict[str, list[Record]] = {"rendered": [], "real": []}
    for record in found:
        if data := data_of(record):
            kinds["rendered" if is_rendered(data) else "real"].append(record)
    return {kind: judge_claim(claim, records) for kind, records in kinds.items()}


def judge_number(entry: Mapping[str, Any], found: Iterable[Record]) -> tuple[str, str]:
    """Judge one published number by the records there are.

    Parameters
    ----------
    entry : mapping
        An entry of ``published.json``.
    found : iterable of Record

    Returns
    -------
    (number, verdict)
        Our number on the paper's own data, empty if there is none, and the verdict.
    """
    rule = entry["rule"]
    if rule in NO_VERDICT:
        return "", NO_VERDICT[rule]
    if rule == "share" and entry["n"] < FEWEST_IMAGES:
        return "", f"{entry['n']} images: too few"
    hit = None
    if test := tested_by(entry["key"]):
        data, key, _ = test
        own = [r for r in found if data_of(r) == data and _same_setting(r)]
        hit = find_value(own, key)
    if hit is None:
        return "", f"needs {needed_data(entry['key'])}"
    record, value = hit
    if record.profile == "smoke":
        return in_figures(value), SMOKE
    printed = published.number(entry["key"])
    return in_figures(value), number_verdict(interval(value), printed, MARGINS[rule])


def our_number(entry: Mapping[str, Any], found: Iterable[Record]) -> str:
    """Return our number for a published one, on whatever faces; empty if there is none.

    It stands beside the paper's for comparison and judges nothing.
    """
    test = tested_by(entry["key"])
    hit = find_value(found, test[1]) if test else None
    return in_figures(hit[1]) if hit else ""


def _same_setting(record: Record) -> bool:
    """Tell whether a record has the paper's network, first weights and λ."""
    want = {"width": 64, "lam": 0.9, "weights": "imagenet"}
    return want.items() <= record.parameters.items()


def in_figures(value: Value) -> str:
    """Write a recorded number with its 95 % interval, if seeds allow one.

    Cosines and the like have no unit and three decimals, percentages two.
    """
    digits = 2 if value.unit else 3
    text = f"{value.mean:.{digits}f}"
    if ours := interval(value):
        text += f" [{ours[0]:.{digits}f}, {ours[1]:.{digits}f}]"
    return f"{text} {value.unit}".rstrip().replace("-", "−")
