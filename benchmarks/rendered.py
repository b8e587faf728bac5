"""How long faces take to be drawn, against one epoch of training on them.

python benchmarks/rendered.py --out results/cpu/rendered_benchmark.json
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import torch

from fersep import provenance, storage, training
from fersep.data import load_splits


def measure(image_size: int, size: int) -> dict[str, float]:
    """Return seconds of drawing and of training, on all cores or a GPU."""
    options = {"image_size": image_size, "difficulty": "default"}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FERSEP_BUILD"] = folder
        start = time.perf_counter()
        train, validation, _ = load_splits("rendered_basic", size=size, **options)
        drawing = time.perf_counter() - start
        settings = training.Settings(epochs=1, width=16)
        epoch = training.fit(train, validation, settings, progress=False).seconds
    return {
        "images": size,
        "seconds": round(drawing, 2),
        "images per second": round(size / drawing),
        "seconds of an epoch at width 16": round(epoch, 2),
        "drawing / epoch": round(drawing / epoch, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="JSON file")
    parser.add_argument("--size", type=int, default=4000, help="images of each size")
    args = parser.parse_args()
    measure(48, 200)  # the first call of everything is slow
    # The name tells a benchmark from the record of a chapter.
    result: dict[str, object] = {"benchmark": "rendered"}
    result |= {f"{side} px": measure(side, args.size) for side in (48, 100)}
    result["cores"] = torch.get_num_threads()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    result["provenance"] = provenance.provenance(device)
    with storage.whole_file(args.out) as part:
        part.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
