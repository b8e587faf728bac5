"""Trained runs that are used again: trained once, kept in ``_build/runs``."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fersep import provenance, storage
from fersep.training.algorithm import fit
from fersep.training.runs import Run, Settings

if TYPE_CHECKING:
    from fersep.data import Faces


def run_key(train: Faces, validation: Faces, settings: Settings) -> str:
    """Return the name of a run in ``_build/runs``: a hash of all that computes it."""
    facts = {
        "settings": asdict(settings),
        "train": train.fingerprint,
        "validation": validation.fingerprint,
        "code": provenance.code_key("fersep.training"),
    }
    if settings.weights and Path(settings.weights).is_file():
        content = Path(settings.weights).read_bytes()
        facts["weights"] = hashlib.sha256(content).hexdigest()
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def load_or_train(
    train: Faces,
    validation: Faces,
    settings: Settings,
    *,
    device: str = "auto",
    progress: bool = True,
) -> Run:
    """Return the saved run of exactly these settings and data, or train and save it.

    Runs lie in ``_build/runs``, each under a key made of everything that computes it:
    settings, data, and the code of this library that takes part. A training that was
    interrupted goes on from its last epoch.

    Parameters and errors are those of :func:`fit`.
    """
    key = run_key(train, validation, settings)
    folder = storage.build_folder() / "runs" / key
    if folder.is_dir():
        return Run.load(folder)
    unfinished = storage.build_folder() / "runs" / ".checkpoints" / key
    try:
        run = fit(
            train,
            validation,
            settings,
            device=device,
            progress=progress,
            checkpoint_folder=unfinished,
            resume=True,
        )
        run.save(folder)
    except OSError:
        if not folder.is_dir():
            raise
        return Run.load(folder)  # another process trained the same run meanwhile
    finally:
        if folder.is_dir():
            shutil.rmtree(unfinished, ignore_errors=True)
    return run


def train_pairs(
    train: Faces,
    validation: Faces,
    settings: Settings,
    n_seeds: int,
    *,
    run: str = "",
    device: str = "auto",
    progress: bool = True,
) -> tuple[list[Run], list[Run]]:
    """Return runs of the softmax loss and of the separate loss, paired by seed.

    Parameters
    ----------
    train, validation, settings, device, progress
        As in :func:`load_or_train`. The softmax runs have λ = 0 and are alike in all
        else.
    n_seeds : int
        How many seeds, counted up from ``settings.seed``.
    run : str
        A saved run of the separate loss to use instead; its softmax partner is trained
        with its settings unless it is there already.

    Returns
    -------
    softmax, separate : list of Run

    Raises
    ------
    ValueError
        If n_seeds is below 1, λ is 0, or the saved run saw other images.
    """
    load = partial(load_or_train, train, validation, device=device, progress=progress)
    if n_seeds < 1:
        raise ValueError(f"n_seeds must be at least 1, got {n_seeds}")
    if run:
        separate = [_load_separate(run, train)]
    elif settings.lam == 0:
        raise ValueError(
            "lam is 0, which is the softmax loss itself; give a lam above 0 to compare"
        )
    else:
        seeds = range(settings.seed, settings.seed + n_seeds)
        separate = [load(replace(settings, seed=seed)) for seed in seeds]
    return [load(replace(each.settings, lam=0.0)) for each in separate], separate


def _load_separate(folder: str, train: Faces) -> Run:
    """Load a saved run; raise unless it is one of the separate loss on these images."""
    saved = Run.load(folder)
    if saved.settings.lam == 0:
        raise ValueError(
            f"run={folder} was trained with lam 0, the softmax loss itself; give a "
            "run of the separate loss"
        )
    if saved.data["fingerprint"] != train.fingerprint:
        raise ValueError(
            f"run={folder} was trained on other images ({saved.data['name']}); give "
            "the same data, root, image_size and train_size as in its training"
        )
    return saved
