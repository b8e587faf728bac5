"""Action units, the expressions that show them, and how much they tell.

The units are those of the facial action coding system.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fersep.data import BASIC_CLASSES, COMPOUND_CLASSES, DataError
from fersep.rendered.sampling import TABLES, class_counts, spreads, uniform

#: The action units that move a face, and what each does.
ACTION_UNITS = {int(u): words for u, words in TABLES["action_units"].items()}

UNITS = tuple(ACTION_UNITS)

#: Share of faces of each expression that show a unit.
EXPRESSIONS: dict[str, dict[int, float]] = {
    code: {int(u): share for u, share in row.items()}
    for code, row in TABLES["expressions"].items()
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
