"""The recipes of the page "Coming from center loss", run as they are printed."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

PAGE = Path(__file__).parents[2] / "book" / "coming_from_center_loss.md"


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(20, 512), nn.Linear(512, 7)

    def forward(self, images):
        features = self.body(images).relu()
        return features, self.head(features)


@pytest.fixture
def recipes():
    code = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    names = {}
    torch.manual_seed(0)
    exec("\n".join(code), names)
    network = Small()
    names["network"] = network
    names["optimizer"] = torch.optim.SGD(network.parameters(), 0.1)
    names["x"], names["y"] = torch.randn(40, 20), torch.randint(7, (40,))
    return names


@pytest.mark.parametrize("name", ["step", "step_mixed"])
def test_steps_learn_and_move_the_centers(name, recipes):
    net, x, y = recipes["network"], recipes["x"], recipes["y"]
    before = recipes["separate"].centers.clone()
    first = recipes["separate"](net(x)[0], y).item()
    for _ in range(30):
        recipes[name](net, recipes["optimizer"], x, y)
    assert recipes["separate"](net(x)[0], y).item() < first - 0.1
    assert not torch.equal(recipes["separate"].centers, before)
    assert not recipes["separate"].centers.requires_grad


@pytest.mark.parametrize("own", [lambda x, y: x.square().mean(), None])
def test_a_loss_of_ones_own_is_felt_and_a_pair_differs_by_it_alone(own, recipes):
    own = own or recipes["separate"]
    found = []
    for lam in (0.0, 0.0, 1.0):
        torch.manual_seed(1)
        network = Small()
        recipes["train"](network, own, recipes["x"], recipes["y"], lam, seed=2)
        found.append(network.body.weight)
    assert torch.equal(found[0], found[1])
    assert not torch.allclose(found[0], found[2])


def test_gathered_steps_are_those_of_the_whole_batch(recipes):
    net, x, y = recipes["network"], recipes["x"], recipes["y"]
    state = {k: v.clone() for k, v in net.state_dict().items()}
    centers = recipes["separate"].centers.clone()
    recipes["step"](net, recipes["optimizer"], x, y)
    whole, moved = net.body.weight.clone(), recipes["separate"].centers.clone()
    net.load_state_dict(state)
    recipes["separate"].centers.copy_(centers)
    batches = list(zip(x.split(10), y.split(10), strict=True))
    recipes["step_gathered"](net, recipes["optimizer"], batches)
    assert torch.allclose(net.body.weight, whole, atol=1e-6)
    assert torch.allclose(recipes["separate"].centers, moved, atol=1e-6)


def test_ignored_and_mixed_labels(recipes):
    features, y = recipes["network"](recipes["x"])[0], recipes["y"].clone()
    y[:5] = -100
    want = recipes["separate"](features[5:], y[5:])
    assert torch.equal(recipes["loss_of_known"](features, y), want)
    assert not torch.equal(recipes["separate"](features[5:], y[5:]), want)
    mixed = recipes["loss_of_mixed"](features, recipes["y"], recipes["y"].flip(0), 0.7)
    mixed.backward()
    assert recipes["network"].body.weight.grad.isfinite().all()


def test_a_checkpoint_holds_the_centers(recipes, tmp_path):
    net, separate = recipes["network"], recipes["separate"]
    recipes["step"](net, recipes["optimizer"], recipes["x"], recipes["y"])
    kept = separate.centers.clone()
    recipes["save"](tmp_path / "c.pt", net)
    recipes["step"](net, recipes["optimizer"], recipes["x"], recipes["y"])
    assert not torch.equal(separate.centers, kept)
    recipes["load"](tmp_path / "c.pt", net)
    assert torch.equal(separate.centers, kept)
