"""The command ``python -m fersep train``."""

import argparse
import re
import shutil
from dataclasses import asdict, fields, replace
from pathlib import Path

import torch

from fersep import data
from fersep.training import arrays, checkpoints, processes
from fersep.training.algorithm import fit
from fersep.training.followers import CenterFollower
from fersep.training.processes import pick_device
from fersep.training.runs import Run, Settings, describe

DESCRIPTION = """\
Train one network by Algorithm 1 and save it as a folder:

  python -m fersep train --data folder --root my_faces --out my_run

`fersep.training.Run.load("my_run")` reads it back; run.json and history.csv are text.
With --out my_run.npz it is a file for analyses instead, without the network: settings,
history, centers, mean directions of the classes' features, and the logits of the
validation and test images.

Several GPUs, or several processes on a CPU, train one network together:

  torchrun --nproc-per-node 4 -m fersep train --data folder --root my_faces --out my_run

The batch of --batch-size images is then cut into one part for each process. Loss,
gradients and centers are those of the whole batch; the statistics of batch norm are
those of each part, unless --sync-batch-norm joins them.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options of the command."""
    parser.description = DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    place = parser.add_argument_group("where to").add_argument
    place("--out", required=True, help="the folder to write, or a file NAME.npz")
    resume = "go on from the last checkpoint, which lies in OUT.checkpoints"
    place("--resume", action="store_true", help=resume)
    note = "KEY=VALUE to keep in NAME.npz; may be given again"
    place("--note", action="append", default=[], metavar="X", help=note)
    follow = (
        "RULE,INIT,M of centers that only watch, like exact,sphere,100; may be again"
    )
    place("--follow", action="append", default=[], metavar="X", help=follow)
    unseen = "leave the test images alone, where something is still to be chosen"
    place("--no-test", action="store_true", help=unseen)
    place("--features", action="store_true", help="keep those of the test images too")
    brief = "keep in NAME.npz the predicted classes instead of logits and centers"
    place("--brief", action="store_true", help=brief)
    images = parser.add_argument_group("images").add_argument
    names = f"{', '.join(data.NAMES)} (default: %(default)s)"
    images("--data", default="rendered_basic", help=names)
    images("--root", default="", help="folder of the data set")
    images("--size", type=int, default=0, help="images in all; 0 for all there are")
    counts = "training images to keep of each class, like 500,300,300 (default: all)"
    images("--class-counts", default="", metavar="N,N", help=counts)
    also = "another set with the same classes to predict for NAME.npz; may be again"
    images("--also", action="append", default=[], metavar="NAME[=ROOT]", help=also)
    side = "side in pixels (default: %(default)s)"
    images("--image-size", type=int, default=48, help=side)
    drawn = "of rendered faces: easy, default, hard"
    images("--difficulty", default="default", help=drawn)
    _add_settings(parser.add_argument_group("settings; the defaults are the paper's"))
    machine = parser.add_argument_group("machine").add_argument
    machine("--device", default="auto", help="auto, cpu, cuda")
    joined = "join the statistics of batch norm over the processes, on GPUs"
    machine("--sync-batch-norm", action="store_true", help=joined)


def _add_settings(group: argparse._ArgumentGroup) -> None:
    """Add an option for each of the settings, with the text of its docstring."""
    described: dict[str, str] = {}
    entry = r"^    (\w[\w, ]*) : (.*)\n((?:        .*\n)+)"
    for names, kind, text in re.findall(entry, str(Settings.__doc__), re.MULTILINE):
        choices = kind if kind.startswith("{") else ""
        words = " ".join(f"{text} {choices}".split()).replace("%", "%%")
        described |= dict.fromkeys(names.split(", "), words)
    for field in fields(Settings):
        name, words = f"--{field.name.replace('_', '-')}", described.get(field.name, "")
        if field.default is False:
            group.add_argument(name, action="store_true", help=words)
            continue
        words += "" if field.default is None else " (default: %(default)s)"
        kind = {"feature_dim": int, "weights": str}.get(field.name, type(field.default))
        group.add_argument(
            name, type=kind, default=field.default, help=words, metavar="X"
        )


def run(order: argparse.Namespace) -> int:
    """Train as ordered, save the run, and say what came out; return 0.

    What is wrong, and what is kept, is one sentence: a ValueError, OSError,
    FloatingPointError or MemoryError.
    """
    given = vars(order)
    settings = Settings(**{field.name: given[field.name] for field in fields(Settings)})
    out = Path(order.out)
    with processes.join(pick_device(order.device)) as device:
        if out.exists() and order.resume:
            if out.suffix == ".npz":
                there = arrays.load_facts(out)["settings"]
            else:
                there = asdict(Run.load(out).settings)
            other = f"{out} is a finished run"
            checkpoints.raise_unless_same(other, there, asdict(settings))
            said = f"{out} is finished already"
        else:
            run = _train(order, settings, str(device), out)
            accuracy = run.history["validation_accuracy"][-1]
            said = f"{out}: validation accuracy {accuracy:.2f} %, {run.seconds:.0f} s"
        if processes.rank() == 0:
            print(said)
    return 0


def _train(
    order: argparse.Namespace, settings: Settings, device: str, out: Path
) -> Run:
    """Train and save a run, as a folder or as arrays."""
    unfinished = out.with_name(f"{out.name}.checkpoints")
    faces = _load_faces(order, out, unfinished)
    train = faces["train"]
    if first := processes.rank() == 0:
        print(
            f"{len(train.labels)} training images of {train.name}, "
            f"{processes.world_size()} process(es) on {device.partition(':')[0]}: "
            f"{describe(settings)}",
            flush=True,
        )
    run = fit(
        train,
        faces["validation"],
        settings,
        device=device,
        progress=first,
        checkpoint_folder=unfinished,
        resume=order.resume,
        sync_batch_norm=order.sync_batch_norm,
        followers=[CenterFollower(name, settings.alpha) for name in order.follow],
    )
    if not first:
        return run
    if out.suffix == ".npz":
        kept = {"features": order.features, "brief": order.brief}
        found = arrays.collect_arrays(run, faces, **kept, device=device)
        note = dict(pair.split("=", 1) for pair in order.note)
        arrays.save_arrays(out, run, found, note)
    else:
        run.save(out)
    shutil.rmtree(unfinished, ignore_errors=True)
    return run


def _load_faces(
    order: argparse.Namespace, out: Path, kept: Path
) -> dict[str, data.Faces]:
    """Return what is trained on and what is predicted, after a look at the places."""
    if out.exists():
        raise FileExistsError(f"{out} exists; choose a new name, or delete it first")
    if checkpoints.files(kept) and not order.resume:
        raise FileExistsError(
            f"{kept} holds checkpoints of an unfinished run; give --resume to go on "
            "with it, or delete the folder"
        )
    images = {key: vars(order)[key] for key in ("size", "image_size", "difficulty")}
    splits = data.load_splits(order.data, order.root or None, **images)
    faces = dict(zip(data.SPLITS, splits, strict=True))
    if order.class_counts:
        faces["train"] = keep_counts(faces["train"], order.class_counts)
    if order.no_test:
        del faces["test"]
    for name, _, root in (each.partition("=") for each in order.also):
        faces[name] = data.foreign(name, root, faces["train"])
    return faces


def keep_counts(faces: data.Faces, counts: str) -> data.Faces:
    """Return the faces with as many of each class as a text like 500,300 says.

    They are drawn by chance, and are the same at every call. DataError if the text has
    another number of classes, or asks for more than there are.
    """
    there = torch.bincount(faces.labels, minlength=len(faces.classes)).tolist()
    wanted = [int(word) if word.isdecimal() else -1 for word in counts.split(",")]
    if len(wanted) != len(there) or not all(
        0 < n <= most for n, most in zip(wanted, there, strict=True)
    ):
        most = ",".join(map(str, there))
        raise data.DataError(
            f"--class-counts needs a number from 1 for each of {len(there)} classes, "
            f"at most {most}; got {counts}"
        )
    order = torch.randperm(len(faces), generator=torch.Generator().manual_seed(0))
    kept = [order[faces.labels[order] == j][:n] for j, n in enumerate(wanted)]
    rows = torch.cat(kept).sort().values
    return replace(
        faces,
        images=faces.images[rows],
        labels=faces.labels[rows],
        groups=[faces.groups[i] for i in rows.tolist()],
    )
