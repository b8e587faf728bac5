"""Formulas that are easily written for Eq. 1-8, and wrong.

Each differs from plain loops or from autograd where the library agrees with them: so
these oracles would find such a slip, and a reader finds here what may go wrong.
"""

import pytest
import torch
from test_equations import (
    RULES,
    draw,
    loop_features_gradient,
    loop_inter,
    loop_inter_increment,
    loop_intra,
    loop_intra_increment,
)

from fersep import equations as eq

x, c, y = draw(m=20, d=8, s=5)
m, s = len(x), len(c)
alpha, lam = 0.5, 0.9
lists = x.tolist(), c.tolist(), y.tolist()
lx, lc = x.norm(dim=1, keepdim=True), c.norm(dim=1, keepdim=True)
u, v = x / lx, c / lc
own = v[y]
cosines = (u * own).sum(1, keepdim=True)
n = torch.bincount(y, minlength=s)[:, None]
sums = torch.zeros_like(c).index_add(0, y, u)


def across(a, units):
    """What of the vectors a is orthogonal to the unit vectors."""
    return a - (a * units).sum(-1, keepdim=True) * units


def step_by_autograd():
    """Gradient descent on Eq. 4, which Eq. 8 with the exact rule is."""
    centers = c.clone().requires_grad_()
    eq.separate_loss(x, centers, y).backward()
    torch.optim.SGD([centers], lr=alpha).step()
    return centers.detach() - c


pulls = {rule: eq.intra_increment(x, c, y, rule) for rule in RULES}
pushes = {rule: eq.inter_increment(c, rule) for rule in RULES}
increment = pulls["exact"] + pushes["exact"]

#: What the library says, and what plain loops or autograd say.
RIGHT = {
    "2": (eq.intra_loss(x, c, y), loop_intra(*lists)),
    "3": (eq.inter_loss(c), loop_inter(lists[1])),
    "5": (eq.features_gradient(x, c, y), loop_features_gradient(*lists)),
    "8": (eq.update_centers(c, increment, alpha) - c, step_by_autograd()),
}
for rule in RULES:
    RIGHT[f"6 {rule}"] = pulls[rule], loop_intra_increment(*lists, rule)
    RIGHT[f"7 {rule}"] = pushes[rule], loop_inter_increment(lists[1], rule)

resultant = v.sum(0)
flat = across(sums, v) / lc
away = across(resultant, v) / lc

WRONG = [
    ("2", "the sign of the cosine", (1 + cosines.mean()) / 2),
    ("2", "a sum over the batch", (1 - cosines.sum()) / 2),
    ("2", "cosines, not moved to [0, 1]", 1 - cosines.mean()),
    ("3", "also the pairs k = j", ((v @ v.T).sum() / (s * (s - 1)) + 1) / 2),
    ("3", "each pair once", eq.inter_loss(c) / 2),
    ("3", "over s squared", (((v @ v.T).sum() - s) / s**2 + 1) / 2),
    ("3", "products of centers that are not of length 1", (c @ c.T).sum() / s**2),
    ("5", "the other sign", across(own, u) / lx / (2 * m)),
    ("5", "no projection", -own / lx / (2 * m)),
    ("5", "projected on the center", -(own - cosines * own) / lx / (2 * m)),
    ("5", "|x| to 3/2, not to 3", -(own - cosines * x / lx**0.5) / lx / (2 * m)),
    ("5", "1/m forgotten", -across(own, u) / lx / 2),
    ("5", "1/|x| forgotten", -across(own, u) / (2 * m)),
    ("6 exact", "damped by 1 + n_j", -flat / (2 * m * (1 + n))),
    ("6 exact", "no projection", -sums / lc / (2 * m)),
    ("6 exact", "over the number of classes", -flat / (2 * s)),
    ("6 published", "damped by n_j", -flat / (2 * m * n)),
    ("6 published", "1/m forgotten", -flat / (2 * (1 + n))),
    ("6 mean", "a mean over n_j, not 1 + n_j", -flat / (2 * n)),
    ("7 exact", "halved, as printed", away / (2 * s * (s - 1))),
    ("7 exact", "both orders of a pair added", 2 * away / (s * (s - 1))),
    ("7 exact", "1/|c| forgotten", away * lc / (s * (s - 1))),
    ("7 published", "the other sign", -away / (2 * s * (s - 1))),
    ("7 published", "no projection", resultant / lc / (2 * s * (s - 1))),
    ("8", "added, not subtracted", alpha * increment),
    ("8", "λ in the step of the centers", -alpha * lam * increment),
    ("8", "the pull alone", -alpha * pulls["exact"]),
]


def gap(got, want):
    want = torch.as_tensor(want, dtype=torch.float64)
    return float((got - want).abs().max() / want.abs().max())


@pytest.mark.parametrize(("equation", "slip", "wrong"), WRONG)
def test_the_oracle_tells_the_wrong_formula_from_the_library(equation, slip, wrong):
    library, oracle = RIGHT[equation]
    assert wrong.shape == library.shape
    assert gap(library, oracle) < 1e-12
    assert gap(wrong, oracle) > 1e-3, slip
