"""From a chapter's parameters to its faces and its paired runs."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from fersep import data
from fersep.training import Settings
from fersep_book import records


def settings_of(parameters: Mapping[str, Any], **changes: Any) -> Settings:
    """Return the settings that a chapter's parameters ask for, but for some changes.

    Parameters that are no settings are left aside; empty ``weights`` are random ones.
    """
    known = {field.name for field in fields(Settings)}
    asked = {name: value for name, value in parameters.items() if name in known}
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


def record_origin(
    train: data.Faces, test: data.Faces, n_seeds: int, prefix: str = ""
) -> None:
    """Keep in the chapter's record which faces it saw, how many, and how many seeds."""
    records.value(f"{prefix}data", train.card.name)
    records.value(f"{prefix}images.train", len(train.labels))
    records.value(f"{prefix}images.test", len(test.labels))
    records.value(f"{prefix}seeds", n_seeds)
