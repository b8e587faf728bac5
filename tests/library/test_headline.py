"""The benchmark of the whole training, on a few small images."""

import importlib
import json
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def headline(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("headline")


def test_each_part_leaves_its_file(headline, tmp_path):
    order = ["--tiny", "--device", "cpu", "--out", str(tmp_path)]
    assert headline.main([*order, "--part", "raf-32", "precision"]) == 0
    assert sorted(f.name for f in tmp_path.iterdir()) == [
        "precision.json",
        "raf-32.json",
    ]
    raf, precision = (
        json.loads((tmp_path / name).read_text(encoding="utf-8"))
        for name in ("raf-32.json", "precision.json")
    )
    whole, slices = raf["whole"], raf["slices"]
    assert raf["images"] == [130, 60]
    assert raf["the paper's minutes"] == 31
    assert whole["seconds of training with its start"] > 0
    assert {"captured", "eager", "torchvision"} < set(slices)
    steps = 3 * raf["settings"]["epochs"]
    for times in slices.values():
        assert times["steps"] == 4
        assert times["seconds of the training"] == pytest.approx(
            steps * times["seconds per step"]
        )
    assert len(precision["test accuracy"]["bfloat16"]) == 2
    assert precision["bfloat16 minus float32"]["n"] == 2


def test_drawn_images_are_those_of_the_data_set(headline):
    train, test = headline.pictures((90, 40), 24, torch.device("cpu"))
    assert train.images.shape == (90, 3, 24, 24)
    labels = torch.cat([train.labels, test.labels])
    wanted = headline.rendered.labels_of("rendered_basic", 130)
    assert torch.equal(labels.sort().values, wanted.sort().values)
    images = torch.cat([train.images, test.images])
    order = torch.randperm(130, generator=torch.Generator().manual_seed(0))
    again, _ = headline.rendered.draw(
        "rendered_basic", order[:3], wanted[order[:3]], image_size=24
    )
    assert torch.equal(images[:3], again)


def test_the_textbook_form_is_the_separate_loss(headline):
    from fersep import equations

    form = headline.Textbook(5, 8)
    x, y = torch.randn(20, 8), torch.arange(20) % 5
    logits = torch.randn(20, 5)
    separate = equations.separate_loss(x, form.centers.detach(), y)
    softmax = torch.nn.functional.cross_entropy(logits, y)
    assert form(x, logits, y).item() == pytest.approx(
        (softmax + 0.9 * separate).item(), abs=1e-5
    )


def test_a_part_that_is_not_there_is_named(headline, capsys, tmp_path):
    with pytest.raises(SystemExit):
        headline.main(["--part", "raf", "--out", str(tmp_path)])
    assert "there is no part raf; choose from raf-100" in capsys.readouterr().err
