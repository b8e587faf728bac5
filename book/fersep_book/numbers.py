"""What may be said of a number that the paper prints.

Only the paper's own data, in its settings and under its printed rule of the centers,
can confirm or refute one. A number of ours from anything else is never set beside it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from fersep.analysis import mean_interval
from fersep.data import BASIC_CLASSES, COMPOUND_CLASSES
from fersep_book import published
from fersep_book.evidence import Experiment, Recording, settings_of
from fersep_book.outcomes import (
    FEWEST_IMAGES,
    accuracy,
    changes,
    compare,
    inter,
    intra_by_class,
)

#: How far our interval may reach from a printed number and still be equal to it, in
#: the unit of the number.
MARGINS = {
    "accuracy": 1.0,  # percentage points; one run on RAF-DB has a standard error of 0.6
    "gain": 0.25,  # points, the smallest gain that matters
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

#: Settings that an experiment must share with the paper.
SETTING = {
    "image_size": 224,
    "epochs": 60,
    "batch_size": 100,
    "lr": 0.01,
    "width": 64,
    "weights": "imagenet",
}
AFFECTNET = {"epochs": 20}

# First part of a published number's key -> the chapter that measures such numbers.
_CHAPTERS = {
    "table1": "09_similarity",
    "centers": "10_convergence",
    "table3": "15_transfer",
    "fig4": "13_sweeps",
    "features": "13_sweeps",
} | dict.fromkeys(("table2", "gain", "fig5a", "fig5b", "fig6"), "12_accuracy")
_MATRICES = {"fig5a": "rafdb_basic", "fig5b": "affectnet", "fig6": "rafdb_compound"}


class Asked(NamedTuple):
    """What would measure a printed number: data, λ, and a number of one run."""

    data: str
    lam: float
    what: Callable[[Recording], float]


def judge(entry: Mapping[str, Any], experiments: Iterable[Experiment]) -> str:
    """Judge one number that the paper prints, by sealed experiments.

    The answer is *equal*, *different* or *undecided* with our number, or says what is
    missing. ``entry`` is one of ``published.json``.
    """
    rule = entry["rule"]
    if rule in NO_VERDICT:
        return NO_VERDICT[rule]
    if rule == "share" and entry["n"] < FEWEST_IMAGES:
        return f"{entry['n']} images: too few"
    asked = ask(entry["key"])
    for found in experiments:
        arm = _arm_for(asked, found) if asked else None
        if asked and arm:
            of_gain = entry["key"].startswith("gain.")
            what = asked.what
            values = changes(found, arm, what) if of_gain else found.values(arm, what)
            return beside(published.number(entry["key"]), values, MARGINS[rule])
    return f"needs {published.needed_data(entry['key'])}"


def beside(printed: float, values: Sequence[float], margin: float) -> str:
    """Say whether our runs give a printed number, with the mean and interval of ours.

    Both come from the same test images, so seeds are the noise. The printed number is
    one run: *different* is only what one more run of ours would hardly give.
    """
    ours = mean_interval(values)
    reach = (ours.high - ours.mean) * (ours.n + 1) ** 0.5  # of one more run
    one_more = ours.mean - reach, ours.mean + reach
    word = compare((ours.low, ours.high), printed, margin)
    if word != "equal":
        word = compare(one_more, printed, margin)
    return f"{word}: {ours.mean:.3g} ({ours.low:.3g} to {ours.high:.3g})"


def ask(key: str) -> Asked | None:
    """Say what would measure a published number; None if no recorded run keeps it."""
    head, *rest = key.split(".")
    if head == "table1":
        lam = 0.9 if "Lsep" in rest[0] else 0.0
        return Asked("rafdb_basic", lam, _similarity(rest[1]))
    if head == "centers":
        j, epoch = BASIC_CLASSES.index(rest[1]), {"first": 0, "last": -1}[rest[0]]
        return Asked("rafdb_basic", 0.9, lambda run: float(run.agreement[epoch][j]))
    if head == "table2" and rest[0].startswith("ResNet18+"):
        return Asked(rest[1], 0.9 if "Lsep" in rest[0] else 0.0, accuracy)
    if head == "gain":
        return Asked(rest[0], 0.9, accuracy)
    if head == "fig4":
        return Asked("rafdb_basic", float(".".join(rest)), accuracy)
    if head in _MATRICES:
        return Asked(_MATRICES[head], 0.9, _share(_MATRICES[head], *rest))
    return None


def _similarity(column: str) -> Callable[[Recording], float]:
    if column == "avg_inter":
        return inter
    own = slice(None) if column == "avg_intra" else BASIC_CLASSES.index(column)
    return lambda run: float(intra_by_class(run)[own].mean())


def _share(data: str, true: str, said: str) -> Callable[[Recording], float]:
    i, j = (_classes(data).index(name) for name in (true, said))
    return lambda run: float((run.predicted("test")[run.labels == i] == j).mean())


def _classes(data: str) -> tuple[str, ...]:
    return COMPOUND_CLASSES if data == "rafdb_compound" else BASIC_CLASSES


def _arm_for(asked: Asked, found: Experiment) -> str | None:
    """Return the arm that is like the paper's in all; None if there is none."""
    want: dict[str, Any] = SETTING | {"data": asked.data.replace("rafdb", "raf_db")}
    if asked.data == "affectnet":
        want |= AFFECTNET | {"lr_periods": 4}
    for arm in found.runs if found.complete else ():
        its = found.plan["parameters"] | found.plan["arms"][arm]
        whole = not its.get("class_counts") and not its.get("size")
        printed = asked.lam == 0 or its.get("rule") == "published"
        classes = tuple(found.of(arm)[0].facts["data"]["classes"])
        if (
            want.items() <= its.items()
            and _fixed(its) == _fixed(want)
            and its["lam"] == asked.lam
            and whole
            and printed
            and classes == _classes(asked.data)
        ):
            return arm
    return None


def _fixed(parameters: Mapping[str, Any]) -> list[Any]:
    """Return what else the paper fixes: its network, its loss, the steps of η."""
    names = ("arch", "stem", "feature_dim", "loss", "schedule", "lr_periods")
    return [getattr(settings_of(parameters), name) for name in names]


def chapter_of(key: str) -> str | None:
    """Return the chapter that measures such numbers, on other faces; or None."""
    cited = published.entry(key)["rule"] in NO_VERDICT
    return None if cited else _CHAPTERS.get(key.split(".")[0])


def papermill_line(key: str) -> str:
    """Return the command that would measure a number; empty if there is none.

    The capital word behind ``root`` stands for the folder of the reader's own copy.
    """
    chapter = chapter_of(key)
    if chapter is None:
        return ""
    data, other = published.data_sets(key)
    folder = data.split("_db")[0].upper()
    setting = {**SETTING, **(AFFECTNET if data == "affectnet" else {})}
    given = {"data": data, "root": folder, "size": 0, **setting, "n_seeds": 5}
    if other:
        given |= {"other": other, "other_root": other.upper()}
    asked = " ".join(f"-p {name} {value}" for name, value in given.items())
    return f"papermill book/{chapter}.ipynb mine.ipynb {asked}"
