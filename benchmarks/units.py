"""Can a network read every action unit from a clear drawn face?

A narrow network regresses the intensities of all units, which are drawn independently
of each other and of any expression. Prints R² on new people for each unit as JSON.
``--weights`` keeps the network: a start for the training of expressions, which has seen
neither an expression nor a person of the sets that are drawn with the usual seed.

    python benchmarks/units.py --width 32 --weights units.pt
"""

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import trange

from fersep import provenance, rendered, storage
from fersep.models import expression_net
from fersep.rendered.sampling import uniform
from fersep.training import normalize

#: The seed decides the people; no set of the book has this one.
SEED, SIZE = 900, 48
N_TRAIN, N_TEST = 8000, 2000
EPOCHS, BATCH, RATE = 10, 64, 2e-3
#: Share of faces that show a unit, and the weakest intensity of a shown one.
SHOWN, WEAKEST = 0.4, 0.4


def pictures(index: Tensor) -> tuple[Tensor, Tensor]:
    """Return images (n, 3, 48, 48) and intensities (n, 17), a new person on each."""
    draw = uniform(SEED, 100, index, 2 * len(rendered.UNITS))
    shown, strength = draw.unflatten(1, (2, -1)).unbind(1)
    units = (shown < SHOWN) * (WEAKEST + (1 - WEAKEST) * strength)
    people = rendered.people(SEED, index)
    views = rendered.views(SEED, index, "easy")
    both_sides = units[:, None].expand(-1, 2, -1)
    return rendered.render(both_sides, people, views, SIZE), units


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=16, help="of the first stage")
    parser.add_argument("--weights", type=Path, help="file for the trained network")
    args = parser.parse_args()
    parts = [pictures(index) for index in torch.arange(N_TRAIN + N_TEST).split(26)]
    images, units = (torch.cat(kind) for kind in zip(*parts, strict=True))
    torch.manual_seed(SEED)
    model = expression_net(num_classes=len(rendered.UNITS), width=args.width)
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    steps = EPOCHS * (N_TRAIN // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2 * RATE, steps)
    for _ in trange(EPOCHS, disable=None):
        for batch in torch.randperm(N_TRAIN).split(BATCH)[: N_TRAIN // BATCH]:
            loss = F.mse_loss(model(normalize(images[batch]))[1], units[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.inference_mode():
        new = images[N_TRAIN:].split(500)
        got = torch.cat([model(normalize(part))[1] for part in new])
    want = units[N_TRAIN:]
    score = 1 - (want - got).square().sum(0) / (want - want.mean(0)).square().sum(0)
    if args.weights:
        with storage.whole_file(args.weights) as file:
            torch.save(model.state_dict(), file)
    rounded = [round(value, 3) for value in score.tolist()]
    result = {
        "r_squared": dict(zip(rendered.UNITS, rounded, strict=True)),
        "least": min(rounded),
        "images": [N_TRAIN, N_TEST],
        "width": args.width,
        "provenance": provenance.provenance(),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
