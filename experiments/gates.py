r"""What a cover over part of a face does to a network, and to the gates of its patches.

    python experiments/gates.py --out FILE.npz --resume ...

takes what ``python -m fersep train`` takes, and trains the same. It adds what the
network makes of further rendered faces, each bare and under covers of several sizes,
from below and from above, with all else alike:

    sweep_labels       (n,)
    sweep_predictions  (2, covers, n); the first cover is 0
    sweep_covered      (2, covers, 24), the mean share of each patch that is covered
    sweep_gates        (2, covers, 24 or 25), mean gates
    closing            (2, 3), mean change of a gate against the bare face, of patches
                       that stay bare, are covered up to half, and more
    example_gates      (2, covers, 4, 24 or 25), those of four people
"""

import argparse
import shutil
import sys
from itertools import product
from pathlib import Path

import numpy as np
import torch

from fersep import cli, gates, provenance, rendered, storage, training
from fersep.models import PatchNet
from fersep.training import arrays, command
from fersep.training.batches import normalize

COVERS = (0.0, 0.3, 0.65, 1.0, 1.5, 2.0)  # a training image has 0, or .3 to 1
FACES = 1000
FIRST = 6 * 2**41  # no training set of any size reaches these
LABELS = rendered.labels_of("rendered_basic", FACES)


def draw(cover: float, *, plain: bool) -> torch.Tensor:
    """Draw the faces (n, 3, 48, 48) under a cover; plain: spoil nothing else."""
    index = FIRST + torch.arange(FACES)
    if not plain:
        return rendered.draw("rendered_basic", index, LABELS, cover)
    view = dict(zip(rendered.VIEW, rendered.views(0, index, "default").T, strict=True))
    view["occluder"].fill_(abs(cover))
    view["occluder_y"].fill_(cover)
    for part in ("noise", "blur", "compression", "shadow"):
        view[part].zero_()
    units = torch.zeros(FACES, 2, len(rendered.UNITS))
    person = rendered.people(0, index // 6)
    return rendered.render(units, person, torch.stack([*view.values()], 1))


def draw_all() -> np.ndarray:
    """Return all faces, spoiled and plain (2, 2, covers, n, 3, 48, 48), drawn once."""

    def fill(pictures: np.ndarray) -> None:
        for plain, side, k in product((0, 1), (0, 1), range(len(COVERS))):
            cover = COVERS[k] * (1, -1)[side]
            pictures[plain, side, k] = draw(cover, plain=bool(plain)).numpy()

    key = [FIRST, COVERS, FACES, provenance.code_key("fersep.rendered")]
    shape = (2, 2, len(COVERS), FACES, 3, 48, 48)
    return storage.cached_array("covers", key, shape, fill)[0]


def covered(
    bare: torch.Tensor, hidden: torch.Tensor, points: torch.Tensor | None
) -> torch.Tensor:
    """Return the share of each patch that a cover hides, (n, 24)."""
    changed = (bare != hidden).any(1, keepdim=True).float()
    return gates.cut_patches(changed, 6, points).mean((2, 3))


def sweep(model: torch.nn.Module) -> dict[str, np.ndarray]:
    """Return what a network makes of the covered faces."""
    found = {"sweep_labels": LABELS.numpy().astype("u1")}
    points = None
    if model.at_landmarks:
        index = FIRST + torch.arange(FACES)
        points = rendered.landmarks_of("rendered_basic", index, LABELS)
    sides: dict[str, list] = {}
    for spoiled, plain in zip(*torch.from_numpy(draw_all().copy()), strict=True):
        rows: dict[str, list] = {"predictions": [], "covered": [], "gates": []}
        for images, shown in zip(spoiled, plain, strict=True):
            logits = training.evaluate(model, images, points=points)[1]
            rows["predictions"].append(logits.argmax(1).byte())
            rows["covered"].append(covered(plain[0], shown, points))
            if isinstance(model, PatchNet):
                with torch.no_grad():
                    parts = normalize(images).split(250)
                    some = [None] * len(parts) if points is None else points.split(250)
                    rows["gates"].append(torch.cat([*map(model.gates, parts, some)]))
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
        found["example_gates"] = value[:, :, :24:6].numpy().astype("f2")
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
