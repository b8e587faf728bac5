"""The book's t-SNE beside scikit-learn's, on the same points, in one process.

    python benchmarks/tsne.py --out results/cpu/tsne.json

The points are directions around seven centers in 512 dimensions, as features of a
trained network are. Both start at the same plane of principal components. Read it as:
scikit-learn took so many times as long.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch
from sklearn.manifold import TSNE

from fersep import equations, provenance, storage
from fersep.embedding import embed


def draw(n: int) -> torch.Tensor:
    """Points (n, 512) around seven directions."""
    g = torch.Generator().manual_seed(0)
    centers = equations.unit(torch.randn(7, 512, generator=g))[0]
    noise = torch.randn(n, 512, generator=g) / 512**0.5
    return equations.unit(centers[torch.arange(n) % 7] + 0.8 * noise)[0]


def seconds(work: Callable[[], object]) -> float:
    """Seconds on the clock."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--points", type=int, nargs="+", default=[3589, 15_000, 60_000])
    args = parser.parse_args()
    rows = []
    for n in args.points:
        points = draw(n)
        ours = seconds(lambda points=points: embed(points))
        other = TSNE(init="pca", random_state=0, n_jobs=-1)
        theirs = seconds(lambda points=points, t=other: t.fit_transform(points.numpy()))
        print(f"{n:8,} points{ours:8.1f} s{theirs:8.1f} s{theirs / ours:6.1f} x")
        rows.append({"points": n, "fersep": ours, "scikit-learn": theirs})
    if args.out:
        content = {"rows": rows, "provenance": provenance.provenance()}
        with storage.whole_file(args.out) as part:
            part.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
