"""From a chapter's parameters to faces and settings."""

from fersep_book import evidence
from test_own_faces import own_folder

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
