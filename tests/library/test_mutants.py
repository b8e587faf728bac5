"""Mutants of the mathematics: one change at a time, each must fail a unit test.

A mutant that no test kills fails here; so does one whose text is gone. The tests that
run against the mutants are those of `test_equations.py` and `test_losses.py`, without
the random ones of hypothesis.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

#: name: (module, text that occurs once, its replacement)
MUTANTS = {
    # Eq. 1
    "Eq. 1 without the shift": (
        "equations",
        "return ((unit(a)[0] * unit(b)[0]).sum(-1) + 1) / 2",
        "return (unit(a)[0] * unit(b)[0]).sum(-1)",
    ),
    "Eq. 1 with the sign of the shift": (
        "equations",
        "unit(b)[0]).sum(-1) + 1) / 2",
        "unit(b)[0]).sum(-1) - 1) / 2",
    ),
    "Eq. 1 with one vector not of length 1": (
        "equations",
        "unit(a)[0] * unit(b)[0]",
        "unit(a)[0] * b",
    ),
    # Eq. 2
    "Eq. 2 with the sign of the cosine": (
        "equations",
        "return (1 - own_cosines(unit(features)[0], unit(centers)[0], labels).mean())",
        "return (1 + own_cosines(unit(features)[0], unit(centers)[0], labels).mean())",
    ),
    "Eq. 2 as a sum over the batch": (
        "equations",
        "unit(centers)[0], labels).mean()) / 2",
        "unit(centers)[0], labels).sum()) / 2",
    ),
    "Eq. 2 with the center of another class": (
        "equations",
        "return (unit_features * unit_centers[labels]).sum(-1)",
        "return (unit_features * unit_centers[labels - 1]).sum(-1)",
    ),
    # Eq. 3
    "Eq. 3 with the pairs k = j": (
        "equations",
        "(resultant @ resultant - s) / (s * (s - 1))",
        "(resultant @ resultant) / (s * (s - 1))",
    ),
    "Eq. 3 divided by s squared": (
        "equations",
        "(resultant @ resultant - s) / (s * (s - 1))",
        "(resultant @ resultant - s) / (s * s)",
    ),
    "Eq. 3 as a distance": (
        "equations",
        "return (1 + mean_cosine) / 2",
        "return (1 - mean_cosine) / 2",
    ),
    "Eq. 3 with the length of the sum, not its square": (
        "equations",
        "(resultant @ resultant - s)",
        "((resultant @ resultant).sqrt() - s)",
    ),
    "the floor of Eq. 3 with s": (
        "equations",
        "return (num_classes - 2) / (2 * (num_classes - 1))",
        "return (num_classes - 2) / (2 * num_classes)",
    ),
    # Eq. 4
    "Eq. 4 as a difference": (
        "equations",
        "intra_loss(features, centers, labels) + inter_loss(centers)",
        "intra_loss(features, centers, labels) - inter_loss(centers)",
    ),
    "Eq. 4 without Eq. 3": (
        "equations",
        "intra_loss(features, centers, labels) + inter_loss(centers)",
        "intra_loss(features, centers, labels)",
    ),
    # Eq. 5
    "Eq. 5 with the sign": (
        "equations",
        "inverse_norms / (-2 * len(own))",
        "inverse_norms / (2 * len(own))",
    ),
    "Eq. 5 without the half": (
        "equations",
        "inverse_norms / (-2 * len(own))",
        "inverse_norms / -len(own)",
    ),
    "Eq. 5 without 1/m": (
        "equations",
        "inverse_norms / (-2 * len(own))",
        "inverse_norms / -2",
    ),
    "Eq. 5 with 1/|x| squared": (
        "equations",
        "return tangent * (inverse_norms / (-2",
        "return tangent * (inverse_norms**2 / (-2",
    ),
    "Eq. 5 with the length of x in place of its inverse": (
        "equations",
        "return tangent * (inverse_norms / (-2",
        "return tangent * (1 / inverse_norms / (-2",
    ),
    "Eq. 5 without the projection": (
        "equations",
        "tangent = torch.addcmul(own, cosines, unit_features, value=-1)",
        "tangent = own",
    ),
    "Eq. 5 projected on the center": (
        "equations",
        "tangent = torch.addcmul(own, cosines, unit_features, value=-1)",
        "tangent = torch.addcmul(own, cosines, own, value=-1)",
    ),
    "Eq. 5 with the projection added": (
        "equations",
        "unit_features, value=-1)",
        "unit_features, value=1)",
    ),
    "Eq. 5 with the center of another class": (
        "equations",
        "own = unit(centers)[0][labels]",
        "own = unit(centers)[0][labels - 1]",
    ),
    # Eq. 6
    "Eq. 6 with the sign": (
        "equations",
        "return -tangent * inverse_norms * intra_weights(counts, rule)[:, None]",
        "return tangent * inverse_norms * intra_weights(counts, rule)[:, None]",
    ),
    "Eq. 6 without the half": (
        "equations",
        "return -tangent * inverse_norms * intra_weights(counts, rule)[:, None]",
        "return -tangent * inverse_norms * 2 * intra_weights(counts, rule)[:, None]",
    ),
    "Eq. 6 without 1/|c|": (
        "equations",
        "return -tangent * inverse_norms * intra_weights(counts, rule)[:, None]",
        "return -tangent * intra_weights(counts, rule)[:, None]",
    ),
    "Eq. 6 with 1/|c| cubed": (
        "equations",
        "return -tangent * inverse_norms * intra_weights(counts, rule)[:, None]",
        "return -tangent * inverse_norms**3 * intra_weights(counts, rule)[:, None]",
    ),
    "Eq. 6 without the projection": (
        "equations",
        "tangent = sums - (sums * unit_centers).sum(-1, keepdim=True) * unit_centers",
        "tangent = sums",
    ),
    "Eq. 6 with the projection added": (
        "equations",
        "tangent = sums - (sums * unit_centers)",
        "tangent = sums + (sums * unit_centers)",
    ),
    "Eq. 6 damped by n_j instead of 1 + n_j": (
        "equations",
        "return 0.5 / (m * (1 + counts))",
        "return 0.5 / (m * counts.clamp(min=1))",
    ),
    "Eq. 6 published without 1/m": (
        "equations",
        "return 0.5 / (m * (1 + counts))",
        "return 0.5 / (1 + counts)",
    ),
    "Eq. 6 exact with the number of classes for m": (
        "equations",
        "m = counts.sum()",
        "m = counts.new_tensor(float(len(counts)))",
    ),
    "the exact and the published rule swapped": (
        "equations",
        'if rule == "exact":\n        return 0.5 / m.exp',
        'if rule == "published":\n        return 0.5 / m.exp',
    ),
    "the published and the mean rule swapped": (
        "equations",
        'if rule == "published":\n        return 0.5',
        'if rule == "mean":\n        return 0.5',
    ),
    "counts of one class too many": (
        "equations",
        "counts.index_add_(0, labels, unit_features.new_ones(len(labels)))",
        "counts += len(labels) / num_classes",
    ),
    "features of length 1 forgotten in the sums": (
        "equations",
        "sums, counts = class_sums(unit(features)[0], labels, len(centers))",
        "sums, counts = class_sums(features, labels, len(centers))",
    ),
    # Eq. 7
    "Eq. 7 with the sign": (
        "equations",
        "return tangent * inverse_norms * inter_weight",
        "return -tangent * inverse_norms * inter_weight",
    ),
    "Eq. 7 without 1/|c|": (
        "equations",
        "return tangent * inverse_norms * inter_weight",
        "return tangent * inter_weight",
    ),
    "Eq. 7 with the half in the wrong rule": (
        "equations",
        'return 1 / (s * (s - 1)) if rule == "exact"',
        'return 1 / (s * (s - 1)) if rule != "exact"',
    ),
    "Eq. 7 mean rule without the half": (
        "equations",
        'return 1 / (s * (s - 1)) if rule == "exact"',
        'return 1 / (s * (s - 1)) if rule != "published"',
    ),
    "Eq. 7 divided by s squared": (
        "equations",
        "else 0.5 / (s * (s - 1))",
        "else 0.5 / (s * s)",
    ),
    "Eq. 7 without the projection": (
        "equations",
        "tangent = resultant - (unit_centers @ resultant)[:, None] * unit_centers",
        "tangent = resultant.expand_as(centers)",
    ),
    # Eq. 8 and 9
    "Eq. 8 with the sign": (
        "equations",
        "return centers - alpha * increment",
        "return centers + alpha * increment",
    ),
    "Eq. 8 in place": (
        "equations",
        "return centers - alpha * increment",
        "return centers.sub_(alpha * increment)",
    ),
    "Eq. 9 with λ on the softmax loss": (
        "equations",
        "return softmax_loss + lam * separate_loss",
        "return lam * softmax_loss + separate_loss",
    ),
    # Checks
    "a label of s is let through": (
        "equations",
        "wrong = (labels < 0) | (labels >= num_classes)",
        "wrong = (labels < 0) | (labels > num_classes)",
    ),
    "a negative λ is let through": (
        "equations",
        "if not (math.isfinite(lam) and lam >= 0):",
        "if not math.isfinite(lam):",
    ),
    "zero vectors are let through": (
        "equations",
        "zero = vectors.norm(dim=-1) <= shortest(vectors.dtype)",
        "zero = vectors.norm(dim=-1) < 0",
    ),
    # The modules
    "the module's gradient with the sign": (
        "losses",
        "return grad_outputs[0] * gradient, None",
        "return -grad_outputs[0] * gradient, None",
    ),
    "the module's gradient without λ": (
        "losses",
        "return grad_outputs[0] * gradient, None",
        "return gradient, None",
    ),
    "the module's loss without Eq. 3": (
        "losses",
        "return pull + push\n",
        "return pull\n",
    ),
    "the module pushes its centers together": (
        "losses",
        "push = -self.alpha * weight",
        "push = self.alpha * weight",
    ),
    "the module pulls its centers away": (
        "losses",
        "pull = self.alpha * equations.intra_weights",
        "pull = -self.alpha * equations.intra_weights",
    ),
    "the module pulls its centers without α": (
        "losses",
        "pull = self.alpha * equations.intra_weights",
        "pull = equations.intra_weights",
    ),
    "the module pushes without the projection": (
        "losses",
        "along -= push * inverse**2 * (centers @ resultant)[:, None]",
        "pass",
    ),
    "the module pushes with 1/|c| in place of its square": (
        "losses",
        "along -= push * inverse**2 * (centers",
        "along -= push * inverse * (centers",
    ),
    "the module pulls without the projection": (
        "losses",
        "along.index_add_(0, at, cosines * inverse[at] ** 2, alpha=-1)",
        "pass",
    ),
    "the module pulls with the projection added": (
        "losses",
        "cosines * inverse[at] ** 2, alpha=-1)",
        "cosines * inverse[at] ** 2)",
    ),
    "the module pulls without 1/|c|": (
        "losses",
        "rows = rows * (pull[:, None] * inverse)[at]",
        "rows = rows * pull[:, None][at]",
    ),
    "the module's loss with the centers of another class": (
        "losses",
        "centers[labels] * inverse[labels]",
        "centers[labels - 1] * inverse[labels - 1]",
    ),
    "centers of lower precision than the features stay": (
        "losses",
        "if centers is not self.centers:",
        "if centers is self.centers:",
    ),
    "center loss as a sum over the batch": (
        "losses",
        "return distances.mean() / 2, centers.new_zeros(())",
        "return distances.sum() / 2, centers.new_zeros(())",
    ),
    "the module always takes the exact Eq. 7": (
        "losses",
        "inter_weight(len(centers), self.rule)",
        'inter_weight(len(centers), "exact")',
    ),
    "the module always takes the exact Eq. 6": (
        "losses",
        "intra_weights(counts, self.rule)",
        'intra_weights(counts, "exact")',
    ),
    "intra alone also moves by Eq. 7": (
        "losses",
        'if self.terms != "intra":\n            resultant',
        'if self.terms != "":\n            resultant',
    ),
    "inter alone also pulls features": (
        "losses",
        'if self.terms == "inter":\n            return',
        'if self.terms == "":\n            return',
    ),
    "wrong labels are not counted": (
        "losses",
        "wrong = [given != labels,",
        "wrong = [given != given,",
    ),
    "infinite features are not counted": (
        "losses",
        "~(lengths < torch.inf)",
        "lengths < -1",
    ),
    "zero features are not counted": (
        "losses",
        "shortest = equations.shortest(dtype) if self.angular",
        "shortest = -1.0 if self.angular",
    ),
    "a fault is said for ever": (
        "losses",
        "            self.faults.zero_()",
        "            pass",
    ),
    "the loss under autocast": (
        "losses",
        "if torch.is_autocast_enabled(kind):",
        "if False:",
    ),
    "a simplex of another size": (
        "losses",
        "frame[:, 0] = 1",
        "frame[:, 0] = 2 * frame[:, 0]",
    ),
    "centers in half precision": (
        "losses",
        "if torch.finfo(self.centers.dtype).bits < 32:",
        "if torch.finfo(self.centers.dtype).bits < 16:",
    ),
    "the means of every batch": (
        "losses",
        "waiting.zero_()",
        "waiting.clone()",
    ),
    "the means of absent classes": (
        "losses",
        "here = waiting & (means != 0).any(1)",
        "here = waiting.expand(len(means))",
    ),
    "center loss with the step of n_j": (
        "losses",
        "counts * centers - sums, 1 + counts,",
        "counts * centers - sums, counts.clamp(min=1),",
    ),
    "center loss with the step of one sample": (
        "losses",
        "counts * centers - sums, 1 + counts,",
        "centers - sums, 1 + counts,",
    ),
    "island loss with each pair once": (
        "losses",
        "return pull, 2 * self.lam1 * s * (s - 1) * mean_pair",
        "return pull, self.lam1 * s * (s - 1) * mean_pair",
    ),
    "island loss with the exact step": (
        "losses",
        "apart = len(centers) * equations.inter",
        "apart = 2 * len(centers) * (len(centers) - 1) ** 2 * equations.inter",
    ),
    "locality: x is its own neighbor": (
        "losses",
        "distances.fill_diagonal_(torch.inf)",
        "pass",
    ),
    "locality: neighbors of other classes": (
        "losses",
        "distances.masked_fill_(labels[:, None] != labels, torch.inf)",
        "pass",
    ),
    "locality: divided by k, not by the number found": (
        "losses",
        "number = found.sum(1, keepdim=True)",
        "number = found.sum(1, keepdim=True).clamp(max=1) * k",
    ),
    "locality: a gradient through the neighbors": (
        "losses",
        "self._neighbor_means(features.detach(), labels)",
        "self._neighbor_means(features, labels)",
    ),
}

#: name: (module, text, replacement, why no test can tell it from the original)
EQUIVALENT = {
    "Eq. 7 without the term k = j": (
        "equations",
        "tangent = resultant - (unit_centers @ resultant)[:, None] * unit_centers",
        "others = resultant - unit_centers; "
        "tangent = others - (others * unit_centers).sum(1)[:, None] * unit_centers",
        "u_j - (u_j . u_j) u_j = 0, because |u_j| = 1",
    ),
    "the projection with unit centers": (
        "losses",
        "push * inverse**2 * (centers @ resultant)[:, None]",
        "push * inverse * ((inverse * centers) @ resultant)[:, None]",
        "(u_j . U) / |c_j| = (c_j . U) / |c_j|^2",
    ),
    "the sum over pairs as a double sum": (
        "equations",
        "return similarity_from_resultant(unit_centers.sum(0), len(unit_centers))",
        "s = len(unit_centers); pairs = (unit_centers @ unit_centers.T).sum() - s; "
        "return (1 + pairs / (s * (s - 1))) / 2",
        "|sum_j u_j|^2 = sum_k sum_j u_k . u_j",
    ),
}


def outcomes(mutants: list[list[str] | None]) -> list[dict[str, object]]:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("mutation.py"))],
        input=json.dumps(mutants),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def seen() -> dict[str, dict[str, object]]:
    """The outcome of every mutant, all from one process."""
    all_of_them = {**MUTANTS, **EQUIVALENT}
    found = outcomes([list(mutant[:3]) for mutant in all_of_them.values()])
    return dict(zip(all_of_them, found, strict=True))


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_killed(name, seen):
    assert "killed_by" in seen[name], seen[name]


@pytest.mark.parametrize("name", EQUIVALENT)
def test_equivalent_mutant_survives(name, seen):
    assert "survived" in seen[name], seen[name]


def test_the_machinery_sees_what_it_should():
    line = "return centers - alpha * increment"
    nothing, gone, twice, broken, hurt = outcomes(
        [
            None,
            ["equations", "no such text", ""],
            ["equations", "return", ""],
            ["equations", line, "return centers -"],
            ["losses", "class SeparateLoss(", "raise KeyError\nclass SeparateLoss("],
        ]
    )
    assert nothing["survived"] > 60
    assert "'no such text' occurs 0 times" in gone["error"]
    assert "not once" in twice["error"]
    assert "SyntaxError" in broken["error"]
    assert "KeyError" in hurt["error"]
