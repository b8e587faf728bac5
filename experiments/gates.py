r"""What a cover over part of a face does to a network, and to the gates of its patches.

    python experiments/gates.py --out FILE.npz --resume ...

takes what ``python -m fersep train`` takes, and trains the same. It adds what the
network makes of further rendered faces, each bare and under covers of several sizes,
from below and from above, with all else alike:

    sweep_labels       (n,)
    sweep_predictions  (2, sizes, n); the first size is 0
    sweep_covered      (2, sizes, 24), the mean share of each patch that is covered
    sweep_gates        (2, sizes, 24 or 25), mean gates
    closing            (2, 3), mean change of a gate against the bare face, of patches
                       that stay bare, are covered up to half, and more
    example_gates      (2, sizes, 4, 24 or 25), those of the first faces
"""

import argparse
import shutil
import sys
from itertools import product
from pathlib import Path

import numpy as np
import torch

from fersep import cli, gates, provenance, storage, training
from fersep.models import PatchNet
from fersep.rendered import render, sampling
from fersep.training import arrays, command
from fersep.training.batches import normalize

SIZES = (0.0, 0.3, 0.65, 1.0, 1.5, 2.0)  # a training image has 0, or .3 to 1
FACES = 1000
FIRST = 6 * 2**41  # no training set of any size reaches these


def faces(number: int = FACES) -> tuple[torch.Tensor, torch.Tensor]:
    """Return numbers and labels of the faces that are covered."""
    labels = sampling.labels_of("rendered_basic", number)
    return FIRST + torch.arange(number), labels


def draw(size: float, *, above: bool, number: int = FACES, plain: bool = False):
    """Draw the faces (n, 3, 48, 48) under a cover of a size; plain: spoil nothing."""
    index, labels = faces(number)
    persons = sampling.persons_of(index)
    codes = [sampling.EXPRESSIONS_OF["rendered_basic"][j] for j in labels.tolist()]
    units = sampling.action_units(codes, 0, index, persons, "default")
    view = dict(zip(sampling.VIEW, sampling.views(0, index, "default").T, strict=True))
    view["occluder"] = torch.full_like(view["occluder"], size)
    view["occluder_y"] = torch.full_like(view["occluder"], -1.0 if above else 1.0)
    for part in ("noise", "blur", "compression", "shadow"):
        view[part] *= not plain
    person = sampling.people(0, persons)
    return render(units, person, torch.stack([*view.values()], 1), 48)


def draw_all() -> np.ndarray:
    """Return all faces, spoiled and plain (2, 2, sizes, n, 3, 48, 48), drawn once."""

    def fill(pictures: np.ndarray) -> None:
        for plain, above, k in product((0, 1), (0, 1), range(len(SIZES))):
            shown = draw(SIZES[k], above=bool(above), plain=bool(plain))
            pictures[plain, above, k] = shown.numpy()

    key = [FIRST, SIZES, FACES, provenance.code_key("fersep.rendered")]
    shape = (2, 2, len(SIZES), FACES, 3, 48, 48)
    return storage.cached_array("covers", key, shape, fill)[0]


def covered(bare: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    """Return the share of each patch that a cover hides, (n, 24)."""
    changed = (bare != hidden).any(1, keepdim=True).float()
    return gates.cut_patches(changed, 6).mean((2, 3))


def sweep(model: torch.nn.Module) -> dict[str, np.ndarray]:
    """Return what a network makes of the covered faces."""
    found = {"sweep_labels": faces()[1].numpy().astype("u1")}
    sides: dict[str, list] = {}
    for spoiled, plain in zip(*torch.from_numpy(draw_all().copy()), strict=True):
        rows: dict[str, list] = {"predictions": [], "covered": [], "gates": []}
        for images, shown in zip(spoiled, plain, strict=True):
            logits = training.evaluate(model, images)[1]
            rows["predictions"].append(logits.argmax(1).byte())
            rows["covered"].append(covered(plain[0], shown))
            if isinstance(model, PatchNet):
                with torch.no_grad():
                    parts = normalize(images).split(250)
                    rows["gates"].append(torch.cat([*map(model.gates, parts)]))
        for name, each in rows.items():
            sides.setdefault(name, []).append(torch.stack(each) if each else None)
    found["sweep_predictions"] = torch.stack(sides["predictions"]).numpy()
    share = torch.stack(sides["covered"])
    found["sweep_covered"] = share.mean(2).numpy().astype("f2")
    if isinstance(model, PatchNet):
        value = torch.stack(sides["gates"])
        change = (value - value[:, :1])[:, 1:, :, : len(gates.POINTS)]
        hid = share[:, 1:]
        groups = (hid == 0, (hid > 0) & (hid <= 0.5), hid > 0.5)
        closing = [
            [float(c[g].mean()) for g in each]
            for c, *each in zip(change, *groups, strict=True)
        ]
        found["closing"] = np.array(closing, "f4")
        found["sweep_gates"] = value.mean(2).numpy().astype("f2")
        found["example_gates"] = value[:, :, :4].numpy().astype("f2")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    parser.description = __doc__
    order = parser.parse_args()
    out = Path(order.out)
    folder = out.with_suffix(".run")
    words = ["train", *sys.argv[1:], "--out", str(folder)]
    if not (folder.exists() or (status := cli.main(words)) == 0):
        sys.exit(status)
    run = training.Run.load(folder)
    options = {key: vars(order)[key] for key in ("size", "image_size", "difficulty")}
    splits = command.data.load_splits(order.data, order.root or None, **options)
    parts = dict(zip(command.data.SPLITS, splits, strict=True))
    kept = arrays.collect_arrays(run, parts, brief=order.brief)
    note = dict(pair.split("=", 1) for pair in order.note)
    arrays.save_arrays(out, run, kept | sweep(run.model), note)
    shutil.rmtree(folder)
