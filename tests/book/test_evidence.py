"""From a chapter's parameters to faces and settings."""

import numpy as np
import pytest
from fersep_book import evidence
from test_own_faces import own_folder

from fersep import data

PARAMETERS = {
    "data": "rendered_basic", "root": "", "size": 210, "image_size": 16,
    "difficulty": "easy", "test_size": 80, "weights": "", "lr": 0.02, "n_seeds": 2,
}  # fmt: skip


def test_rendered_faces_take_a_test_size():
    train, _, test = evidence.load_faces(PARAMETERS)
    assert len(test) == 80
    assert train.images.shape[2:] == (16, 16)


def test_other_faces_of_the_same_chapter_take_none(tmp_path):
    own_folder(tmp_path)
    train, *_ = evidence.load_faces(PARAMETERS, data="folder", root=str(tmp_path))
    assert train.name == "folder"


def test_settings_are_those_named_and_their_changes():
    settings = evidence.settings_of(PARAMETERS, lam=0.5)
    assert (settings.lr, settings.lam, settings.weights) == (0.02, 0.5, None)


def test_a_foreign_set_needs_the_same_classes(tmp_path):
    own_folder(tmp_path)
    train, *_ = evidence.load_faces(PARAMETERS)
    with pytest.raises(data.DataError, match="folder has the classes .*; choose sets"):
        data.foreign("folder", tmp_path, train)


def test_an_arm_that_an_experiment_lacks_is_named_with_those_it_has():
    with pytest.raises(ValueError, match=r"no arm 'lam=2'; name some of lam=0, "):
        evidence.train("fer2013-lambda", PARAMETERS | {"arms": "lam=0, lam=2"})


def test_too_few_test_images_of_a_reader_are_said(monkeypatch, capsys):
    run = evidence.Recording({}, {"test_labels": np.zeros(7)})
    mine = evidence.Experiment("of your own", {"seeds": [0]}, {"softmax": {0: run}})
    monkeypatch.setattr(evidence, "train", lambda *_: mine)
    assert list(evidence.shown("fer2013", PARAMETERS, 7)) == ["yours", "recorded"]
    assert list(evidence.shown("fer2013", PARAMETERS, 8)) == ["recorded"]
    assert "You have 7 test images, and this chapter needs 8" in capsys.readouterr().out
