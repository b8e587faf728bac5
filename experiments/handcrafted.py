r"""Handcrafted features and a classifier: the rows ``handcrafted`` of an experiment.

    uv run --no-project --with scikit-image==0.26.0 \
        python experiments/handcrafted.py fer2013-systems --root FOLDER

A row names features and a classifier, and has trials: each is fitted to some training
images and judged on the validation images. The best, of equal ones the first, is fitted
to all training images, and only then the test images are looked at. Each row becomes
results/EXPERIMENT/ROW.npz, whole or not at all; what is there already is left alone.

With --data rendered_basic --size 700 --out FOLDER the same rows are tried in a minute;
what they leave has no seal, so that no experiment takes it for its own.
"""

import argparse
import json
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import numpy as np
import yaml
from scipy.ndimage import correlate
from skimage.feature import hog, local_binary_pattern
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from fersep import data, provenance, storage
from fersep.data import Faces
from fersep.gates import POINTS

ROOT = Path(__file__).parents[1]
#: Middles of 19 patches in shares of an aligned picture's width and height: between
#: and at the inner brows, between and below the eyes, beside the nose, on the cheeks,
#: at and below the corners of the mouth and the lower lip (after Happy and Routray).
#: Half of them; the others mirror these.
PATCHES = [
    (0.5, 0.30), (0.5, 0.41), (0.5, 0.87), (0.587, 0.28), (0.692, 0.50),
    (0.616, 0.52), (0.616, 0.62), (0.762, 0.62), (0.663, 0.755), (0.674, 0.85),
    (0.721, 0.69),
]  # fmt: skip
MIDDLES = np.array(sorted({*PATCHES, *((round(1 - x, 3), y) for x, y in PATCHES)}))
#: The point of `fersep.gates` that is nearest to each, and moves with it.
NEAREST = ((MIDDLES[:, None] - POINTS) ** 2).sum(2).argmin(1)
RING = [(1, 2), (0, 2), (0, 1), (0, 0), (1, 0), (2, 0), (2, 1), (2, 2)]


def histograms(codes: np.ndarray, number: int) -> np.ndarray:
    """Square roots of the shares of each code, in cells of 8 pixels."""
    rows, columns = (side // 8 for side in codes.shape)
    cells = codes[: rows * 8, : columns * 8].astype(int).reshape(rows, 8, columns, 8)
    cells = cells.swapaxes(1, 2).reshape(-1, 64)
    shares = [np.bincount(cell, minlength=number) / 64 for cell in cells]
    return np.sqrt(np.concatenate(shares))


def lbp(image: np.ndarray) -> np.ndarray:
    """Uniform local binary patterns of 8 neighbors (Ojala et al., 2002), 59 codes."""
    return histograms(local_binary_pattern(image, 8, 1, "nri_uniform"), 59)


def lbp_in_patches(
    image: np.ndarray, middles: Sequence[Sequence[float]] = MIDDLES
) -> np.ndarray:
    """The same in 19 patches of 8 pixels around eyes, nose and mouth."""
    codes = local_binary_pattern(image, 8, 1, "nri_uniform").astype(int)
    found = []
    for place in middles:  # whole patches, also of a face that is cut
        left, top = (
            min(max(round(q * side) - 4, 0), side - 8)
            for q, side in zip(place, image.shape[::-1], strict=True)
        )
        found.append(histograms(codes[top : top + 8, left : left + 8], 59))
    return np.concatenate(found)


def lbp_at_landmarks(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The same, each patch moved as the landmark (24, 2) nearest to it."""
    moved = (points - np.array(POINTS))[NEAREST]
    return lbp_in_patches(image, (MIDDLES + moved).tolist())


def ldn(image: np.ndarray) -> np.ndarray:
    """Local directional numbers (Ramirez Rivera et al., 2013), 64 codes.

    Of Kirsch's eight edge masks, the number of the strongest and of the weakest.
    """
    masks = np.full((8, 3, 3), -3.0)
    masks[:, 1, 1] = 0
    for turn in range(8):
        for step in (-1, 0, 1):
            masks[turn][RING[(turn + step) % 8]] = 5
    edges = [correlate(image.astype(float), mask, mode="nearest") for mask in masks]
    return histograms(8 * np.argmax(edges, 0) + np.argmin(edges, 0), 64)


#: The last are histograms of oriented gradients (Dalal and Triggs, 2005).
CELLS = {"pixels_per_cell": (8, 8), "cells_per_block": (2, 2)}
FEATURES = {
    "lbp": lbp,
    "patches": lbp_in_patches,
    "ldn": ldn,
    "hog": partial(hog, orientations=8, **CELLS),
}


def classifier(kind: str, d: int, trial: dict):
    """Return a classifier of d features; gamma of a trial is in units of 1 / d."""
    if kind == "lda":
        return LinearDiscriminantAnalysis("lsqr", **trial)
    if kind == "linear":
        return make_pipeline(StandardScaler(), LinearSVC(**trial, random_state=0))
    svm = SVC(C=trial["C"], gamma=trial["gamma"] / d, cache_size=1000)
    return make_pipeline(StandardScaler(), PCA(100, random_state=0), svm)


def run_row(row: dict, splits: Sequence[Faces], number: int) -> tuple[dict, dict]:
    """Choose by fits to a number of training images; return arrays and facts."""

    def describe(faces: Faces) -> np.ndarray:
        gray = faces.images.float().mean(1).round().byte().numpy()
        if row["features"] == "landmarks":
            rows = map(lbp_at_landmarks, gray, faces.points.numpy())
        else:
            rows = map(FEATURES[row["features"]], gray)
        return np.array([*rows], np.float32)

    x, unseen = map(describe, splits[:2])
    y, right, answers = (faces.labels.numpy() for faces in splits)
    few = np.sort(np.random.default_rng(0).permutation(len(y))[:number])
    scores = []
    for trial in row["trials"]:
        fitted = classifier(row["classifier"], x.shape[1], trial).fit(x[few], y[few])
        scores.append(100 * float((fitted.predict(unseen) == right).mean()))
    taken = row["trials"][int(np.argmax(scores))]
    fitted = classifier(row["classifier"], x.shape[1], taken).fit(x, y)
    arrays = {"validation_labels": right, "test_labels": answers}
    arrays["validation_predictions"] = fitted.predict(unseen)
    arrays["test_predictions"] = fitted.predict(describe(splits[2]))
    made = provenance.provenance()
    for name in ("scikit-image", "scikit-learn"):
        made["versions"][name] = metadata.version(name)
    of = {"name": splits[0].name, "classes": list(splits[0].classes), "count": len(y)}
    return {name: array.astype("u1") for name, array in arrays.items()}, {
        "settings": row | {"taken": taken, "seed": 0},
        "history": {"trials": scores},
        "data": of | {"fingerprint": splits[0].fingerprint},
        "provenance": made,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="See the head of this file.")
    parser.add_argument("experiment")
    for option in ("--root", "--data", "--size", "--out"):
        parser.add_argument(option)
    order = parser.parse_args()
    trial = bool(order.data or order.size)
    if trial and not order.out:
        parser.error("another data set or size is a trial: name a folder --out")
    text = (ROOT / "experiments" / f"{order.experiment}.yml").read_bytes()
    plan = yaml.safe_load(text)
    out = Path(order.out or ROOT / "results" / order.experiment)
    name, size = order.data or plan["parameters"]["data"], int(order.size or 0)
    splits = data.load_splits(name, order.root, image_size=48, size=size)
    for arm, row in plan["handcrafted"].items():
        if (place := out / f"{arm}.npz").exists():
            continue
        arrays, facts = run_row(row, splits, plan["tuned_on"])
        seal = "" if trial else sha256(text).hexdigest()
        facts["note"] = {"experiment": order.experiment, "arm": arm, "seal": seal}
        with storage.whole_file(place) as part, part.open("wb") as file:
            np.savez_compressed(file, facts=json.dumps(facts), **arrays)
        print(f"{place}: {max(facts['history']['trials']):.1f} %", flush=True)
