"""How hard the rendered sets are: softmax alone, one recipe, as many images as RAF-DB.

    python benchmarks/units.py --width 32 --weights _build/action_units.pt
    python benchmarks/calibration.py --weights _build/action_units.pt \\
        --out results/cpu/calibration.json

The spreads of the default difficulty were set so that the test accuracy of the basic
set comes to 80 to 90 percent and that of the compound set to 50 to 65, with every class
recognized now and then. The network starts twice: from random weights, and from those
of a network that reads action units on other people and has never seen an expression.
The second start stands in for the paper's ImageNet weights, and it decides. A run takes
its own place in the file and leaves the others', so single ones can be made anew.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from fersep import analysis, rendered, storage, training
from fersep.data import load_splits

BAND = {"rendered_basic": (80, 90), "rendered_compound": (50, 65)}

#: The paper's optimizer and its schedule of three periods, on half the channels of
#: ResNet18 and a third of its epochs. Batches are smaller than the paper's: with 100
#: images in each, 20 epochs leave a random start near the most frequent class.
SETTINGS = training.Settings(
    epochs=20, batch_size=32, lr=0.02, lr_periods=3, lam=0.0, width=32
)
RANDOM, UNITS = "random", "action units"
IMAGE_SIZE = 48


def calibrated(
    name: str, settings: training.Settings, difficulty: str
) -> dict[str, Any]:
    """Train once on one set and say what the network reaches on its test images."""
    train, validation, test = load_splits(
        name, image_size=IMAGE_SIZE, difficulty=difficulty
    )
    run = training.fit(train, validation, settings)
    predictions = training.evaluate(run.model, test.images)[1].argmax(1)
    n = len(test.classes)
    matrix = analysis.confusion(test.labels, predictions, n)
    right = int((predictions == test.labels).sum())
    recall = 100 * matrix.diagonal() / matrix.sum(1)
    test_accuracy = analysis.accuracy_interval(right, len(test))
    low, high = BAND[name]
    return {
        "data": name,
        "start": UNITS if settings.weights else RANDOM,
        "difficulty": difficulty,
        "spread": rendered.DIFFICULTIES[difficulty],
        "images": {
            "train": len(train),
            "validation": len(validation),
            "test": len(test),
        },
        "image_size": IMAGE_SIZE,
        "settings": asdict(settings)
        | {"weights": settings.weights and Path(settings.weights).name},
        "accuracy": test_accuracy.mean,
        "interval": [test_accuracy.low, test_accuracy.high],
        "mean_class_accuracy": analysis.mean_class_accuracy(matrix),
        "recall": dict(zip(test.classes, recall.tolist(), strict=True)),
        "confusion": matrix.tolist(),
        "majority_accuracy": analysis.majority_accuracy(matrix),
        "bayes_accuracy": 100 * rendered.bayes_accuracy(name, difficulty=difficulty),
        "band": [low, high],
        "in_band": low <= test_accuracy.mean <= high,
        "every_class_recalled": bool((recall > 0).all()),
        "train_accuracy": run.history["train_accuracy"][-1],
        "test_fingerprint": test.fingerprint,
        "seconds": round(run.seconds),
        "provenance": run.provenance,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="JSON file; printed if left out")
    parser.add_argument("--data", choices=list(BAND), help="one set only")
    parser.add_argument("--weights", help="network of benchmarks/units.py, width 32")
    parser.add_argument("--start", choices=[RANDOM, UNITS], help="one start only")
    parser.add_argument("--difficulty", default="default")
    args = parser.parse_args()
    starts = [args.start] if args.start else [RANDOM, UNITS]
    if UNITS in starts and not args.weights:
        parser.error(
            f"the start {UNITS!r} needs --weights FILE; or give --start random"
        )
    for name in [args.data] if args.data else list(BAND):
        for start in starts:
            settings = replace(
                SETTINGS, weights=args.weights if start == UNITS else None
            )
            run = calibrated(name, settings, args.difficulty)
            if args.out:
                _keep(run, args.out)
            else:
                print(json.dumps(run, indent=1))


def _keep(run: dict[str, Any], path: Path) -> None:
    """Put a run into a file, in the place of the one with its data and start."""
    path.parent.mkdir(parents=True, exist_ok=True)
    runs = []
    if path.exists():
        runs = json.loads(path.read_text(encoding="utf-8"))["runs"]
    runs = [r for r in runs if _place(r) != _place(run)] + [run]
    # The name tells a benchmark from the record of a chapter.
    result = {"benchmark": "calibration", "runs": sorted(runs, key=_place)}
    with storage.whole_file(path) as part:
        part.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _place(run: dict[str, Any]) -> tuple[str, str]:
    return run["data"], run["start"]


if __name__ == "__main__":
    main()
