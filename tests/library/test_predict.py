"""``python -m fersep predict``: a trained network on pictures."""

import json
from dataclasses import replace

import pytest
import torch
from PIL import Image

from fersep import data, training
from fersep.cli import main
from fersep.predict import predict


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run in a folder, and some of its images as files."""
    folder = tmp_path_factory.mktemp("predict")
    train, validation, test = data.load_splits(
        "rendered_basic", size=210, image_size=32, difficulty="easy"
    )
    settings = training.Settings(epochs=2, batch_size=32, width=4)
    run = training.fit(train, validation, settings, device="cpu", progress=False)
    run.save(folder / "run")
    for i in range(3):
        image = Image.fromarray(test.images[i].permute(1, 2, 0).numpy())
        image.save(folder / f"{i}.png")
    return folder, run, test


def test_it_says_what_the_network_gives(trained, capsys):
    folder, run, test = trained
    files = [str(folder / f"{i}.png") for i in range(3)]
    order = ["predict", *files, "--run", str(folder / "run")]
    assert main([*order, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    features, logits = training.evaluate(run.model, test.images[:3])
    for row, x, scores in zip(told, features, logits, strict=True):
        p = torch.tensor(list(row["probability"].values()))
        assert torch.allclose(p, scores.softmax(0), atol=1e-5)
        assert row["class"] == test.classes[int(scores.argmax())]
        cosines = torch.cosine_similarity(x[None], run.centers)
        s = torch.tensor(list(row["similarity"].values()))
        assert torch.allclose(s, (cosines + 1) / 2, atol=1e-5)
        assert row["nearest"] == test.classes[int(cosines.argmax())]
    assert main(order) == 0
    out = capsys.readouterr().out
    assert f"0.png: looks most like {told[0]['class']}; the nearest center" in out
    assert "not what a person feels" in out


def test_what_is_no_picture_is_one_sentence(trained, tmp_path, capsys):
    folder, run, _ = trained
    assert main(["predict", "nowhere.png", "--run", str(folder / "run")]) == 1
    assert "/nowhere.png is no file; give JPEG or PNG" in capsys.readouterr().err
    assert main(["predict", "nowhere.png", "--run", str(tmp_path)]) == 1
    assert "is no saved run" in capsys.readouterr().err
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    with pytest.raises(ValueError, match="cannot be read as an image; .* 8 pixels"):
        predict([tmp_path / "dot.png"], run)


def test_a_run_without_the_size_of_its_images_is_said(trained):
    folder, run, _ = trained
    older = replace(run, data={**run.data, "image_size": None})
    with pytest.warns(UserWarning, match="brought to 48 pixels; train it anew"):
        predict([folder / "0.png"], older)
