"""From an experiment to its recorded runs, and from parameters to faces and settings.

An experiment is a file in ``experiments/``. Its hash, the seal, stands in every result,
so a result belongs to the text that was there before it. `load` reads the results,
`train` makes the same arms with a reader's own faces; both give paired runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from fersep import analysis, data, training
from fersep.analysis import Interval
from fersep.training import Settings, arrays
from fersep.training.arrays import reference_losses
from fersep_book import ROOT

Array = NDArray[Any]


#: Arm of an experiment that has one for each rule of the centers -> words.
RULES = {"exact": "exact gradient", "published": "as printed", "mean": "mean rule"}

#: Arm of an experiment that has one for each loss -> words.
LOSSES = RULES | {
    "separate": "separate loss",
    "pull": "pull alone",
    "fixed": "fixed centers",
    "first-means": "means of the first batch",
    "batch-means": "means of each batch",
    "smoothing": "label smoothing",
    "normface": "NormFace",
    "cosface": "CosFace",
    "arcface": "ArcFace",
    "center": "center loss",
    "island": "island loss",
    "locality": "locality preserving loss",
}

#: Arm of an experiment that has one for each network -> words.
NETWORKS = {
    "resnet18": "ResNet18 (softmax)",
    "patches": "patches without gates",
    "pgcnn": "PG-CNN",
    "gacnn": "gACNN",
}


@dataclass(frozen=True)
class Recording:
    """What one training left: facts in words and numbers, and arrays.

    Attributes
    ----------
    facts : dict
        Settings, data, history, seconds, provenance; of a result also its note and the
        losses of its reference training.
    arrays : dict of str to array
        As `fersep.training.arrays.collect_arrays` makes them.
    """

    facts: Mapping[str, Any]
    arrays: Mapping[str, Array]

    @cached_property
    def labels(self) -> Array:
        """Classes of the test images, (n,)."""
        return self.arrays["test_labels"].astype(int)

    @cached_property
    def right(self) -> Array:
        """Whether each test image was recognized, (n,)."""
        return self.right_on("test")

    def right_on(self, part: str) -> Array:
        """Whether each image of a part was recognized, (n,)."""
        right = self.predicted(part) == self.arrays[f"{part}_labels"]
        return np.asarray(right)

    def predicted(self, part: str) -> Array:
        """The classes of a part's images as the run sees them, (n,)."""
        if f"{part}_predictions" in self.arrays:
            return self.arrays[f"{part}_predictions"]
        return self.arrays[f"{part}_logits"].argmax(1)

    @cached_property
    def agreement(self) -> Array:
        """Cosine of learned and true center, by epoch and class, (epochs, s)."""
        return np.array(self.facts["history"]["agreement"])

    @cached_property
    def recall(self) -> Array:
        """Share of each class's test images that was recognized, in percent, (s,)."""
        counts = np.bincount(self.labels)
        return 100 * np.bincount(self.labels, self.right) / counts


@dataclass(frozen=True)
class Experiment:
    """Paired runs: every arm with the same seeds.

    Attributes
    ----------
    name : str
    plan : dict
        The experiment's file, as read.
    runs : dict of str to dict of int to Recording
        By arm and seed; only seeds that all arms have. A handcrafted row has no chance
        in it, and stands beside every seed.
    """

    name: str
    plan: Mapping[str, Any]
    runs: Mapping[str, Mapping[int, Recording]]

    @property
    def seeds(self) -> list[int]:
        """The seeds that all arms have."""
        return list(next(iter(self.runs.values()), {}))

    @property
    def complete(self) -> bool:
        """Whether every planned run is there; a verdict needs all of them."""
        rows = set(self.plan.get("handcrafted", ()))
        return self.seeds == self.plan["seeds"] and rows <= set(self.runs)

    @property
    def networks(self) -> list[str]:
        """The arms that train a network; the others are handcrafted rows."""
        rows = self.plan.get("handcrafted", ())
        return [arm for arm in self.runs if arm not in rows]

    @property
    def begun(self) -> bool:
        """Whether there are two seeds at least, so that a spread can be shown."""
        return len(self.seeds) > 1

    def of(self, arm: str) -> list[Recording]:
        """Return the runs of an arm, in the order of the seeds."""
        return list(self.runs[arm].values())

    def values(self, arm: str, what: Callable[[Recording], float]) -> list[float]:
        """Return a number of each run of an arm."""
        return [what(run) for run in self.of(arm)]

    def gain(
        self,
        arm: str,
        base: str | None = "softmax",
        *,
        part: str = "test",
        score: Callable[[Recording], Array] | None = None,
        by_class: bool = False,
        images: Array | None = None,
        **rule: float,
    ) -> Interval:
        """Return the gain in accuracy in points, over seeds and test images.

        Without a base it is no gain, but the accuracy of the arm. ``part`` names the
        images, "test" or another set that the runs were tried on; of these only the
        true ones of ``images`` (n,) count. ``score`` gives what a run gets for each
        image (n,), at most 1: by default, whether it is right. With ``by_class`` all
        classes count alike. ``level`` and ``null``, in points, are those of
        `analysis.two_way_interval`.
        """
        what = score or (lambda run: run.right_on(part))
        values = [100.0 * what(run) for run in self.of(arm)]
        if base:
            both = zip(values, self.of(base), strict=True)
            values = [new - 100.0 * what(old) for new, old in both]
        labels = self.of(arm)[0].arrays[f"{part}_labels"]
        kept = np.ones(len(labels), bool) if images is None else images
        strata = labels[kept] if by_class else None
        if len(values) == 1:
            return analysis.mean_interval([_mean(values[0][kept], strata)])
        return analysis.two_way_interval(np.array(values)[:, kept], strata, **rule)

    def source(self) -> str:
        """Say in small print what was measured, on what, and where."""
        if not self.runs:
            return f"Experiment {self.name} · no seed is recorded yet"
        some = next(iter(next(iter(self.runs.values())).values()))
        settings = some.facts["settings"]
        arms = self.networks
        sets = [self.of(arm)[0].facts["data"] for arm in arms]
        names = dict.fromkeys(each["name"] for each in sets)
        counts = [each["count"] for each in sets]
        some_or_all = " to ".join(f"{n:,}" for n in sorted({min(counts), max(counts)}))
        judged = "test" if "test_labels" in some.arrays else "validation"
        images = len(some.arrays[f"{judged}_labels"])
        planned, n = len(self.plan["seeds"]), len(self.seeds)
        seeds = "one seed" if n == 1 else f"{n} seeds"
        seeds += "" if self.complete else f" of {planned}"
        each = [run.facts["provenance"] for arm in arms for run in self.of(arm)]
        archs = ", ".join(
            dict.fromkeys(self.of(arm)[0].facts["settings"]["arch"] for arm in arms)
        )
        machines = dict.fromkeys(f"{e['device']}, {e['precision']}" for e in each)
        return (
            f"Experiment {self.name} · {', '.join(names)}, "
            f"{some_or_all} training and {images:,} {judged} images "
            f"· {archs}, width {settings['width']} · "
            f"{len(arms)} arms × {seeds} · {settings['epochs']} epochs · "
            f"{'; '.join(machines)}"
        )


def _mean(values: Array, strata: Array | None) -> float:
    if strata is None:
        return float(values.mean())
    return float(np.mean([values[strata == name].mean() for name in set(strata)]))


def read_plan(name: str, root: Path | None = None) -> dict[str, Any]:
    """Return an experiment's file, all its arms spelled out, and its seal."""
    folder = (root or ROOT) / "experiments"
    path = folder / f"{name}.yml"
    try:
        content = path.read_bytes()
    except OSError:
        there = ", ".join(sorted(each.stem for each in folder.glob("*.yml")))
        raise ValueError(f"no experiment is named {name}; there are {there}") from None
    plan: dict[str, Any] = yaml.safe_load(content)
    matrix = plan.get("matrix", {})
    grid = [dict(zip(matrix, each, strict=True)) for each in product(*matrix.values())]
    arms = {",".join(f"{k}={v}" for k, v in arm.items()): arm for arm in grid if arm}
    plan["arms"] = plan.get("arms", {}) | arms
    for other, names in plan.get("reuse", {}).items():
        theirs = read_plan(other, root)["arms"]
        plan["arms"] = {arm: theirs[arm] for arm in names} | plan["arms"]
    return plan | {"seal": hashlib.sha256(content).hexdigest()}


@cache
def load(name: str, root: Path | None = None) -> Experiment:
    """Return the recorded runs of an experiment, and those that it takes from others.

    ValueError if there is no such experiment, or a result was made under another text
    of it.
    """
    plan = read_plan(name, root)
    runs: dict[str, dict[int, Recording]] = {}
    for path in sorted(((root or ROOT) / "results" / name).glob("*.npz")):
        facts = arrays.load_facts(path)
        if facts["note"]["seal"] != plan["seal"]:
            raise ValueError(
                f"results/{name}/{path.name} was made under another text of "
                f"experiments/{name}.yml; restore that text, and give the changed "
                "experiment a new name"
            )
        arm, seed = facts["note"]["arm"], facts["settings"]["seed"]
        # An array is read when it is asked for.
        runs.setdefault(arm, {})[seed] = Recording(facts, np.load(path))
    for other, names in plan.get("reuse", {}).items():
        theirs = load(other, root).runs
        runs |= {arm: dict(theirs.get(arm, {})) for arm in names}
    arms = plan["arms"]
    seeds = [s for s in plan["seeds"] if all(s in runs.get(arm, {}) for arm in arms)]
    paired = {arm: {s: runs[arm][s] for s in seeds} for arm in arms if seeds}
    rows = [row for row in plan.get("handcrafted", ()) if row in runs and seeds]
    paired |= {row: dict.fromkeys(seeds, *runs[row].values()) for row in rows}
    return Experiment(name, plan, paired)


def shown(
    name: str, parameters: Mapping[str, Any], fewest: int = 1
) -> dict[str, Experiment]:
    """Return what a chapter shows: "recorded" runs, and before them "yours".

    Yours are the same arms, trained here on the faces that the chapter's parameter
    ``data`` names; there are none where it is empty. With less than the ``fewest`` test
    images they are left out, and a sentence says so.
    """
    yours = {"yours": train(name, parameters)} if parameters["data"] else {}
    for mine in yours.values():
        if (n := len(mine.of(next(iter(mine.runs)))[0].labels)) < fewest:
            print(
                f"You have {n} test images, and this chapter needs {fewest}: it shows "
                "the recorded runs alone."
            )
            yours = {}
    return yours | {"recorded": load(name)}


def train(name: str, parameters: Mapping[str, Any]) -> Experiment:
    """Train the arms of an experiment here, on the faces and at the scale of a chapter.

    An arm gives the settings that make it what it is; λ and α are the chapter's where
    it has such a parameter and the arm's value is not 0. All else is the chapter's:
    ``data``, ``root``, what `Settings` knows, ``seed``, ``n_seeds`` and ``device``; and
    the arms that its parameter ``arms`` names, "lam=0, lam=1", where it has one. The
    runs are tried on the set ``other`` in the folder ``other_root`` too, if named.
    """
    plan = read_plan(name)
    asked = [arm for arm in parameters.get("arms", "").split(", ") if arm]
    if unknown := [arm for arm in asked if arm not in plan["arms"]]:
        raise ValueError(
            f"experiments/{name}.yml has no arm {unknown[0]!r}; name some of "
            + ", ".join(plan["arms"])
        )
    arms = {arm: plan["arms"][arm] for arm in asked} or plan["arms"]
    faces = dict(zip(data.SPLITS, load_faces(parameters), strict=True))
    if other := parameters.get("other"):
        faces[other] = data.foreign(other, parameters["other_root"], faces["train"])
    seeds = range(parameters["seed"], parameters["seed"] + parameters["n_seeds"])
    runs: dict[str, dict[int, Recording]] = {arm: {} for arm in arms}
    for seed, (arm, its) in product(seeds, arms.items()):
        run = training.load_or_train(
            faces["train"],
            faces["validation"],
            settings_of(parameters, **_changes(its, parameters), seed=seed),
            device=parameters["device"],
        )
        kept = arrays.collect_arrays(run, faces, features=True)
        runs[arm][seed] = Recording(run.facts(), kept)
    own = {"seeds": list(seeds), "handcrafted": ()}
    return Experiment("of your own", plan | own, runs)


def _changes(arm: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes an arm what it is, but for what the chapter may choose."""
    chosen = [name for name in ("lam", "alpha") if name in parameters and arm.get(name)]
    own = {name: value for name, value in arm.items() if name in _SETTINGS}
    return {"rule": "exact"} | {k: v for k, v in own.items() if k not in chosen}


def outdated(experiment: Experiment) -> list[str]:
    """Return the arms for which the code of today behaves in another way.

    Each result keeps the losses of a moment's training with its own settings; they are
    made again here and compared.
    """
    changed = []
    for arm in experiment.networks:
        facts = experiment.of(arm)[0].facts
        now = reference_losses(Settings(**facts["settings"]))
        # Rounding alone grows in every step: the first epoch tells, and most the push,
        # which is of centers.
        # Another processor may choose other neighbors for the locality-preserving loss.
        then = np.array(facts["reference"])
        apart = (np.abs(now - then) / then.clip(1)).reshape(3, -1)[:, 0]
        if (apart > (1e-2, 1e-3, 1e-4)).any():
            changed.append(arm)
    return changed


_SETTINGS = {field.name for field in fields(Settings)}


def settings_of(parameters: Mapping[str, Any], **changes: Any) -> Settings:
    """Return the settings that a chapter's parameters ask for, but for some changes.

    Parameters that are no settings are left aside; empty ``weights`` are random ones.
    """
    asked = {name: value for name, value in parameters.items() if name in _SETTINGS}
    asked["weights"] = asked.get("weights") or None
    return Settings(**{**asked, **changes})


def load_faces(
    parameters: Mapping[str, Any], **changes: Any
) -> tuple[data.Faces, data.Faces, data.Faces]:
    """Return training, validation and test images that a chapter's parameters ask for.

    Changes are other options of `fersep.data.load_splits`, or ``data`` and ``root``.
    """
    known = ["data", "root", "size", "image_size", "difficulty"]
    if data.is_rendered(changes.get("data", parameters["data"])):
        known.append("test_size")
    asked = {name: parameters[name] for name in known if name in parameters} | changes
    return data.load_splits(asked.pop("data"), asked.pop("root", "") or None, **asked)
