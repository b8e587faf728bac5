"""Trained runs that are used again: trained once, kept in ``_build/runs``."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from fersep import provenance, storage
from fersep.training.algorithm import fit
from fersep.training.runs import Run, Settings

if TYPE_CHECKING:
    from fersep.data import Faces


def run_key(train: Faces, validation: Faces, settings: Settings) -> str:
    """Return the name of a run in ``_build/runs``: a hash of all that computes it.

    Settings, data, and the code of this library that takes part.
    """
    facts = {
        "settings": asdict(settings),
        "train": train.fingerprint,
        "validation": validation.fingerprint,
        "code": provenance.code_key("fersep.training"),
    }
    if settings.weights and (file := Path(settings.weights)).is_file():
        facts["weights"] = hashlib.sha256(file.read_bytes()).hexdigest()
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

    Runs lie in ``_build/runs``, each under its :func:`run_key`. A training that was
    interrupted goes on from its last epoch. Parameters and errors are those of
    :func:`fit`.
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
