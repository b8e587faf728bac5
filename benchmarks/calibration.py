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


def calibrate(name: str, settings: training.Settings) -> dict[str, Any]:
    """Train once on one set and say what the network reaches on its test images."""
    splits = load_splits(name, image_size=48, difficulty="default")
    train, validation, test = splits
    run = training.fit(train, validation, settings)
    predictions = training.evaluate(run.model, test.images)[1].argmax(1)
    matrix = analysis.confusion(test.labels, predictions, len(test.classes))
    accuracy = analysis.accuracy_interval(int(matrix.diagonal().sum()), len(test))
    recall = 100 * matrix.diagonal() / matrix.sum(1)
    low, high = BAND[name]
    kept = asdict(settings)
    kept["weights"] = settings.weights and Path(settings.weights).name
    parts = ("train", "validation", "test")
    return {
        "data": name,
        "start": "action units" if settings.weights else "random",
        "difficulty": "default",
        "spread": rendered.DIFFICULTIES["default"],
        "images": dict(zip(parts, map(len, splits), strict=True)),
        "image_size": 48,
        "settings": kept,
        "accuracy": accuracy.mean,
        "interval": [accuracy.low, accuracy.high],
        "mean_class_accuracy": analysis.mean_class_accuracy(matrix),
        "recall": dict(zip(test.classes, recall.tolist(), strict=True)),
        "confusion": matrix.tolist(),
        "majority_accuracy": analysis.majority_accuracy(matrix),
        "bayes_accuracy": 100 * rendered.bayes_accuracy(name, difficulty="default"),
        "band": [low, high],
        "in_band": low <= accuracy.mean <= high,
        "every_class_recalled": bool((recall > 0).all()),
        "train_accuracy": run.history["train_accuracy"][-1],
        "test_fingerprint": test.fingerprint,
        "seconds": round(run.seconds),
        "provenance": run.provenance,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="JSON file")
    parser.add_argument("--data", choices=[*BAND], nargs="+", default=[*BAND])
    parser.add_argument("--weights", help="also start from a network of units.py")
    args = parser.parse_args()
    runs = {}
    if args.out.exists():
        found = json.loads(args.out.read_text(encoding="utf-8"))["runs"]
        runs = {(run["data"], run["start"]): run for run in found}
    for name in args.data:
        for weights in [None, args.weights] if args.weights else [None]:
            settings = replace(SETTINGS, weights=weights)
            run = calibrate(name, settings)
            runs[run["data"], run["start"]] = run
            # The name tells a benchmark from the record of a chapter.
            result = {
                "benchmark": "calibration",
                "runs": [runs[k] for k in sorted(runs)],
            }
            with storage.whole_file(args.out) as part:
                part.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
