"""Can a network read every action unit from a clear drawn face?

A narrow network regresses the intensities of all units, which are drawn independently
of each other and of any expression. Prints R² on new people for each unit as JSON.
``--weights`` keeps the network: a start for the training of expressions, which has seen
neither an expression nor a person of the sets that are drawn with the usual seed.

    python benchmarks/units.py
    python benchmarks/units.py --width 32 --weights units.pt
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from fersep import provenance, rendered, storage
from fersep.models import expression_net
from fersep.training import normalize

#: The seed decides the people; no set of the book has this one.
SEED, SIZE = 900, 48
N_TRAIN, N_TEST = 8000, 2000
EPOCHS, BATCH, RATE = 10, 64, 2e-3
#: Share of faces that show a unit, and the weakest intensity of a shown one.
SHOWN, WEAKEST = 0.4, 0.4


def pictures(index: Tensor) -> tuple[Tensor, Tensor]:
    """Return images (n, 3, 48, 48) and intensities (n, 17), a new person on each."""
    draw = rendered.hashed(SEED, 100, index, 2 * len(rendered.UNITS))
    shown, strength = draw.unflatten(1, (2, -1)).unbind(1)
    units = (shown < SHOWN) * (WEAKEST + (1 - WEAKEST) * strength)
    images = rendered.render(
        units[:, None].expand(-1, 2, -1),
        rendered.people(SEED, index),
        rendered.views(SEED, index, "easy"),
        SIZE,
    )
    return images, units


def drawn(start: int, n: int) -> tuple[Tensor, Tensor]:
    parts = [pictures(i) for i in torch.arange(start, start + n).split(26)]
    images, units = zip(*parts, strict=True)
    return torch.cat(images), torch.cat(units)


def r_squared(got: Tensor, want: Tensor) -> Tensor:
    """Return 1 - residual / total sum of squares of each column."""
    residual = ((want - got) ** 2).sum(0)
    return 1 - residual / ((want - want.mean(0)) ** 2).sum(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=16, help="of the first stage")
    parser.add_argument("--weights", type=Path, help="file for the trained network")
    args = parser.parse_args()
    images, units = drawn(0, N_TRAIN)
    new, want = drawn(N_TRAIN, N_TEST)
    torch.manual_seed(SEED)
    model = expression_net(num_classes=len(rendered.UNITS), width=args.width)
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    steps = EPOCHS * (N_TRAIN // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2 * RATE, steps)
    for _ in tqdm(range(EPOCHS), file=sys.stdout, disable=None):
        model.train()
        for batch in torch.randperm(N_TRAIN).split(BATCH)[: N_TRAIN // BATCH]:
            loss = F.mse_loss(model(normalize(images[batch]))[1], units[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.inference_mode():
        got = torch.cat([model(normalize(part))[1] for part in new.split(500)])
    score = r_squared(got, want)
    if args.weights:
        with storage.whole_file(args.weights) as part:
            torch.save(model.state_dict(), part)
    print(
        json.dumps(
            {
                "r_squared": {
                    str(unit): round(float(value), 3)
                    for unit, value in zip(rendered.UNITS, score, strict=True)
                },
                "least": round(float(score.min()), 3),
                "train": N_TRAIN,
                "test": N_TEST,
                "image_size": SIZE,
                "width": args.width,
                "epochs": EPOCHS,
                "provenance": provenance.provenance(),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
