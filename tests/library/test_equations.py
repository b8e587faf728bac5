"""Eq. 1-9 against plain loops, autograd, gradcheck and their own geometry."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fersep import equations as eq

RULES = ("exact", "published", "mean")


def draw(m=20, d=8, s=5, seed=0, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    features = torch.randn(m, d, generator=g, dtype=dtype)
    centers = torch.randn(s, d, generator=g, dtype=dtype)
    labels = torch.randint(0, s, (m,), generator=g)
    return features, centers, labels


# Plain loops over Python floats, as one would read the paper aloud.


def dot(a, b):
    return math.fsum(p * q for p, q in zip(a, b, strict=True))


def length(a):
    return math.sqrt(dot(a, a))


def cosine(a, b):
    return dot(a, b) / (length(a) * length(b))


def loop_intra(x, c, y):
    m = len(x)
    return 1 - math.fsum(cosine(x[i], c[y[i]]) + 1 for i in range(m)) / (2 * m)


def loop_inter(c):
    s = len(c)
    terms = [cosine(c[k], c[j]) + 1 for k in range(s) for j in range(s) if j != k]
    return math.fsum(terms) / (2 * s * (s - 1))


def loop_direction(a, c):
    """a / (|a| |c|) - (a . c) c / (|a| |c|^3), the vector in Eq. 5, 6 and 7."""
    la, lc = length(a), length(c)
    return [
        p / (la * lc) - dot(a, c) * q / (la * lc**3) for p, q in zip(a, c, strict=True)
    ]


def times(factor, vectors, d):
    """The sum of vectors, times a factor."""
    return [factor * math.fsum(v[i] for v in vectors) for i in range(d)]


def loop_features_gradient(x, c, y):
    m, d = len(x), len(x[0])
    return [times(-1 / (2 * m), [loop_direction(c[y[i]], x[i])], d) for i in range(m)]


def loop_intra_increment(x, c, y, rule):
    m, d = len(x), len(x[0])
    rows = []
    for j in range(len(c)):
        own = [loop_direction(x[i], c[j]) for i in range(m) if y[i] == j]
        factor = {
            "exact": 1 / (2 * m),
            "published": 1 / (2 * m * (1 + len(own))),
            "mean": 1 / (2 * (1 + len(own))),
        }[rule]
        rows.append(times(-factor, own, d))
    return rows


def loop_inter_increment(c, rule):
    s, d = len(c), len(c[0])
    factor = 1 / (s * (s - 1)) if rule == "exact" else 1 / (2 * s * (s - 1))
    return [
        times(factor, [loop_direction(c[k], c[j]) for k in range(s) if k != j], d)
        for j in range(s)
    ]


SHAPES = [(20, 8, 5), (1, 2, 2), (7, 3, 11), (100, 64, 7)]


def assert_close(got, want, tol=1e-12):
    want = torch.as_tensor(want, dtype=torch.float64)
    assert got.shape == want.shape
    assert (got - want).abs().max() <= tol


@pytest.mark.parametrize(("m", "d", "s"), SHAPES)
def test_equations_2_to_7_equal_plain_loops(m, d, s):
    x, c, y = draw(m, d, s)
    lists = x.tolist(), c.tolist(), y.tolist()
    assert_close(eq.intra_loss(x, c, y), loop_intra(*lists))
    assert_close(eq.inter_loss(c), loop_inter(lists[1]))
    assert_close(eq.separate_loss(x, c, y), loop_intra(*lists) + loop_inter(lists[1]))
    assert_close(eq.features_gradient(x, c, y), loop_features_gradient(*lists))
    for rule in RULES:
        pull = loop_intra_increment(*lists, rule)
        assert_close(eq.intra_increment(x, c, y, rule), pull)
        assert_close(eq.inter_increment(c, rule), loop_inter_increment(lists[1], rule))


def test_exact_rule_is_the_gradient_of_the_loss():
    x, c, y = draw(seed=2)
    x.requires_grad_()
    c.requires_grad_()
    by_x, by_c = torch.autograd.grad(eq.separate_loss(x, c, y), [x, c])
    assert_close(eq.features_gradient(x, c, y).detach(), by_x)
    step = eq.intra_increment(x, c, y) + eq.inter_increment(c)
    assert_close(step.detach(), by_c)


def test_absent_class_is_pushed_but_not_pulled():
    x, c, _ = draw(seed=5)
    y = torch.zeros(len(x), dtype=torch.int64)
    pull = eq.intra_increment(x, c, y)
    assert (pull[1:] == 0).all()
    assert pull[0].norm() > 0
    assert (eq.inter_increment(c).norm(dim=1) > 0).all()


def test_similarity_at_known_angles():
    a = torch.tensor([[1.0, 0], [1, 0], [1, 0]], dtype=torch.float64)
    b = torch.tensor([[2.0, 0], [0, 3], [-4, 0]], dtype=torch.float64)
    assert eq.similarity(a, b).tolist() == [1, 0.5, 0]
    assert eq.similarity(a[:, None], b).shape == (3, 3)


def test_center_update_and_total_loss():
    _, c, _ = draw(seed=6)
    step = torch.full_like(c, 2.0)
    before = c.clone()
    assert_close(eq.update_centers(c, step, 0.25), c - 0.5)
    assert torch.equal(c, before)
    two, three = torch.tensor(2.0), torch.tensor(3.0)
    assert eq.total_loss(two, three, 0.5) == 3.5
    assert eq.total_loss(two, three, 0.0) == 2.0


@pytest.mark.parametrize(
    ("dtype", "length"), [(torch.float32, 1e-6), (torch.float64, 1e-12)]
)
def test_a_shorter_vector_has_no_direction(dtype, length):
    a = torch.tensor([0.0, 2 * length], dtype=dtype)
    assert eq.similarity(a, a) == pytest.approx(1)
    with pytest.raises(ValueError, match="a is a zero vector"):
        eq.similarity(a / 4, a)
    assert [part.tolist() for part in eq.unit(a / 4)] == [[0, 0], [0]]


def test_the_floor_is_reached_by_a_simplex_and_by_coinciding_pairs():
    floors = [eq.inter_loss_floor(s) for s in (2, 3, 7, 11)]
    assert floors == pytest.approx([0, 0.25, 5 / 12, 0.45], abs=1e-15)
    simplex = torch.eye(7, dtype=torch.float64) - 1 / 7
    assert_close(eq.inter_loss(simplex), floors[2])
    u = torch.tensor([3.0, 4.0], dtype=torch.float64)
    assert_close(eq.inter_loss(torch.stack([u, u, -u, -u])), eq.inter_loss_floor(4))


shapes = st.tuples(st.integers(1, 12), st.integers(1, 6), st.integers(2, 6))


@settings(deadline=None, max_examples=60)
@given(shapes, st.integers(0, 10_000))
def test_losses_stay_in_their_ranges(shape, seed):
    x, c, y = draw(*shape, seed=seed)
    eps = 1e-12
    assert -eps <= eq.intra_loss(x, c, y) <= 1 + eps
    assert eq.inter_loss_floor(len(c)) - eps <= eq.inter_loss(c) <= 1 + eps
    sim = eq.similarity(x, c[y])
    assert (-eps <= sim).all()
    assert (sim <= 1 + eps).all()


@settings(deadline=None, max_examples=60)
@given(shapes, st.integers(0, 10_000), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_only_directions_count(shape, seed, a, b):
    x, c, y = draw(*shape, seed=seed)
    assert_close(eq.separate_loss(a * x, b * c, y), eq.separate_loss(x, c, y), 1e-11)
    grown = eq.features_gradient(a * x, c, y) * a
    assert_close(grown, eq.features_gradient(x, c, y), 1e-9)


@settings(deadline=None, max_examples=60)
@given(shapes, st.integers(0, 10_000))
def test_steps_are_orthogonal(shape, seed):
    x, c, y = draw(*shape, seed=seed)
    scale = 1e-11 * (1 + x.norm(dim=1).max() + c.norm(dim=1).max())
    assert ((eq.features_gradient(x, c, y) * x).sum(1).abs() <= scale).all()
    for rule in RULES:
        step = eq.intra_increment(x, c, y, rule) + eq.inter_increment(c, rule)
        assert ((step * c).sum(1).abs() <= scale).all()


@settings(deadline=None, max_examples=40)
@given(shapes, st.integers(0, 10_000))
def test_separate_loss_is_one_plus_a_quarter_of_within_minus_between(shape, seed):
    x, c, y = draw(*shape, seed=seed)
    u, v = x / x.norm(dim=1, keepdim=True), c / c.norm(dim=1, keepdim=True)
    within = (u - v[y]).square().sum(1).mean()
    s = len(c)
    between = (v[:, None] - v).square().sum() / (s * (s - 1))
    assert_close(eq.separate_loss(x, c, y), 1 + (within - between) / 4)


@settings(deadline=None, max_examples=40)
@given(shapes, st.integers(0, 10_000), st.sampled_from(RULES))
def test_order_of_samples_and_classes_does_not_matter(shape, seed, rule):
    x, c, y = draw(*shape, seed=seed)
    p = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    q = torch.randperm(len(c), generator=torch.Generator().manual_seed(seed + 1))
    renamed = torch.argsort(q)[y]
    assert_close(eq.separate_loss(x[p], c[q], renamed[p]), eq.separate_loss(x, c, y))
    assert_close(
        eq.intra_increment(x[p], c[q], renamed[p], rule),
        eq.intra_increment(x, c, y, rule)[q],
    )
    assert_close(eq.inter_increment(c[q], rule), eq.inter_increment(c, rule)[q])


@pytest.mark.parametrize(
    ("dtype", "tol"),
    [(torch.float64, 0), (torch.float32, 2e-6), (torch.bfloat16, 0.05)],
)
def test_dtype_follows_the_input(dtype, tol):
    x, c, y = draw(seed=7)
    exact = eq.separate_loss(x, c, y)
    x, c = x.to(dtype), c.to(dtype)
    for value in (
        eq.separate_loss(x, c, y),
        eq.features_gradient(x, c, y),
        eq.intra_increment(x, c, y),
        eq.inter_increment(c),
    ):
        assert value.dtype == dtype
    assert abs(eq.separate_loss(x, c, y).double() - exact) <= tol


# What is refused, and how it is said.


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("features", {3: 0.0}, r"features\[3\] is a zero vector"),
        ("centers", {2: 0.0}, r"centers\[2\] is a zero vector"),
        ("features", {(4, 1): math.nan}, r"features\[4\] holds NaN"),
        ("centers", {(1, 0): math.inf}, r"centers\[1\] holds NaN or infinity"),
        ("labels", {6: 5}, r"labels\[6\] is 5, but 5 classes .* 0 to 4"),
        ("labels", {0: -1}, r"labels\[0\] is -1"),
        ("labels", torch.Tensor.float, "labels must be int64 .* torch.float32"),
        ("labels", lambda y: y[:-1], r"labels must have the shape \(20,\)"),
        ("features", lambda x: x[:, :-1], "length 7 but centers have length 8"),
        ("features", lambda x: x[:0], "at least one row"),
        ("centers", lambda c: c[:1], "at least two rows"),
        ("features", lambda x: (9 * x).long(), "must be floating point"),
    ],
)
def test_bad_input_is_named(name, change, says):
    args = dict(zip(("features", "centers", "labels"), draw(), strict=True))
    if callable(change):
        args[name] = change(args[name])
    else:
        for index, value in change.items():
            args[name][index] = value
    for function in (
        eq.intra_loss,
        eq.separate_loss,
        eq.features_gradient,
        eq.intra_increment,
    ):
        with pytest.raises(ValueError, match=says) as caught:
            function(**args)
        assert "\n" not in str(caught.value)


def test_bad_scalars_are_named():
    _, c, _ = draw()
    for lam in (-0.1, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"lam \(λ\) must be .* at least 0, got"):
            eq.total_loss(c.sum(), c.sum(), lam)
    for alpha in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"alpha \(α\) must be .* at least 0"):
            eq.update_centers(c, c, alpha)
    with pytest.raises(ValueError, match="shape of the centers"):
        eq.update_centers(c, c[:, :2], 0.5)
    with pytest.raises(ValueError, match="one of exact, published, mean; got 'sum'"):
        eq.inter_increment(c, "sum")
    with pytest.raises(ValueError, match="at least 2"):
        eq.inter_loss_floor(1)
    with pytest.raises(ValueError, match="one length along the last axis"):
        eq.similarity(c, c[:, :3])
    b = torch.ones(2, 3, 8)
    b[1, 2] = 0
    with pytest.raises(ValueError, match=r"b\[1, 2\] is a zero vector"):
        eq.similarity(c.float()[:1], b)


@pytest.fixture
def means():
    return 0.9 * eq.unit(draw()[0][:5].abs())[0]


SHARES = torch.tensor([0.4, 0.3, 0.2, 0.07, 0.03], dtype=torch.float64)


@pytest.mark.parametrize("rule", RULES)
def test_centers_at_rest_are_where_many_small_steps_lead(means, rule):
    rest = eq.stationary_centers(means, SHARES, rule, batch_size=40)
    counts = 40 * SHARES
    c, _ = eq.unit(torch.randn(means.shape, generator=torch.manual_seed(9)).double())
    for _ in range(3000):
        pull = eq.intra_increment_from_sums(counts[:, None] * means, counts, c, rule)
        step = pull + eq.inter_increment_unchecked(c, rule)
        c, _ = eq.unit(c - 0.9 * (10 if rule == "published" else 1) * step)
    assert (c - rest).abs().max() < 1e-6
    assert step.norm() < 1e-8


def test_a_center_at_rest_turns_away_where_the_push_outweighs_its_pull(means):
    c = eq.stationary_centers(means, SHARES)
    push = 2 / (5 * 4) * (means @ c.sum(0))  # κ r along each mean
    away = (c * means).sum(1) < 0
    assert away.tolist() == (SHARES * means.square().sum(1) < push).tolist()
    assert 0 < away.sum() < 5
    other = eq.stationary_centers(means, SHARES, batch_size=7)
    assert torch.allclose(c, other, atol=1e-9)


def test_shares_that_are_none_are_refused(means):
    for wrong in (SHARES[:4], 2 * SHARES, SHARES - 0.04):
        with pytest.raises(ValueError, match="5 positive numbers with the sum 1"):
            eq.stationary_centers(means, wrong)
