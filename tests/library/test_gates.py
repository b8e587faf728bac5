"""Networks of patches: PG-CNN and gACNN."""

from itertools import product

import pytest
import torch
from torch.nn import functional as F
from torchvision.models import resnet18

from fersep import data, gates, training
from fersep.models import expression_net
from fersep.training import arrays
from fersep.training.batches import COLOR_MEAN, COLOR_STD, Feed

SMALL = {"width": 4, "stem": "small", "num_classes": 3}


def images(n=2, side=48):
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(0))


def settled(arch, **options):
    """A network whose batch norms have seen images, so that they do something."""
    torch.manual_seed(0)
    net = expression_net(arch, **SMALL | options)
    for _ in range(3):
        net(images(8))
    return net.eval()


def test_points_mirror_and_a_patch_shows_what_lies_there():
    assert len(gates.POINTS) == 24
    assert {(round(1 - x, 3), y) for x, y in gates.POINTS} == {
        (round(x, 3), y) for x, y in gates.POINTS
    }
    # A map that holds its own coordinates gives back the points.
    rows, columns = torch.meshgrid(
        torch.arange(40.0), torch.arange(20.0), indexing="ij"
    )
    maps = torch.stack([(columns + 0.5) / 20, (rows + 0.5) / 40])[None]
    found = gates.cut_patches(maps, 4).reshape(24, 2, -1).mean(2)
    assert (found - torch.tensor(gates.POINTS)).abs().max() < 1e-5


@pytest.mark.parametrize("arch", ["patches", "pgcnn", "gacnn"])
def test_features_are_those_of_a_loop_over_the_patches(arch):
    net, x = settled(arch), images()
    maps = net.layer2(net.layer1(net.relu(net.bn1(net.conv1(x)))))
    cut = gates.cut_patches(maps, 3).unflatten(1, (24, 8))
    rows, shown = [], []
    for k in range(24):
        patch = cut[:, k]
        for layer in (0, 3):
            patch = F.relu(
                _norm(
                    net.embed.patches,
                    layer,
                    _conv(net.embed.patches, layer, k, patch, 1),
                    k,
                )
            )
        vector = F.relu(_conv(net.embed.local.vector, 0, k, patch))[..., 0, 0]
        gate = torch.ones(2, 1)
        if arch != "patches":
            unit = net.embed.local.gate
            hidden = F.max_pool2d(patch, 2, ceil_mode=True)
            hidden = F.relu(_norm(unit, 1, _conv(unit, 1, k, hidden), k))
            hidden = hidden.mean((2, 3), keepdim=True)
            hidden = F.relu(_norm(unit, 5, _conv(unit, 5, k, hidden), k))
            gate = torch.sigmoid(_norm(unit, 8, _conv(unit, 8, k, hidden), k))[
                ..., 0, 0
            ]
        rows.append(vector * gate)
        shown.append(gate)
    if arch == "gacnn":
        deep = net.layer4(net.layer3(maps)).mean((2, 3), keepdim=True)
        vectors, gate = net.embed.whole(deep)
        rows.append(vectors[:, 0])
        shown.append(gate)
    features = net.embed.join(torch.cat(rows, 1))
    assert torch.allclose(features, net(x)[0], atol=1e-5)
    assert torch.allclose(torch.cat(shown, 1), net.gates(x), atol=1e-5)
    assert features.shape[1] == net.feature_dim == 16 * 4


def _conv(layers, at, k, x, padding=0):
    weight, bias = layers[at].weight.chunk(24)[k], layers[at].bias.chunk(24)[k]
    return F.conv2d(x, weight, bias, padding=padding)


def _norm(layers, at, x, k):
    norm = layers[at + 1]
    parts = (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    return F.batch_norm(x, *(part.chunk(24)[k] for part in parts))


def test_without_gates_it_is_the_same_network_with_open_gates():
    gated, bare = settled("pgcnn"), settled("patches")
    bare.load_state_dict(
        {k: v for k, v in gated.state_dict().items() if ".gate." not in k}
    )
    x = images()
    assert not torch.allclose(gated(x)[0], bare(x)[0])
    with torch.no_grad():
        gated.embed.local.gate[8].bias.fill_(1e4)
        gated.embed.local.gate[9].weight.fill_(1e4)
    assert torch.allclose(gated(x)[0], bare(x)[0], atol=1e-6)
    assert (bare.gates(x) == 1).all()


def test_a_shut_gate_hides_its_patch_and_no_other():
    net = settled("pgcnn")
    patches = net.embed.patches(gates.cut_patches(torch.rand(2, 8, 12, 12), 3))
    open_, values = net.embed.local(patches)
    with torch.no_grad():
        net.embed.local.gate[9].bias[5] = -1e4
    shut, now = net.embed.local(patches)
    assert (shut[:, 5] == 0).all()
    assert (now[:, 5] == 0).all()
    others = torch.arange(24) != 5
    assert torch.equal(shut[:, others], open_[:, others])
    assert torch.equal(now[:, others], values[:, others])


def test_full_width_takes_the_first_stages_of_torchvisions_weights(tmp_path, caplog):
    file = tmp_path / "weights.pt"
    state = resnet18().state_dict()
    torch.save(state, file)
    net = expression_net("pgcnn", weights=file)
    assert torch.equal(net.layer2[1].conv2.weight, state["layer2.1.conv2.weight"])
    assert "left out: fc, layer3, layer4" in caplog.text
    assert net(images(2, 224))[1].shape == (2, 7)
    whole = expression_net("gacnn", weights=file)
    assert torch.equal(whole.layer4[1].conv2.weight, state["layer4.1.conv2.weight"])


def test_features_have_a_length_of_their_own():
    with pytest.raises(ValueError, match="pgcnn has 16 width features; leave feature"):
        expression_net("pgcnn", feature_dim=64)


def test_a_run_with_gates_is_saved_and_read_back(tmp_path):
    train, validation, _ = data.load_splits("rendered_basic", size=210, image_size=24)
    settings = training.Settings(epochs=1, width=2, arch="gacnn", stem="small", lam=0.1)
    run = training.fit(train, validation, settings, progress=False)
    run.save(tmp_path / "run")
    again = training.Run.load(tmp_path / "run")
    x = images(3, 24)
    assert torch.equal(again.model.gates(x), run.model.gates(x))
    assert again.centers.shape == (7, 32)
    other = training.fit(train, validation, settings, progress=False)
    assert torch.equal(other.centers, run.centers)


def test_patches_lie_around_the_points_of_each_face():
    rows, columns = torch.meshgrid(
        torch.arange(30.0), torch.arange(40.0), indexing="ij"
    )
    maps = torch.stack([(columns + 0.5) / 40, (rows + 0.5) / 30]).expand(2, -1, -1, -1)
    points = 0.2 + 0.6 * torch.rand(
        2, 24, 2, generator=torch.Generator().manual_seed(0)
    )
    found = gates.cut_patches(maps, 4, points).reshape(2, 24, 2, -1).mean(3)
    assert (found - points).abs().max() < 1e-5


def test_at_landmarks_it_is_the_same_network_elsewhere():
    fixed, moving = settled("gacnn"), settled("gacnn")
    moving.at_landmarks = True
    x, points = images(), torch.tensor(gates.POINTS).expand(2, -1, -1)
    assert torch.equal(fixed(x)[0], moving(x, points)[0])
    assert torch.equal(fixed(x)[0], fixed(x, points + 0.1)[0])
    assert not torch.allclose(fixed(x)[0], moving(x, points + 0.1)[0])
    assert torch.equal(moving.gates(x, points), fixed.gates(x))
    with pytest.raises(ValueError, match="landmarks of each face, and these images"):
        moving(x)


def test_points_move_with_their_images():
    """A dot at each point of a dark image is where the changed point says."""
    generator = torch.Generator().manual_seed(0)
    side, n = 60, 40
    where = torch.randint(15, 45, (n, 24, 2), generator=generator)
    dots = torch.zeros(n, 3, side, side, dtype=torch.uint8)
    for k in range(24):  # the brightness of a dot is the number of its point
        dots[torch.arange(n), :, where[:, k, 1], where[:, k, 0]] = 10 * (k + 1)
    feed = Feed(dots, torch.zeros(n).long(), torch.device("cpu"), (where + 0.5) / side)
    (draws, *_), *_ = feed.draw_epoch(n, generator)
    moved, points = feed.make_batch(draws)[0], *feed.make_points(draws)
    white = moved[:, 0] * COLOR_STD[0] + COLOR_MEAN[0]
    number = (255 * white / 10).round().long()
    assert {0, 1} == set(draws[:, 1].tolist())
    found = 0
    for i, k in product(range(n), range(24)):
        x, y = (points[i, k] * side).floor().long().tolist()
        # Left and right change places in a mirrored face; a later dot may hide one.
        other = (k + 11) % 22 if k < 22 else k
        found += int(number[i, y, x]) == 1 + (other if draws[i, 1] else k)
    assert found > 0.98 * 24 * n


def test_a_network_at_landmarks_learns_and_asks_for_them(tmp_path):
    splits = data.load_splits("rendered_basic", size=210, image_size=24)
    arch = "pgcnn-landmarks"
    settings = training.Settings(epochs=1, width=2, arch=arch, stem="small", lam=0.1)
    run = training.fit(*splits[:2], settings, progress=False)
    run.save(tmp_path / "run")
    model, test = training.Run.load(tmp_path / "run").model, splits[2]
    features, logits = training.evaluate(model, test.images, points=test.points)
    few = training.evaluate(model, test.images, 5, test.points)
    assert torch.allclose(few[0], features, atol=1e-5)
    kept = arrays.collect_arrays(run, {"test": test}, brief=True)
    assert (kept["test_predictions"] == logits.argmax(1).numpy()).all()
    with pytest.raises(ValueError, match="train it with an arch without -landmarks"):
        training.evaluate(model, test.images)
