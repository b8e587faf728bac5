"""The benchmark of the whole training, on a few small images."""

import importlib
import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def headline(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("headline")


def test_each_part_leaves_its_file(headline, tmp_path):
    out = tmp_path / "out"
    order = ["--tiny", "--device", "cpu", "--out", str(out)]
    names = ("speed-32", "width-16")
    assert headline.main([*order, "--part", *names]) == 0
    assert {f.stem for f in out.iterdir()} == set(names)
    speed, width = (
        json.loads((out / f"{name}.json").read_text(encoding="utf-8")) for name in names
    )
    assert len(width["images per second"]["bfloat16, share"]) == 3
    rates = speed["images per second"]
    assert set(rates) >= {"fersep, whole fit", "torchvision", "torchvision, bfloat16"}
    assert all(len(each) == 2 and min(each) > 0 for each in rates.values())


def test_a_part_that_is_not_there_is_named(headline, capsys, tmp_path):
    with pytest.raises(SystemExit):
        headline.main(["--part", "raf", "--out", str(tmp_path)])
    assert "there is no part raf; choose from speed-100" in capsys.readouterr().err
