"""Action units, the expressions that show them, and how much they tell.

The units are those of the facial action coding system.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fersep.data import BASIC_CLASSES, COMPOUND_CLASSES, DataError
from fersep.rendered.sampling import class_counts, spreads, uniform

#: The action units that move a face, and what each does.
ACTION_UNITS = {
    1: "inner brow raiser", 2: "outer brow raiser", 4: "brow lowerer",
    5: "upper lid raiser", 6: "cheek raiser", 7: "lid tightener",
    9: "nose wrinkler", 10: "upper lip raiser", 11: "nasolabial deepener",
    12: "lip corner puller", 15: "lip corner depressor", 17: "chin raiser",
    20: "lip stretcher", 23: "lip tightener", 24: "lip pressor", 25: "lips part",
    26: "jaw drop",
}  # fmt: skip

UNITS = tuple(ACTION_UNITS)

#: Share of faces of each expression that show a unit, after Du, Tao and Martinez
#: (2014), Table 1. Units of the prototype, known only to be above .7, stand at .9.
_SHARES = {
    "NE": "",
    "HA": "12:.9 25:.9 6:.51",
    "SA": "4:.9 15:.9 1:.6 6:.5 11:.26 17:.67",
    "SU": "1:.9 2:.9 25:.9 26:.9 5:.66",
    "FE": "1:.9 4:.9 20:.9 25:.9 2:.57 5:.63 26:.33",
    "AN": "4:.9 7:.9 24:.9 10:.26 17:.52 23:.29",
    "DI": "9:.9 10:.9 17:.9 4:.31 24:.26",
    "HS": "1:.9 2:.9 12:.9 25:.9 5:.64 26:.67",
    "HD": "10:.9 12:.9 25:.9 4:.32 6:.61 9:.59",
    "SF": "1:.9 4:.9 20:.9 25:.9 2:.46 5:.24 6:.34 15:.3",
    "SA_": "4:.9 15:.9 6:.26 7:.48 11:.2 17:.5",
    "SS": "1:.9 4:.9 25:.9 26:.9 2:.27 6:.31",
    "SD": "4:.9 10:.9 1:.49 6:.61 9:.2 11:.35 15:.54 17:.47 25:.43",
    "FA": "4:.9 20:.9 25:.9 5:.4 7:.39 10:.3 11:.33",
    "FS": "1:.9 2:.9 5:.9 20:.9 25:.9 4:.47 10:.35 11:.22 26:.51",
    "AS": "4:.9 25:.9 26:.9 5:.35 7:.5 10:.34",
    "AD": "4:.9 10:.9 17:.9 7:.6 9:.57 24:.36",
    "DS": "1:.9 2:.9 5:.9 10:.9 4:.45 9:.37 17:.66 24:.33",
}

EXPRESSIONS: dict[str, dict[int, float]] = {
    code: {int(u): float(p) for u, p in (pair.split(":") for pair in text.split())}
    for code, text in _SHARES.items()
}

#: The expression of each label, a key of `EXPRESSIONS`. SA is sad among the basic and
#: sadly angry (SA_) among the compound classes.
EXPRESSIONS_OF = {
    "rendered_basic": BASIC_CLASSES,
    "rendered_compound": tuple("SA_" if c == "SA" else c for c in COMPOUND_CLASSES),
}


def units_of(active: dict[int, float]) -> Tensor:
    """Return one face's units (1, 2, 17) from {unit: intensity}.

    Raises
    ------
    DataError
        If a unit is unknown.
    """
    for unit in active:
        if unit not in ACTION_UNITS:
            raise DataError(
                f"action unit {unit} is not drawn; choose from "
                f"{', '.join(map(str, UNITS))}"
            )
    row = torch.tensor([active.get(u, 0.0) for u in UNITS])
    return row.expand(1, 2, len(UNITS)).clone()


def expected_units(classes: list[str], difficulty: str = "easy") -> Tensor:
    """Return the probability of each unit (n, 17) in faces of given expressions.

    A unit that the table does not list for an expression is a stray one. It has the
    probability that the difficulty gives it, 0 for "easy".
    """
    stray = spreads(difficulty)["stray"]
    rows = [[EXPRESSIONS[c].get(u, stray) for u in UNITS] for c in classes]
    return torch.tensor(rows).reshape(len(classes), len(UNITS))


def action_units(
    classes: list[str], seed: int, index: Tensor, persons: Tensor, difficulty: str
) -> Tensor:
    """Draw the action units of images.

    Parameters
    ----------
    classes : list of str, (n,)
        Expressions, keys of `EXPRESSIONS`.
    seed : int
    index, persons : Tensor, (n,) int64
        Number of each image and of its person.
    difficulty : str

    Returns
    -------
    Tensor, (n, 2, 17)
        Intensities from 0 to 1 of the left and right half of the picture.
    """
    chance = expected_units(classes, difficulty).to(index.device)
    draw = uniform(seed, 2, index, 3 * len(UNITS)).unflatten(1, (3, len(UNITS)))
    habit = 0.85 + 0.15 * uniform(seed, 3, persons, len(UNITS))
    shown = (draw[:, 0] < chance).float()
    low = spreads(difficulty)["weakest"]
    strength = shown * (low + (1 - low) * draw[:, 1]) * habit
    lean = 0.15 * (2 * draw[:, 2] - 1)
    return torch.stack([strength * (1 - lean), strength * (1 + lean)], 1).clamp(0, 1)


def bayes_accuracy(name: str, counts: str = "raf", difficulty: str = "easy") -> float:
    """Return the accuracy of the best classifier that sees which units are shown.

    All 2^17 sets of units are gone through, so the number is exact. It bounds what an
    image can tell: units are drawn from the expression, all the rest of an image is
    not.
    """
    joint = torch.tensor(class_counts(name, counts), dtype=torch.float64)[:, None]
    joint = joint / joint.sum()
    for chance in expected_units([*EXPRESSIONS_OF[name]], difficulty).double().T:
        both = torch.stack([1 - chance, chance], 1)
        joint = (joint[:, :, None] * both[:, None, :]).flatten(1)
    return float(joint.max(0).values.sum())
