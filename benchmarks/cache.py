"""Loading photographs for the first time and again, in one process.

    python benchmarks/cache.py --images 10000 --out cache.json

Drawn faces are written as JPEG files in class folders; the first load decodes them, the
second finds them in the cache. The ratio of the two is the gain of the cache.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from PIL import Image

from fersep import data


def write(root: Path, images: int, side: int) -> None:
    faces = data.load("rendered_basic", size=round(images / 0.69), image_size=side)
    for i, (image, label) in enumerate(faces):
        if i == images:
            break
        folder = root / faces.classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(image.permute(1, 2, 0).numpy())
        picture.save(folder / f"{i:06d}.jpg", quality=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--side", type=int, default=100, help="of the written files")
    parser.add_argument("--image-size", type=int, default=48)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        write(Path(place), options.images, options.side)
        os.environ["FERSEP_BUILD"] = str(Path(place) / "build")
        seconds, prints = [], []
        for _ in range(4):
            start = time.perf_counter()
            parts = data.load_splits("folder", place, image_size=options.image_size)
            seconds.append(time.perf_counter() - start)
            prints.append([part.fingerprint for part in parts])
        assert all(one == prints[0] for one in prints)
        found = sum(map(len, parts))
    first, again = seconds[0], min(seconds[1:])
    result = {
        "images": found,
        "first_seconds": round(first, 3),
        "again_seconds": round(again, 3),
        "ratio": round(first / again, 1),
    }
    print(json.dumps(result))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
