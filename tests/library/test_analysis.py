"""Measures against plain loops and known answers."""

import importlib
import math
import sys

import numpy as np
import pytest
import torch
from scipy import stats

from fersep import analysis
from fersep.embedding import embed


def draw(n=60, d=6, s=4, seed=0):
    g = torch.Generator().manual_seed(seed)
    features = torch.rand(n, d, generator=g, dtype=torch.float64)
    return features, torch.arange(n) % s


def cosine(a, b):
    return (a @ b / (a.norm() * b.norm())).item()


def test_similarity_table_equals_loops():
    x, y = draw()
    c = torch.stack([x[y == j].mean(0) for j in range(4)])
    assert torch.allclose(analysis.true_centers(x, y, 4), c, atol=1e-14)
    row = analysis.similarity_table(x, y)
    intra = [np.mean([cosine(v, c[j]) for v in x[y == j]]) for j in range(4)]
    inter = np.mean([cosine(c[k], c[j]) for k in range(4) for j in range(4) if k != j])
    assert row.intra.tolist() == pytest.approx(intra, abs=1e-12)
    assert row.intra_mean == pytest.approx(np.mean(intra), abs=1e-12)
    assert row.inter == pytest.approx(inter, abs=1e-12)
    keep = y != 2  # a class without features is left out of the mean
    row = analysis.similarity_table(x[keep], y[keep], c)
    assert math.isnan(row.intra[2])
    assert row.intra_mean == pytest.approx(np.mean([intra[j] for j in (0, 1, 3)]))


def test_center_agreement_is_the_cosine():
    g = torch.Generator().manual_seed(1)
    a, b = torch.randn(5, 8, generator=g), torch.randn(5, 8, generator=g)
    want = [cosine(p, q) for p, q in zip(a, b, strict=True)]
    assert analysis.center_agreement(a, b).tolist() == pytest.approx(want, abs=1e-6)
    assert analysis.center_agreement(a, 3 * a).tolist() == pytest.approx([1] * 5)


def test_confusion_and_accuracies():
    true = torch.tensor([0, 0, 0, 0, 1, 1, 2])
    said = torch.tensor([0, 0, 0, 1, 1, 0, 2])
    matrix = analysis.confusion(true, said, 4)
    assert matrix.tolist() == [[3, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert analysis.accuracy(matrix) == pytest.approx(500 / 7)
    assert analysis.mean_class_accuracy(matrix) == pytest.approx(75)
    assert analysis.majority_accuracy(matrix) == pytest.approx(400 / 7)


def test_the_papers_first_accuracy_and_its_noise():
    result = analysis.accuracy_interval(2650, 3068)
    assert round(result.mean, 2) == 86.38
    assert 1.1 < (result.high - result.low) / 2 < 1.3


def test_paired_test_is_students():
    a, b = [1.0, 2.0, 4.0, 3.0], [1.5, 2.7, 3.9, 4.1]
    result = analysis.paired_test(a, b)
    assert result.mean == pytest.approx(0.55)
    assert result.p_value == pytest.approx(stats.ttest_rel(b, a).pvalue)
    spread = float(np.std(np.subtract(b, a), ddof=1))
    half = 3.18244630528 * spread / 2  # t at 97.5 % with 3 degrees of freedom
    assert (result.low, result.high) == pytest.approx((0.55 - half, 0.55 + half))
    bounds = analysis.student_interval(0.55, spread, 4)
    assert bounds == pytest.approx((result.low, result.high))


@pytest.mark.parametrize("values", [[2.5] * 3, [0.3, 0.1 + 0.2], [0.0, 0.0]])
def test_equal_values_have_an_interval_of_no_width(values):
    result = analysis.mean_interval(values)
    assert result.low == result.mean == result.high == pytest.approx(values[0])
    assert result.p_value == (0 if values[0] else 1)


def test_one_pair_shows_no_spread():
    result = analysis.paired_test([1.0], [2.0])
    assert result.mean == 1
    assert np.isnan([result.low, result.high, result.p_value]).all()
    assert analysis.standard_deviation([1.0]) is None
    assert analysis.standard_deviation([1.0, 3.0]) == pytest.approx(2**0.5)


def test_rank_correlation():
    assert analysis.rank_correlation([1, 2, 3], [2, 4, 9]) == pytest.approx(1)
    assert analysis.rank_correlation([1, 2, 3], [9, 4, 2]) == pytest.approx(-1)
    assert analysis.rank_correlation([1, 2, 3], [5, 5, 5]) == 0


def test_bad_input_is_named():
    x, y = draw()
    with pytest.raises(ValueError, match=r"no feature of the classes \[4\]"):
        analysis.true_centers(x, y, 5)
    with pytest.raises(ValueError, match=r"labels.* is 3, but 3 classes"):
        analysis.confusion(y, y, 3)
    with pytest.raises(ValueError, match="k .5. must not be greater than n .4."):
        analysis.accuracy_interval(5, 4)
    with pytest.raises(ValueError, match="equal lengths, got 2 and 1"):
        analysis.paired_test([1, 2], [1])
    with pytest.raises(ValueError, match="values is empty"):
        analysis.paired_test([], [])


def clusters(n=300, s=4, d=12, spread=0.25, seed=0):
    g = torch.Generator().manual_seed(seed)
    middles = torch.rand(s, d, generator=g)
    y = torch.arange(n) % s
    return middles[y] + spread * torch.rand(n, d, generator=g), y, middles


def test_map_keeps_neighbors_and_places_centers_inside_their_class():
    x, y, middles = clusters()
    true = analysis.true_centers(x, y, 4)
    result = embed(x, 50 * middles, true, seed=3)
    assert result.features.shape == (300, 2)
    assert [len(c) for c in result.centers] == [4, 4]
    unit = x / x.norm(dim=1, keepdim=True)
    in_space = analysis.neighbor_purity(unit, y)
    assert in_space > 0.95
    assert analysis.neighbor_purity(result.features, y) > in_space - 0.05
    for centers in result.centers:
        for j, place in enumerate(centers):
            gaps = np.linalg.norm(result.features - place, axis=1)
            assert (y.numpy()[np.argsort(gaps)[:15]] == j).mean() > 0.9


def test_map_repeats_with_its_seed_and_purity_falls_to_chance_for_noise():
    x, y, _ = clusters(n=120)
    first, again = embed(x, seed=1), embed(x, seed=1)
    assert np.array_equal(first.features, again.features)
    noise = torch.rand(600, 2, generator=torch.Generator().manual_seed(0))
    assert abs(analysis.neighbor_purity(noise, torch.arange(600) % 4) - 0.25) < 0.05
    with pytest.raises(ValueError, match="needs at least 90 points, got 20"):
        embed(x[:20])
    with pytest.raises(ValueError, match="more than 15 points, got 10"):
        analysis.neighbor_purity(noise[:10], y[:10])


def test_without_its_package_the_way_to_it_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "fersep.embedding")
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    with pytest.raises(ImportError, match=r"openTSNE; run pip install fersep\[tsne\]"):
        importlib.import_module("fersep.embedding")


def cross(rng, seeds, images, of_seeds, of_images):
    """Differences of right and wrong, of two losses with a true gain of .02."""
    shares = (
        0.02 + rng.normal(0, of_seeds, (seeds, 1)) + rng.normal(0, of_images, images)
    )
    either = np.maximum(0.3, np.abs(shares))
    up, drawn = (either + shares) / 2, rng.random(shares.shape)
    return np.where(drawn < up, 1, np.where(drawn < either, -1, 0))


@pytest.mark.parametrize(
    ("seeds", "images", "of_seeds", "of_images"),
    [(10, 400, 0.02, 0.0), (10, 400, 0.0, 0.2), (3, 300, 0.15, 0.05)],
)
def test_two_way_intervals_cover_the_truth(seeds, images, of_seeds, of_images):
    rng = np.random.default_rng(0)
    strata = rng.integers(0, 3, images)
    for given in (None, strata):
        found = [
            analysis.two_way_interval(
                cross(rng, seeds, images, of_seeds, of_images), given
            )
            for _ in range(400)
        ]
        covered = np.mean([each.low <= 0.02 <= each.high for each in found])
        assert 0.93 <= covered <= 0.995
        assert np.mean([each.mean for each in found]) == pytest.approx(0.02, abs=0.004)


def test_two_way_intervals_hold_both_noises():
    values = cross(np.random.default_rng(1), 6, 500, 0.02, 0.1)
    whole = analysis.two_way_interval(values)
    seeds = analysis.mean_interval(values.mean(1))
    assert whole.mean == pytest.approx(seeds.mean)
    at = analysis.two_way_interval(values, null=whole.low)
    assert at.p_value == pytest.approx(0.05)
    wider = analysis.two_way_interval(values, level=0.99)
    assert wider.low < whole.low < whole.high < wider.high
    copies = np.repeat(values, 4, axis=1)
    assert analysis.two_way_interval(copies).high < whole.high
    assert analysis.two_way_interval(np.ones((2, 3))).low == 1
    with pytest.raises(ValueError, match="2 seeds and 2 images .* got 1 seeds"):
        analysis.two_way_interval(values[:1])


def test_several_claims_share_one_level():
    found = analysis.adjust_p_values([0.01, 0.04, 0.03, 0.005])
    assert found == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert analysis.adjust_p_values([0.9, 0.8]) == [1.0, 1.0]
