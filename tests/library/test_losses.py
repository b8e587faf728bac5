"""The losses: backward by hand, moving centers, faults, precision, first values."""

import copy
import itertools
import math
from functools import partial

import pytest
import test_equations
import torch
from torch import nn

from fersep import equations as eq
from fersep.losses import (
    FIRST_CENTERS,
    LOSSES,
    CenterLoss,
    IslandLoss,
    LocalityPreservingLoss,
    SeparateLoss,
    first_centers,
    make_loss,
)

draw = partial(test_equations.draw, m=30)


def test_value_and_gradient_are_equations_2_to_5():
    x, c, y = draw()
    loss = SeparateLoss(5, 8, init=c)
    x.requires_grad_()
    assert abs(loss(x, y) - eq.separate_loss(x, c, y)) <= 1e-12
    eq.total_loss(x.sum() * 0, loss(x, y), 0.9).backward()
    assert (x.grad - 0.9 * eq.features_gradient(x, c, y)).abs().max() <= 1e-15


@pytest.mark.parametrize("rule", ["exact", "published", "mean"])
@pytest.mark.parametrize("terms", ["both", "intra", "inter"])
@pytest.mark.parametrize("s", [5, 40])
def test_update_is_equation_8(rule, terms, s):
    x, c, y = draw(s=s)
    loss = SeparateLoss(s, 8, init=c, alpha=0.7, rule=rule, terms=terms)
    pull, push = loss.parts(x, y)
    assert abs(pull - (eq.intra_loss(x, c, y) if terms != "inter" else 0)) <= 1e-12
    assert abs(push - (eq.inter_loss(c) if terms != "intra" else 0)) <= 1e-12
    loss.update(x.requires_grad_(), y)
    pull = eq.intra_increment(x.detach(), c, y, rule) * (terms != "inter")
    push = eq.inter_increment(c, rule) * (terms != "intra")
    want = eq.update_centers(c, pull + push, 0.7)
    assert (loss.centers - want).abs().max() <= 1e-14
    assert not loss.centers.requires_grad
    assert list(loss.parameters()) == []


def test_updates_lower_the_loss_and_grow_the_centers():
    x, c, y = draw()
    loss = SeparateLoss(5, 8, init=c, alpha=0.5)
    values, norms = [], []
    for _ in range(50):
        values.append(loss(x, y).item())
        norms.append(loss.centers.norm(dim=1).min().item())
        loss.update(x, y)
    assert all(b < a for a, b in itertools.pairwise(values))
    assert all(b >= a for a, b in itertools.pairwise(norms))


def test_inter_alone_leaves_every_feature_alone():
    x, c, y = draw()
    x[0] = 0  # a feature without direction is no fault here
    value = SeparateLoss(5, 8, init=c, terms="inter")(x.requires_grad_(), y)
    assert not value.requires_grad
    assert abs(value - eq.inter_loss(c)) <= 1e-12


# Only `update` moves centers, and only in training.


@pytest.mark.parametrize("init", FIRST_CENTERS)
@pytest.mark.parametrize("name", LOSSES)
def test_only_update_moves_centers_and_only_in_training(name, init):
    x, _, y = draw(dtype=torch.float32)
    loss = make_loss(name, 5, 8, init=init)
    before = loss.centers.clone()
    first = loss(x, y)
    loss.eval()
    with torch.no_grad():
        assert torch.equal(loss(x, y), first)
        loss.update(x, y)
    assert torch.equal(loss.centers, before)
    loss.train()
    assert torch.equal(loss(x, y), first)
    loss.update(x, y)
    stays = name == "locality" and init != "means"
    if (name, init) != ("inter", "simplex"):  # they rest already, but for rounding
        assert torch.equal(loss.centers, before) == stays


def test_alpha_zero_holds_the_centers():
    x, c, y = draw()
    for name in set(LOSSES) - {"batch"}:  # each batch sets them there
        loss = make_loss(name, 5, 8, alpha=0.0, init=c)
        loss.update(x, y)
        assert torch.equal(loss.centers, c)


def test_batch_means_forget_and_pull_by_equation_5():
    x, c, y = draw()
    y[y == 3] = 0  # class 3 is absent
    loss = make_loss("batch", 5, 8, init=c)
    value = loss(x.requires_grad_(), y)
    loss.update(x, y)
    value.backward()
    for j in range(5):
        want = c[j] if j == 3 else x.detach()[y == j].mean(0)
        assert torch.cosine_similarity(loss.centers[j], want, dim=0) > 1 - 1e-12
    by_hand = eq.features_gradient(x.detach(), loss.centers, y)
    assert (x.grad - by_hand).abs().max() <= 1e-15


@pytest.mark.parametrize("kind", [SeparateLoss, CenterLoss])
def test_means_come_from_the_first_update_once(kind):
    x, _, y = draw(dtype=torch.float32)
    y[y == 3] = 0  # class 3 is absent
    g = torch.Generator().manual_seed(1)
    loss = kind(5, 8, init="means", alpha=0.0, generator=g)
    random = loss.centers.clone()
    value = loss(x, y)
    loss.update(x, y)
    for j in (0, 1, 2, 4):
        mean = x[y == j].mean(0)
        want = mean / mean.norm() if kind is SeparateLoss else mean
        assert (loss.centers[j] - want).abs().max() <= 1e-6
    assert torch.equal(loss.centers[3], random[3])
    assert abs(random[3].norm() - 1) <= 1e-6
    assert torch.equal(value, kind(5, 8, init=loss.centers)(x, y))
    begun = loss.centers.clone()
    loss.update(-x, y)
    assert torch.equal(loss.centers, begun)


@pytest.mark.parametrize("init", FIRST_CENTERS)
def test_loaded_centers_stay_whatever_init_was(init):
    x, c, y = draw(dtype=torch.float32)
    saved = SeparateLoss(5, 8, init=c).state_dict()
    loss = SeparateLoss(5, 8, init=init, alpha=0.0)
    assert set(loss.state_dict()) == {"centers"}
    for content in (saved, {**saved, "waiting": torch.tensor(True)}):  # an older file
        net = nn.Sequential(copy.deepcopy(loss))
        net.load_state_dict({f"0.{k}": v for k, v in content.items()})
        assert abs(net[0](x, y) - eq.separate_loss(x, c, y)) <= 1e-6
        net[0].update(x, y)
        assert torch.equal(net[0].centers, c)


# Accelerators: faults are counted there, and nothing is read back.


@pytest.fixture
def accelerator(monkeypatch):
    """Tensors of this CPU that say they lie on a GPU."""
    monkeypatch.setattr(torch.Tensor, "is_cpu", False, raising=False)
    monkeypatch.setattr(torch.Tensor, "is_cuda", True, raising=False)


def steps():
    x, c, y = draw()
    for name in LOSSES:
        loss = make_loss(name, 5, 8, init=c)
        loss.update(x, y)
        yield loss.centers


def test_an_accelerator_sums_in_another_way_to_the_same_step(request):
    here = list(steps())
    request.getfixturevalue("accelerator")
    there = list(steps())
    assert all((a - b).abs().max() <= 1e-14 for a, b in zip(here, there, strict=True))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda x, y: y.__setitem__(0, 7), "labels: 1 .* 5 classes .* 0 to 4"),
        (lambda x, y: y.__setitem__(0, -1), "labels: 1 were out of range"),
        (lambda x, y: x.__setitem__((2, 1), math.inf), "rows held NaN or infinity"),
        (lambda x, y: x.__setitem__((2, 1), math.nan), "features: 1 rows held NaN"),
        (lambda x, y: x.__setitem__(slice(3), 0), "features: 3 rows were zero vectors"),
    ],
)
def test_faults_are_said_once(change, says, request):
    x, _, y = draw(dtype=torch.float32)
    change(x, y)
    loss = SeparateLoss(5, 8)
    for use in (loss.parts, loss.update):
        with pytest.raises(ValueError, match=says):
            use(x, y)
        loss.raise_on_faults()
    # As on an accelerator, where a batch is counted once, whatever it goes through.
    request.getfixturevalue("accelerator")
    for uses in ([loss.forward], [loss.update], [loss.parts, loss.update]):
        for use in uses:
            use(x, y)
        with pytest.raises(ValueError, match=says):
            loss.raise_on_faults()
        loss.raise_on_faults()


@pytest.mark.parametrize("init", FIRST_CENTERS)
@pytest.mark.parametrize("name", LOSSES)
def test_no_value_is_read_back_from_a_device(name, init, monkeypatch):
    # Tensors of the meta device have none: to read one is an error.
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: False)
    loss = make_loss(name, 5, 8, init=init).to("meta")
    x, y = torch.empty(30, 8, device="meta"), torch.empty(30, device="meta").long()
    for _ in range(2):
        assert loss(x.requires_grad_(), y).shape == ()
        loss.update(x, y)


def test_arguments_are_checked():
    for make, says in [
        (lambda: SeparateLoss(5, 8, alpha=-0.1), "alpha"),
        (lambda: SeparateLoss(5, 8, rule="wrong"), "rule must be one of"),
        (lambda: SeparateLoss(5, 8, terms="none"), "terms must be both, intra"),
        (lambda: SeparateLoss(5, 8, init="zeros"), "init must be sphere, normal, unif"),
        (lambda: SeparateLoss(5, 8, init=torch.ones(2, 2)), "init must have the shape"),
        (lambda: SeparateLoss(5, 8, init=torch.zeros(5, 8)), r"centers\[0\] is a zero"),
        (lambda: SeparateLoss(1, 8), "num_classes must be at least 2"),
        (lambda: make_loss("arcface", 5, 8), "a loss must be one of .*'arcface'"),
        (lambda: make_loss("center", 5, 8, rule="sum"), "rule must be one of"),
        (lambda: IslandLoss(5, 8, lam1=-1.0), r"lam1 \(λ1\) must be a number of at le"),
        (lambda: LocalityPreservingLoss(5, 8, neighbors=0), "neighbors must be at l"),
    ]:
        with pytest.raises(ValueError, match=says):
            make()
    for name in ("separate", "intra", "inter", "batch"):
        assert "rule='mean'" in repr(make_loss(name, 5, 8, rule="mean"))
    zero = torch.zeros(5, 8)
    assert CenterLoss(5, 8)(zero, torch.arange(5)).isfinite()


# Precision.


@pytest.mark.parametrize("cast", [nn.Module.half, nn.Module.bfloat16])
def test_centers_never_fall_below_single_precision(cast):
    loss = SeparateLoss(5, 8)
    before = loss.centers.clone()
    net = cast(nn.Sequential(nn.Linear(4, 8), loss))
    assert net[0].weight.dtype in (torch.half, torch.bfloat16)
    assert loss.centers.dtype == torch.float32
    assert torch.equal(loss.centers, before)
    assert loss.double().centers.dtype == torch.float64
    assert cast(loss).centers.dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_neither_half_features_nor_autocast_lower_the_precision(dtype):
    x, _, y = draw(dtype=torch.float32)
    loss = SeparateLoss(5, 8)
    other = copy.deepcopy(loss)
    half = x.to(dtype).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(half, y)
        other.update(half, y)
    value.backward()
    assert half.grad.dtype == dtype
    assert value.dtype == torch.float32
    assert torch.equal(value, loss(half.float(), y))
    loss.update(half.float(), y)
    assert torch.equal(other.centers, loss.centers)


@pytest.mark.parametrize("name", ["separate", "center", "island"])
def test_centers_of_lower_precision_move_with_double_features(name):
    x, c, y = draw()
    double, single = (make_loss(name, 5, 8, init=z) for z in (c, c.float()))
    double.update(x, y)
    single.update(x, y)
    assert single.centers.dtype == torch.float32
    assert (single.centers - double.centers).abs().max() <= 1e-5
    assert not torch.equal(single.centers, c.float())


# First values.


def test_first_values():
    sphere, normal, uniform, simplex, _ = (
        [first_centers(7, 512, init, torch.manual_seed(seed)) for seed in (1, 2, 1)]
        for init in FIRST_CENTERS
    )
    for first, other, again in (sphere, normal, uniform, simplex):
        assert torch.equal(first, again)
        assert not torch.allclose(first, other)
    assert torch.allclose(sphere[0].norm(dim=1), torch.ones(7))
    assert 15 < normal[0].norm(dim=1).mean() < 30
    assert ((uniform[0] >= 0) & (uniform[0] <= 1)).all()
    copied = first_centers(7, 512, normal[0])
    assert torch.equal(copied, normal[0])
    assert copied is not normal[0]
    with pytest.raises(ValueError, match="feature_dim ≥ num_classes - 1 = 6, got 5"):
        first_centers(7, 5, "simplex")


@pytest.mark.parametrize(("s", "d"), [(2, 1), (3, 2), (7, 6), (7, 512), (11, 64)])
def test_simplex_has_one_angle_and_sum_zero(s, d):
    centers = first_centers(s, d, "simplex").double()
    cosines = centers @ centers.T
    want = torch.full((s, s), -1 / (s - 1)).double().fill_diagonal_(1)
    assert (cosines - want).abs().max() <= 1e-6
    assert centers.sum(0).norm() <= 1e-6
    assert abs(eq.inter_loss(centers) - eq.inter_loss_floor(s)) <= 1e-6


# The relatives, against loops over samples and pairs.


def loop_center_loss(x, c, y):
    return sum((x[i] - c[y[i]]).square().sum() for i in range(len(x))) / (2 * len(x))


def loop_center_step(x, c, y):
    rows = []
    for j in range(len(c)):
        own = [x[i] for i in range(len(x)) if y[i] == j]
        total = sum((c[j] - row for row in own), torch.zeros_like(c[j]))
        rows.append(total / (1 + len(own)))
    return torch.stack(rows)


def loop_island(c):
    s = len(c)
    pairs = [(k, j) for k in range(s) for j in range(s) if k != j]
    return sum(c[k] @ c[j] / (c[k].norm() * c[j].norm()) + 1 for k, j in pairs)


def loop_island_step(c):
    """The printed step: the derivative with each pair once, over s - 1."""
    s, rows = len(c), []
    for j in range(s):
        own = c[j].clone().requires_grad_()
        cosines = [
            torch.cosine_similarity(own, c[k], dim=0) for k in range(s) if k != j
        ]
        rows.append(torch.autograd.grad(sum(cosines), own)[0] / (s - 1))
    return torch.stack(rows)


def loop_locality(x, y, k):
    total = 0
    for i in range(len(x)):
        near = [j for j in range(len(x)) if j != i and y[j] == y[i]]
        near = sorted(near, key=lambda j: (x[i] - x[j]).norm().item())[:k]
        if near:
            mean = torch.stack([x[j].detach() for j in near]).mean(0)
            total = total + (x[i] - mean).square().sum()
    return total / (2 * len(x))


@pytest.mark.parametrize("lam1", [0.0, 0.7])
def test_center_and_island_loss_equal_loops_and_move_as_printed(lam1):
    x, c, y = draw()
    y[y == 2] = 1  # class 2 is absent
    kind = partial(IslandLoss, lam1=lam1) if lam1 else CenterLoss
    loss = kind(5, 8, init=c, alpha=0.3)
    pull, push = loss.parts(x, y)
    assert abs(pull - loop_center_loss(x, c, y)) <= 1e-12
    assert abs(push - lam1 * loop_island(c)) <= 1e-12
    loss.update(x, y)
    step = loop_center_step(x, c, y) + lam1 * loop_island_step(c)
    assert (loss.centers - (c - 0.3 * step)).abs().max() <= 1e-14
    assert torch.equal(loss.centers[2], c[2]) == (lam1 == 0)
    # The printed step of island loss is a part of its gradient.
    (exact,) = torch.autograd.grad(loop_island(c.requires_grad_()), c)
    assert (2 * 4 * loop_island_step(c.detach()) - exact).abs().max() <= 1e-13


@pytest.mark.parametrize(("m", "k"), [(30, 3), (30, 20), (6, 2), (1, 20)])
def test_locality_preserving_loss_equals_loops(m, k):
    x, c, y = draw(m=m)
    loss = LocalityPreservingLoss(5, 8, init=c, neighbors=k)
    value = loss(x.requires_grad_(), y)
    want = loop_locality(x, y, k)
    assert abs(value - want) <= 1e-13
    value.backward()
    by_value = x.grad
    if m > 1:
        (by_loop,) = torch.autograd.grad(want, x)
        assert (by_value - by_loop).abs().max() <= 1e-14
    else:
        assert (by_value == 0).all()
    loss.update(x, y)
    assert torch.equal(loss.centers, c)


@pytest.mark.parametrize("name", LOSSES)
def test_every_gradient_is_that_of_the_centers_before_the_update(name):
    x, c, y = draw(m=12)
    loss = make_loss(name, 5, 8, alpha=2.0, rule="published", init=c)
    pull, push = loss.parts(x.requires_grad_(), y)
    assert torch.equal(loss(x, y), pull + push)
    assert not push.requires_grad
    assert pull.requires_grad == (name != "inter")
    if name == "inter":
        return
    # Neighbors, and means of the batch, are constants on purpose.
    if name not in ("locality", "batch"):
        assert torch.autograd.gradcheck(lambda z: loss(z, y), (x,))
    (before,) = torch.autograd.grad(loss(x, y), x)
    value = loss(x, y)
    loss.update(x, y)
    value.backward()
    assert torch.equal(x.grad, before)


@pytest.mark.gpu
@pytest.mark.parametrize("init", FIRST_CENTERS)
@pytest.mark.parametrize("name", LOSSES)
def test_a_captured_step_repeats_the_eager_one(name, init):
    g = torch.Generator().manual_seed(5)
    loss = make_loss(name, 7, 64, init=init, generator=g).cuda()
    x, _, y = draw(m=100, d=64, s=7, dtype=torch.float32)
    x, y = x.cuda().requires_grad_(), y.cuda()

    def step():
        value = loss(x, y)
        loss.update(x, y)
        if value.requires_grad:
            return value.detach(), *torch.autograd.grad(value, x)
        return (value,)

    step()  # the first one may take means
    first = {k: v.clone() for k, v in loss.state_dict().items()}
    eager = [t.clone() for _ in range(3) for t in step()]
    centers = loss.centers.clone()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        held = step()
    loss.load_state_dict(first)
    captured = []
    for _ in range(3):
        graph.replay()
        captured += [t.clone() for t in held]
    assert all(torch.equal(a, b) for a, b in zip(eager, captured, strict=True))
    assert torch.equal(loss.centers, centers)
    loss.raise_on_faults()


# Other people's loops.


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", LOSSES)
def test_compiled_and_functional_steps_are_the_eager_one(name, dtype):
    x, c, y = draw(dtype=dtype)
    eager, compiled = (make_loss(name, 5, 8, init=c) for _ in range(2))
    (want,) = torch.autograd.grad(eager(x.requires_grad_(), y) + 0 * x.sum(), x)
    with pytest.raises(RuntimeError, match="vmap"):  # as the docstring says
        torch.vmap(eager)(x[None], y[None])
    got = torch.func.grad(lambda z: eager(z, y))(x.detach())
    assert torch.allclose(got, want, atol=1e-7)
    torch._dynamo.reset()
    options = {"fullgraph": True, "backend": "aot_eager"}
    fast = torch.compile(compiled, **options)
    assert torch.allclose(fast(x, y), eager(x, y), rtol=1e-6)
    torch.compile(compiled.update, **options)(x, y)
    eager.update(x, y)
    assert torch.allclose(compiled.centers, eager.centers, atol=1e-6)
    for _ in range(2):  # counted, as on an accelerator
        fast(x, torch.full_like(y, 9))
    with pytest.raises(ValueError, match="labels: 60 were out of range"):
        compiled.raise_on_faults()


@pytest.mark.parametrize("name", ["separate", "intra", "center", "island"])
def test_gradients_have_gradients_also_after_the_update(name):
    x, c, y = draw(m=6)
    loss = make_loss(name, 5, 8, init=c)
    assert torch.autograd.gradgradcheck(lambda z: loss(z, y), (x.requires_grad_(),))
    value = loss(x, y)
    loss.update(x, y)
    (slope,) = torch.autograd.grad(value, x, create_graph=True)
    slope.square().sum().backward()  # a gradient penalty
    before = make_loss(name, 5, 8, init=c)
    (there,) = torch.autograd.grad(before(x, y), x, create_graph=True)
    (want,) = torch.autograd.grad(there.square().sum(), x)
    assert (x.grad - want).abs().max() <= 1e-14


@pytest.mark.parametrize("name", ["separate", "center", "island"])
def test_gathered_batches_move_the_centers_as_one(name):
    x, c, y = draw()
    whole, parts = (make_loss(name, 5, 8, init=c) for _ in range(2))
    for _ in range(2):
        whole.update(x, y)
        for few in (slice(0, 10), slice(10, 13)):
            parts.update(x[few], y[few], step=False)
        parts.update(x[13:], y[13:])
    assert (whole.centers - parts.centers).abs().max() <= 1e-14


@pytest.mark.parametrize("written", ["features", "labels", "centers"])
def test_the_step_sees_what_was_written_after_the_loss(written):
    x, c, y = draw()
    loss, fresh = (SeparateLoss(5, 8, init=c) for _ in range(2))
    loss(x, y)
    {"features": x, "labels": y, "centers": loss.centers}[written].mul_(0).add_(1)
    fresh.centers.copy_(loss.centers)
    loss.update(x, y)
    fresh.update(x, y)
    assert torch.equal(loss.centers, fresh.centers)
    copy.deepcopy(loss).update(x, y)


def test_centers_that_never_move_are_said_once(monkeypatch):
    monkeypatch.setattr("fersep.losses.base.MANY", 3)
    x, _, y = draw(dtype=torch.float32)
    x.requires_grad_()
    for _ in range(9):
        make_loss("locality", 5, 8)(x, y)
    moved, still, forgotten = (SeparateLoss(5, 8, alpha=a) for a in (0.5, 0, 0.5))
    for _ in range(5):
        moved(x, y)
        moved.update(x, y)
        still(x, y)
    forgotten(x, y)
    forgotten(x, y)
    with pytest.warns(UserWarning, match="SeparateLoss saw 3 .*; call update"):
        forgotten(x, y)
    forgotten(x, y)  # once is enough


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda x, y: (x.tolist(), y), "features must be a Tensor, got list; use"),
        (lambda x, y: (x, y.numpy()), "labels must be a Tensor, got ndarray; use"),
        (lambda x, y: (x.byte(), y), "features must be floating point, got torch.uint"),
        (lambda x, y: (x, y.int()), r"labels must be int64 .* use labels.long\(\)"),
        (lambda x, y: (x[:, :7], y), "length 7 but centers have length 8"),
        (lambda x, y: (x, y[:4]), r"labels must have the shape \(30,\)"),
    ],
)
def test_other_types_and_shapes_are_named(change, says):
    x, c, y = draw(dtype=torch.float32)
    loss = SeparateLoss(5, 8)
    for use in (loss, loss.update, lambda f, z: eq.intra_loss(f, c, z)):
        with pytest.raises(ValueError, match=says):
            use(*change(x, y))
