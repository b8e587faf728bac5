"""How hard the rendered sets are: softmax alone, one recipe, as many images as RAF-DB.

    python benchmarks/calibration.py --out results/cpu/calibration.json

The spreads of the default difficulty were set so that the test accuracy of the basic
set comes to 80 to 90 percent and that of the compound set to 50 to 65. A set trained
alone (``--data``) takes its place in the file and leaves the other set's.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fersep import analysis, training
from fersep.data import load_splits, rendered

BAND = {"rendered_basic": (80, 90), "rendered_compound": (50, 65)}

#: The paper's optimizer and its schedule of three periods; 20 epochs and a rate of 0.05
#: in place of 60 and 0.01, and half the channels of ResNet18.
SETTINGS = training.Settings(
    epochs=20, batch_size=100, lr=0.05, lr_periods=3, lam=0.0, width=32
)
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
        "difficulty": difficulty,
        "spread": rendered.DIFFICULTIES[difficulty],
        "images": {
            "train": len(train),
            "validation": len(validation),
            "test": len(test),
        },
        "image_size": IMAGE_SIZE,
        "settings": asdict(settings),
        "accuracy": test_accuracy.mean,
        "interval": [test_accuracy.low, test_accuracy.high],
        "mean_class_accuracy": analysis.mean_class_accuracy(matrix),
        "recall": dict(zip(test.classes, recall.tolist(), strict=True)),
        "confusion": matrix.tolist(),
        "majority_accuracy": analysis.majority_accuracy(matrix),
        "bayes_accuracy": 100 * rendered.bayes_accuracy(name),
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
    parser.add_argument("--difficulty", default="default")
    args = parser.parse_args()
    # The name tells a benchmark from the record of a chapter.
    result: dict[str, Any] = {"benchmark": "calibration"}
    if args.out and args.out.exists():
        result = json.loads(args.out.read_text(encoding="utf-8"))
    for name in [args.data] if args.data else list(BAND):
        result[name] = calibrated(name, SETTINGS, args.difficulty)
        text = json.dumps(result, indent=1) + "\n"
        if not args.out:
            print(text)
            continue
        args.out.parent.mkdir(parents=True, exist_ok=True)
        part = args.out.with_suffix(".part")
        part.write_text(text, encoding="utf-8")
        part.replace(args.out)


if __name__ == "__main__":
    main()
