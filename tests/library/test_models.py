"""The network: torchvision's ResNet at width 64, the same form at any other."""

import logging
import urllib.error

import pytest
import torch
from torchvision.models import resnet18, resnet34

from fersep.models import expression_net, start_in_words


@pytest.mark.parametrize(
    ("arch", "make"), [("resnet18", resnet18), ("resnet34", resnet34)]
)
def test_full_width_is_torchvisions_resnet(arch, make):
    ours, theirs = expression_net(arch).eval(), make(num_classes=7).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    features, logits = ours(images)
    assert features.shape == (2, 512)
    assert torch.equal(logits, theirs(images))
    assert torch.equal(logits, ours.fc(features))


@pytest.mark.parametrize(
    ("width", "extra", "relu", "dim"),
    [
        (16, None, False, 128),
        (32, None, False, 256),
        (8, 10, False, 10),
        (8, 9, True, 9),
    ],
)
def test_only_an_extra_layer_gives_negative_features(width, extra, relu, dim):
    net = expression_net("resnet18", 11, extra, width, feature_relu=relu)
    features, logits = net(torch.randn(4, 3, 48, 48))
    assert features.shape == (4, dim) == (4, net.feature_dim)
    assert logits.shape == (4, 11)
    assert bool((features < 0).any()) == (extra is not None and not relu)


WRAPPED = {
    "plain": lambda state: state,
    "checkpoint": lambda state: {"epoch": 3, "state_dict": state, "best": 0.5},
    "parallel": lambda s: {"model": {f"module.{k}": v for k, v in s.items()}},
    "backbone": lambda s: (
        {f"module.backbone.{k}": v for k, v in s.items()}
        | {"module.head.weight": torch.zeros(3)}
    ),
}


@pytest.mark.parametrize("form", WRAPPED)
def test_weights_from_a_file(form, tmp_path, caplog):
    source = expression_net(num_classes=9, width=8)
    state = source.state_dict()
    path = tmp_path / "w.pt"
    torch.save(WRAPPED[form](state), path)
    with caplog.at_level(logging.INFO, "fersep"):
        net = expression_net(width=8, weights=path)
    assert torch.equal(net.layer3[0].conv1.weight, source.layer3[0].conv1.weight)
    assert torch.equal(net.bn1.running_var, source.bn1.running_var)
    assert net.fc.weight.shape == (7, 64)
    assert "120 tensors loaded; left out: fc" in caplog.text
    assert caplog.text.rstrip().endswith("started anew: fc")


def test_without_a_network_the_way_out_is_named(tmp_path, monkeypatch):
    def no_network(*args, **kwargs):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "urlopen", no_network)
    with pytest.raises(ValueError, match="could not be downloaded .*weights=FILE"):
        expression_net(weights="imagenet")


def test_a_small_stem_leaves_more_of_a_small_image():
    image, last = torch.zeros(1, 3, 48, 48), {}
    for stem in ("imagenet", "small"):
        net = expression_net(width=2, stem=stem).eval()
        net.layer4.register_forward_hook(lambda *of, s=stem: last.update({s: of[2]}))
        net(image)
    assert last["imagenet"].shape == (1, 16, 2, 2)
    assert last["small"].shape == (1, 16, 3, 3)


def test_where_a_network_starts_is_said():
    assert start_in_words(None) == "from scratch"
    assert "ResNet34_Weights.IMAGENET1K" in start_in_words("imagenet", "resnet34")
    assert start_in_words("/home/me/w.pt") == "from the weights in w.pt"


def test_bad_arguments_are_named(tmp_path):
    def file(name, content):
        torch.save(content, tmp_path / name)
        return tmp_path / name

    (tmp_path / "broken.pt").write_bytes(b"no archive")
    saved = file("w.pt", resnet18(num_classes=7).state_dict())
    state = resnet18(num_classes=7).state_dict()
    state["bn1.bias"][3] = torch.nan
    sick = file("sick.pt", state)
    part = file("part.pt", {"conv1.weight": torch.zeros(64, 3, 7, 7)})
    deep = file("deep.pt", resnet34().state_dict())
    module = file("module.pt", resnet18())
    for options, says in [
        ({"arch": "vgg"}, "arch must be one of resnet18, resnet34"),
        ({"stem": "big"}, "stem must be imagenet or small; got 'big'"),
        ({"num_classes": 1}, "num_classes=1"),
        ({"width": 16, "weights": "imagenet"}, "for width=64 only; got width=16"),
        ({"weights": "nowhere.pt"}, r"nowhere\.pt is no file"),
        ({"weights": tmp_path / "broken.pt"}, r"broken\.pt cannot be read"),
        ({"weights": file("list.pt", [1, 2])}, "list.pt holds no state dictionary"),
        ({"width": 16, "weights": saved}, "are of width 64, .* --width 64$"),
        ({"stem": "small", "weights": saved}, r"conv1.weight is \[64, 3, 7, 7\]"),
        ({"weights": deep}, r"layer1.2.* is \[64, 64, 3, 3\], should be none"),
        ({"weights": module}, r"could run code; .*torch.save\(model.st"),
        ({"weights": sick}, "hold NaN or infinity in bn1.bias"),
        ({"weights": part}, "resnet18 of width 64: bn1.weight is none"),
    ]:
        with pytest.raises(ValueError, match=says):
            expression_net(**options)
