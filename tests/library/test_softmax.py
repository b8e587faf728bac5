"""Heads of cosines: margins against loops and public code, and in a training."""

import math
from dataclasses import replace

import pytest
import torch
from pytorch_metric_learning import losses as public
from test_training import TINY, squares
from torch.nn import functional as F

from fersep import training
from fersep.losses import softmax_loss
from fersep.models import CosineHead, expression_net
from fersep.training import Run, Settings

HEADS = [("normface", 0.0), ("cosface", 0.35), ("arcface", 0.5), ("arcface", 1.2)]


def batch(dtype=torch.float64, m=40, d=6, s=5):
    g = torch.Generator().manual_seed(3)
    head = CosineHead(d, s, 7.0).to(dtype)
    head.weight.data = torch.randn(s, d, generator=g, dtype=dtype)
    x = torch.randn(m, d, generator=g, dtype=dtype)
    x[0] = -3 * head.weight.data[2]  # as far from its class as can be
    y = torch.arange(2, m + 2) % s
    return head, x.requires_grad_(), y


def by_loop(head, x, y, name, margin, smoothing):
    """The papers' formulas, an image and a class at a time."""
    total, s = 0, len(head.weight)
    for features, own in zip(x, y.tolist(), strict=True):
        z = []
        for j, w in enumerate(head.weight):
            cosine = (features @ w) / (features.norm() * w.norm())
            angle = torch.acos(cosine.clamp(-1 + 1e-12, 1 - 1e-12))
            if j == own and name == "cosface":
                cosine = cosine - margin
            if j == own and name == "arcface":
                far = angle > math.pi - margin
                fallen = cosine - margin * math.sin(margin)
                cosine = fallen if far else torch.cos(angle + margin)
            z.append(head.scale * cosine)
        p = torch.stack(z).exp() / sum(each.exp() for each in z)
        for j in range(s):
            share = (1 - smoothing) * (j == own) + smoothing / s
            total = total - share * p[j].log()
    return total / len(y)


def value_and_gradients(value, *at):
    return [value, *torch.autograd.grad(value, at)]


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize(("name", "margin"), HEADS)
def test_values_and_gradients_are_the_formulas(name, margin, smoothing):
    head, x, y = batch()
    kind = {"head": name, "scale": 7.0, "margin": margin, "smoothing": smoothing}
    ours = value_and_gradients(softmax_loss(head(x), y, **kind), x, head.weight)
    loop = by_loop(head, x, y, name, margin, smoothing)
    for a, b in zip(ours, value_and_gradients(loop, x, head.weight), strict=True):
        assert (a - b).abs().max() <= 1e-6 * (1 + b.abs().max())


@pytest.mark.parametrize(
    ("dtype", "near"), [(torch.float64, 1e-9), (torch.float32, 2e-5)]
)
@pytest.mark.parametrize(("name", "margin"), HEADS)
def test_public_code_gives_the_same(name, margin, dtype, near):
    head, x, y = batch(dtype)
    x = x.detach()[1:].requires_grad_()  # theirs has an infinite slope at the first
    y, (s, d) = y[1:], head.weight.shape
    if name == "normface":
        theirs = public.NormalizedSoftmaxLoss(s, d, temperature=1 / 7)
    elif name == "cosface":
        theirs = public.CosFaceLoss(s, d, margin=margin, scale=7)
    else:
        theirs = public.ArcFaceLoss(s, d, margin=math.degrees(margin), scale=7)
    theirs.W.data = head.weight.data.T.clone()
    value = softmax_loss(head(x), y, head=name, scale=7.0, margin=margin)
    ours = value_and_gradients(value, x, head.weight)
    found = value_and_gradients(theirs(x, y), x, theirs.W)
    found[2] = found[2].T
    for a, b in zip(ours, found, strict=True):
        assert (a - b).abs().max() <= near


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["cosface", "arcface"])
def test_a_margin_costs_and_its_loss_falls_with_the_cosine_everywhere(name, dtype):
    cosines = torch.linspace(-1, 1, 2001, dtype=dtype, requires_grad=True)
    logits = torch.stack([8 * cosines, torch.zeros_like(cosines)], 1)
    plain = F.cross_entropy(logits, torch.zeros(2001, dtype=torch.long))
    kind = {"head": name, "scale": 8.0, "margin": 0.4}
    value = softmax_loss(logits, torch.zeros(2001, dtype=torch.long), **kind)
    assert value > plain + 0.5
    (slope,) = torch.autograd.grad(value, cosines)
    assert slope.isfinite().all()
    assert (slope < 0).all()


def test_a_head_leaves_the_start_of_the_network_and_autocast_leaves_it():
    nets = []
    for scale in (None, 9.0):
        torch.manual_seed(5)
        nets.append(expression_net(width=4, scale=scale).eval())
    plain, net = nets
    for name, value in net.state_dict().items():
        assert torch.equal(value, plain.state_dict()[name])
    assert {*plain.state_dict()} - {*net.state_dict()} == {"fc.bias"}
    with torch.autocast("cpu", torch.bfloat16):
        features, logits = net(torch.rand(3, 3, 32, 32))
    wanted = torch.cosine_similarity(
        features.double()[:, None], net.fc.weight.double()[None], dim=2
    )
    assert (logits - 9 * wanted).abs().max() <= 1e-5


def test_a_trained_head_is_kept_and_predicts_without_its_margin(tmp_path):
    faces = squares(), squares(60, seed=1)
    kind = {"head": "arcface", "scale": 6.0, "margin": 0.3, "smoothing": 0.1}
    settings = replace(TINY, lam=0.0, **kind)
    run = training.fit(*faces, settings, device="cpu", progress=False)
    assert run.history["softmax_loss"][-1] < run.history["softmax_loss"][0]
    run.save(tmp_path / "kept")
    back = Run.load(tmp_path / "kept")
    (features, logits), again = (
        training.evaluate(each.model, faces[1].images) for each in (run, back)
    )
    assert torch.allclose(logits, again[1], atol=1e-5)
    weight = F.normalize(back.model.fc.weight)
    assert torch.allclose(logits, 6 * F.normalize(features) @ weight.T, atol=1e-5)
    for change in ({"margin": 0.0}, {"head": "cosface"}, {"smoothing": 0.0}):
        other = training.fit(
            *faces, replace(settings, **change, epochs=1), device="cpu", progress=False
        )
        assert other.history["softmax_loss"][0] != run.history["softmax_loss"][0]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"head": "sphere"}, "head must be linear, normface, cosface, arcface; got 's"),
        ({"head": "arcface", "scale": 0.0}, "scale must be a number larger than 0"),
        ({"head": "arcface", "margin": 2.0}, "margin must be at least 0 and below π/2"),
        ({"head": "normface", "margin": 0.1}, "normface knows no margin; use head cos"),
        ({"margin": 0.1}, "linear knows no margin"),
        ({"smoothing": 1.0}, "smoothing must be at least 0 and below 1, got 1.0"),
    ],
    ids=str,
)
def test_bad_settings_are_named(change, says):
    with pytest.raises(ValueError, match=says):
        Settings(**change)
