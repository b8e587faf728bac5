"""The module: hand-written backward, center updates, precision, processes."""

import copy
import itertools
import math

import pytest
import torch
import torch.multiprocessing
from torch import nn

from fersep import equations as eq
from fersep.losses import SeparateLoss, first_centers


def draw(m=30, d=8, s=5, seed=0, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    features = torch.randn(m, d, generator=g, dtype=dtype)
    centers = torch.randn(s, d, generator=g, dtype=dtype)
    return features, centers, torch.randint(0, s, (m,), generator=g)


def test_backward_is_the_hand_written_gradient_and_passes_gradcheck():
    x, c, y = draw()
    loss = SeparateLoss(5, 8, init=c)
    x.requires_grad_()
    value = loss(x, y)
    value.backward()
    assert abs(value - eq.separate_loss(x, c, y)) <= 1e-12
    assert (x.grad - eq.features_gradient(x, c, y)).abs().max() <= 1e-15
    assert torch.autograd.gradcheck(lambda z: loss(z, y), (x,))


def test_backward_scales_with_lambda():
    x, c, y = draw()
    x.requires_grad_()
    loss = SeparateLoss(5, 8, init=c)
    eq.total_loss(x.sum() * 0, loss(x, y), 0.9).backward()
    assert (x.grad - 0.9 * eq.features_gradient(x, c, y)).abs().max() <= 1e-15


def test_parts_add_up():
    x, c, y = draw()
    intra, inter = SeparateLoss(5, 8, init=c).parts(x, y)
    assert abs(intra - eq.intra_loss(x, c, y)) <= 1e-12
    assert abs(inter - eq.inter_loss(c)) <= 1e-12


@pytest.mark.parametrize("rule", ["exact", "published", "mean"])
def test_update_is_equation_8(rule):
    x, c, y = draw()
    loss = SeparateLoss(5, 8, init=c, alpha=0.7, rule=rule)
    loss.update(x, y)
    step = eq.intra_increment(x, c, y, rule) + eq.inter_increment(c, rule)
    assert (loss.centers - eq.update_centers(c, step, 0.7)).abs().max() <= 1e-14


def test_gradient_sees_the_centers_before_the_update():
    x, c, y = draw()
    x.requires_grad_()
    loss = SeparateLoss(5, 8, init=c, alpha=5.0)
    value = loss(x, y)
    loss.update(x, y)
    value.backward()
    assert (x.grad - eq.features_gradient(x, c, y)).abs().max() <= 1e-15


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


def test_update_leaves_no_graph_and_centers_are_no_parameter():
    x, _, y = draw(dtype=torch.float32)
    loss = SeparateLoss(5, 8)
    loss.update(x.requires_grad_(), y)
    assert not loss.centers.requires_grad
    assert list(loss.parameters()) == []
    assert set(loss.state_dict()) == {"centers"}


def test_first_values():
    g = torch.Generator().manual_seed(3)
    sphere = SeparateLoss(7, 64, generator=g).centers
    assert torch.allclose(sphere.norm(dim=1), torch.ones(7))
    again = SeparateLoss(7, 64, generator=g.manual_seed(3)).centers
    assert torch.equal(sphere, again)
    normal = first_centers(7, 512, "normal")
    assert 15 < normal.norm(dim=1).mean() < 30
    uniform = first_centers(7, 512, "uniform")
    assert ((uniform >= 0) & (uniform <= 1)).all()
    given = torch.randn(7, 4)
    loss = SeparateLoss(7, 4, init=given)
    loss.update(torch.randn(9, 4), torch.arange(9) % 7)
    assert not torch.equal(loss.centers, given)


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
def test_half_features_are_computed_in_single_precision(dtype):
    x, _, y = draw(dtype=torch.float32)
    loss = SeparateLoss(5, 8)
    half = x.to(dtype).requires_grad_()
    value = loss(half, y)
    value.backward()
    assert value.dtype == torch.float32
    assert half.grad.dtype == dtype
    assert torch.equal(value, loss(half.float(), y))


def test_autocast_does_not_reach_the_loss():
    x, _, y = draw(dtype=torch.float32)
    loss = SeparateLoss(5, 8)
    other = copy.deepcopy(loss)
    loss.update(x, y)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(x, y)
        other.update(x, y)
    assert torch.equal(inside, loss(x, y))
    assert torch.equal(other.centers, loss.centers)


def test_centers_travel_in_the_state_dict():
    x, _, y = draw(dtype=torch.float32)
    a, b = SeparateLoss(5, 8), SeparateLoss(5, 8)
    a.update(x, y)
    b.load_state_dict(a.state_dict())
    assert torch.equal(a.centers, b.centers)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda x, y: y.__setitem__(0, 7), "labels: 1 were out of range; 5 classes"),
        (lambda x, y: x.__setitem__((2, 1), math.nan), "features: 1 rows held NaN"),
        (lambda x, y: x.__setitem__(slice(3), 0), "features: 3 rows were zero vectors"),
    ],
)
def test_faults_are_said_once(change, says):
    x, _, y = draw(dtype=torch.float32)
    change(x, y)
    loss = SeparateLoss(5, 8)
    with pytest.raises(ValueError, match=says):
        loss(x, y)
    with pytest.raises(ValueError, match=says):
        loss.update(x, y)
    loss.raise_on_faults()


def test_shapes_and_arguments_are_checked():
    x, _, y = draw(dtype=torch.float32)
    loss = SeparateLoss(5, 8)
    with pytest.raises(ValueError, match="length 7 but centers have length 8"):
        loss(x[:, :7], y)
    with pytest.raises(ValueError, match=r"labels must have the shape \(30,\)"):
        loss(x, y[:4])
    for arguments, says in [
        ({"alpha": 0.0}, "alpha"),
        ({"rule": "wrong"}, "rule must be one of"),
        ({"init": "zeros"}, "init must be sphere, normal, uniform"),
        ({"init": torch.ones(2, 2)}, "init must have the shape"),
        ({"init": torch.zeros(5, 8)}, r"centers\[0\] is a zero vector"),
    ]:
        with pytest.raises(ValueError, match=says):
            SeparateLoss(5, 8, **arguments)
    with pytest.raises(ValueError, match="num_classes must be at least 2"):
        SeparateLoss(1, 8)


def _rank(rank: int, world: int, address: str, out: str) -> None:
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{address}", rank=rank, world_size=world
    )
    x, c, y = draw(m=31)
    loss = SeparateLoss(5, 8, init=c, rule="published")
    cuts = [0, 20, 31]  # unequal parts; the second rank lacks nothing but size
    part = slice(cuts[rank], cuts[rank + 1])
    for _ in range(5):
        loss.update(x[part], y[part])
    torch.save(loss.centers, f"{out}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_move_the_centers_as_one(tmp_path):
    torch.multiprocessing.spawn(
        _rank, (2, str(tmp_path / "meet"), str(tmp_path)), nprocs=2
    )
    x, c, y = draw(m=31)
    alone = SeparateLoss(5, 8, init=c, rule="published")
    for _ in range(5):
        alone.update(x, y)
    for rank in range(2):
        both = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert (both - alone.centers).abs().max() <= 1e-13
