"""The command that trains: what it writes, refuses, and goes on with."""

import csv
import json
import re
from dataclasses import fields

import numpy as np
import pytest
import torch

from fersep import analysis, equations
from fersep.cli import main
from fersep.training import Run, Settings, algorithm

TINY = [
    "train", "--size", "200", "--image-size", "24", "--difficulty", "easy",
    "--epochs", "3", "--width", "4", "--batch-size", "50", "--device", "cpu",
]  # fmt: skip


def test_it_writes_a_run_and_goes_on_after_a_stop(build, capsys, monkeypatch):
    order = [*TINY, "--out", str(build / "whole"), "--loss", "island", "--lam", "0.01"]
    assert main(order) == 0
    printed = capsys.readouterr().out
    assert "training images of rendered_basic, 1 process(es) on cpu: island" in printed
    assert "\r" not in printed  # no bar where nobody looks
    whole = Run.load(build / "whole")
    assert whole.settings.loss == "island"
    assert whole.provenance["start"] == "from scratch"
    with (build / "whole" / "history.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * (8 + 7)
    last = {r["class"]: float(r["value"]) for r in rows if r["quantity"] == "agreement"}
    assert list(last.values()) == whole.history["agreement"][-1]
    assert whole.center_history.shape == (3, 7, 32)
    assert torch.equal(whole.center_history[-1], whole.centers)

    assert main(order) == 1
    assert "whole exists; choose a new name" in capsys.readouterr().err
    assert main([*order, "--resume"]) == 0
    assert "is finished already" in capsys.readouterr().out
    assert main([*order, "--resume", "--seed", "1"]) == 1
    assert "is a finished run: seed is 0 there and 1 here" in capsys.readouterr().err

    order[order.index(str(build / "whole"))] = str(build / "again")
    real = algorithm.train_epoch

    def stopped(*given):
        if given[2] == 2:
            raise KeyboardInterrupt
        return real(*given)

    with monkeypatch.context() as patch:
        patch.setattr(algorithm, "train_epoch", stopped)
        assert main(order) == 130
    assert "train with --resume" in capsys.readouterr().err
    assert main(order) == 1
    assert "holds checkpoints of an unfinished run; give --" in capsys.readouterr().err
    assert main([*order, "--resume"]) == 0
    assert torch.equal(Run.load(build / "again").centers, whole.centers)
    assert not (build / "again.checkpoints").exists()


def test_it_writes_arrays_that_an_analysis_reads(build):
    out = build / "kept" / "run.npz"
    order = [*TINY, "--out", str(out), "--note", "arm=exact", "--precision", "bfloat16"]
    order += ["--stem", "small", "--schedule", "linear", "--also", "rendered_basic"]
    order += ["--class-counts", "9,9,9,9,2,4,4", "--follow", "mean,normal,32"]
    assert main([*order, "--features"]) == 0
    arrays = np.load(out)
    facts = json.loads(str(arrays["facts"]))
    assert facts["note"] == {"arm": "exact"}
    assert facts["data"]["class_counts"] == [9, 9, 9, 9, 2, 4, 4]
    assert len(facts["history"]["agreement.mean,normal,32"]) == 3
    right = arrays["validation_logits"].argmax(1) == arrays["validation_labels"]
    assert 100 * right.mean() == pytest.approx(
        facts["history"]["validation_accuracy"][-1]
    )
    directions = equations.unit(torch.tensor(arrays["test_features"]).float())[0]
    means = analysis.true_centers(
        directions, torch.tensor(arrays["test_labels"]).long(), 7
    )
    assert torch.allclose(means, torch.tensor(arrays["test_means"]).float(), atol=2e-3)
    assert arrays["learned"].shape == arrays["true"].shape == (3, 7, 32)
    assert len(arrays["rendered_basic_predictions"]) > 2000
    assert main([*order, "--resume"]) == 0

    order[2] = "300"
    two = build / "two.npz"
    assert main([*order[:-2], "--out", str(two), "--no-test", "--brief"]) == 0
    kept = set(np.load(two)) - {"facts"}
    assert kept == {
        f"{name}_{what}"
        for name in ("validation", "rendered_basic")
        for what in ("labels", "predictions")
    }


def test_help_says_what_every_setting_is(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    for field in fields(Settings):
        option = re.escape(f"--{field.name.replace('_', '-')}")
        assert re.search(rf"{option}( X)? [^ \[(-]+ ", printed), field.name
    assert "η at the start. (default: 0.01)" in printed


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--lam", "-1"], r"lam (λ) must be a number of at least 0"),
        (["--data", "faces"], "data must be one of"),
        (["--weights", "gone.pt"], "gone.pt is no file"),
        (["--sync-batch-norm"], "sync_batch_norm needs GPUs"),
        (["--device", "tpu"], "device must be auto, cpu or cuda"),
    ],
)
def test_a_mistake_is_one_line(build, capsys, words, says):
    assert main([*TINY, "--out", str(build / "run"), *words]) == 1
    printed = capsys.readouterr().err.strip()
    assert says in printed
    assert "\n" not in printed
    assert not (build / "run").exists()
