"""A run as arrays: what an analysis needs, and no weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fersep import analysis, data, equations, storage
from fersep.gates import POINTS
from fersep.training.algorithm import evaluate, fit
from fersep.training.processes import autocast, pick_device
from fersep.training.runs import Run, Settings

Arrays = dict[str, NDArray[Any]]


def collect_arrays(
    run: Run,
    faces: Mapping[str, data.Faces],
    *,
    features: bool = False,
    brief: bool = False,
    device: str = "auto",
) -> Arrays:
    """Return what a run learned and what it makes of faces, in 16 bits.

    Parameters
    ----------
    faces : dict of str to Faces
        "train", "validation", "test", and other sets under names of their own.
    features : bool
        Keep the features of the test images too.
    brief : bool
        Keep the predicted classes alone.

    Returns
    -------
    dict of str to array
        ``learned`` and ``true`` centers (epochs, s, d); of each split ``NAME_means``
        (s, d), the mean directions of the features of each class, 0 without an image;
        of those unseen ``NAME_logits`` (n, s) and ``NAME_labels`` (n,); of other sets
        ``NAME_labels`` and ``NAME_predictions``; ``test_purity``, the share of
        neighbors of one class among the directions of the test features;
        ``test_features`` (n, d).
    """
    where = pick_device(device)
    found: dict[str, Any] = {}
    if not brief:
        found = {"learned": run.center_history, "true": run.true_history}
    model = run.model.to(where)
    for name, part in faces.items():
        if name == "train" and brief:
            continue
        with autocast(run.settings.precision, where):
            vectors, logits = evaluate(model, part.images, points=part.points)
        if name != "train":
            found[f"{name}_labels"] = part.labels
        if name not in data.SPLITS or brief:
            found[f"{name}_predictions"] = logits.argmax(1)
            continue
        directions, s = equations.unit(vectors)[0], len(part.classes)
        sums, counts = equations.class_sums(directions, part.labels, s)
        found[f"{name}_means"] = sums / counts[:, None].clamp(min=1)
        if name != "train":
            found[f"{name}_logits"] = logits
        if name == "test" and len(part) > analysis.NEIGHBORS:
            found["test_purity"] = analysis.neighbor_purity(directions, part.labels)
        if name == "test" and features:
            found["test_features"] = vectors
    run.model.cpu()
    return {name: _shorten(array) for name, array in found.items()}


def _shorten(values: Any) -> NDArray[Any]:
    array = np.asarray(values)
    kind = "u1" if array.dtype.kind != "f" else "f2" if array.ndim else "f4"
    return array.astype(kind)


def save_arrays(
    path: str | Path, run: Run, arrays: Arrays, note: Mapping[str, str]
) -> None:
    """Write a run's arrays and facts as one compressed file, whole or not at all.

    The facts are JSON: those of `Run.facts`, a note, and `reference_losses`.
    """
    facts = run.facts() | {"note": dict(note)}
    facts["reference"] = reference_losses(run.settings)
    content: Any = {"facts": np.array(json.dumps(facts, allow_nan=False)), **arrays}
    with storage.whole_file(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **content)


def load_facts(path: str | Path) -> dict[str, Any]:
    """Return the facts that :func:`save_arrays` kept."""
    with np.load(path) as arrays:
        facts: dict[str, Any] = json.loads(str(arrays["facts"]))
    return facts


def reference_losses(settings: Settings) -> list[float]:
    """Train for a moment with these settings; return the losses of each epoch.

    The images are noise of a fixed seed, the epochs two, the precision float32 and the
    start random. Code that still behaves as it did gives the same numbers, on any
    machine within rounding, however its text has changed.
    """
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(48) % 7
    noise = torch.randint(0, 256, (48, 3, 24, 24), generator=generator)
    images = (noise // 2 + 18 * labels[:, None, None, None]).to(torch.uint8)
    faces = data.Faces(
        "noise",
        images,
        labels,
        data.BASIC_CLASSES,
        [""] * 48,
        data.card("folder"),
        points=torch.tensor(POINTS).expand(48, -1, -1),
    )
    settings = replace(
        settings, epochs=2, batch_size=16, precision="float32", weights=None
    )
    run = fit(faces, faces, settings, device="cpu", progress=False)
    kinds = ("softmax_loss", "intra_loss", "inter_loss")
    return [loss for kind in kinds for loss in run.history[kind]]
