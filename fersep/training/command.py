"""The command ``python -m fersep train``."""

from __future__ import annotations

import argparse
import shutil
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from fersep import data, training
from fersep.losses import FIRST_CENTERS, LOSSES
from fersep.training import Run, Settings, checkpoints
from fersep.training import processes as distributed

DESCRIPTION = """\
Train one network by Algorithm 1 and save it as a folder that chapters 8 to 11 read:

  python -m fersep train --data folder --root my_faces --out my_run
  papermill book/08_training.ipynb mine.ipynb -p data folder -p root my_faces \\
      -p run my_run

Several GPUs, or several processes on a CPU, train one network together:

  torchrun --nproc-per-node 4 -m fersep train --data folder --root my_faces --out my_run

The batch of --batch-size images is then cut into one part for each process. Loss,
gradients and centers are those of the whole batch; the statistics of batch norm are
those of each part, unless --sync-batch-norm joins them.
"""

#: What each of the settings means, in a line.
HELP = {
    "epochs": "passes over the training images",
    "batch_size": "m, images in a batch",
    "lr": "η at the start",
    "lr_periods": "η falls to a tenth after each of so many equal periods; the paper "
    "has 3 for RAF-DB and 4 for AffectNet",
    "momentum": "of the network's optimizer",
    "weight_decay": "of the network's optimizer",
    "lam": "λ of Eq. 9; 0 is the softmax loss alone",
    "alpha": "α of Eq. 8; 0 holds the centers still",
    "rule": "of the centers: exact, published, mean",
    "init": f"first centers: {', '.join(FIRST_CENTERS)}",
    "seed": "of the first weights and centers, the order of images and their changes",
    "arch": "resnet18 or resnet34",
    "width": "channels of the first stage; 64 is the real ResNet",
    "feature_dim": "length of an extra feature layer; without it, 8 times the width",
    "feature_relu": "put a ReLU behind the extra feature layer",
    "weights": "imagenet, or a file with a state dictionary; without it, from scratch",
    "loss": ", ".join(LOSSES),
    "precision": "of the network: auto, float32, bfloat16",
}

KINDS = {"feature_dim": int, "weights": str}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options of the command."""
    parser.description = DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    place = parser.add_argument_group("where to")
    place.add_argument("--out", required=True, help="the folder to write")
    place.add_argument(
        "--resume",
        action="store_true",
        help="go on from the last checkpoint, which lies in OUT.checkpoints",
    )
    images = parser.add_argument_group("images")
    images.add_argument(
        "--data",
        default="rendered_basic",
        help=f"{', '.join(data.NAMES)} (default: %(default)s)",
    )
    images.add_argument("--root", default="", help="folder of the data set")
    images.add_argument(
        "--size", type=int, default=0, help="images in all; 0 for all there are"
    )
    images.add_argument(
        "--image-size", type=int, default=48, help="side in pixels (default: 48)"
    )
    images.add_argument(
        "--difficulty", default="default", help="of rendered faces: easy, default, hard"
    )
    choices = parser.add_argument_group("settings; the defaults are the paper's")
    for field in fields(Settings):
        default: Any = field.default
        name = f"--{field.name.replace('_', '-')}"
        if default is False:
            choices.add_argument(name, action="store_true", help=HELP[field.name])
            continue
        shown = "" if default is None else f" (default: {default})"
        choices.add_argument(
            name,
            type=KINDS.get(field.name, type(default)),
            default=default,
            help=HELP[field.name] + shown,
            metavar="X",
        )
    machine = parser.add_argument_group("machine")
    machine.add_argument("--device", default="auto", help="auto, cpu, cuda")
    machine.add_argument(
        "--sync-batch-norm",
        action="store_true",
        help="join the statistics of batch norm over the processes, on GPUs",
    )


def run(order: argparse.Namespace) -> int:
    """Train as ordered, save the run, and say what came out; return 0.

    Raises
    ------
    ValueError, OSError, FloatingPointError, MemoryError
        One sentence that says what is wrong and what is kept.
    """
    settings = Settings(
        **{field.name: getattr(order, field.name) for field in fields(Settings)}
    )
    out = Path(order.out)
    unfinished = out.with_name(f"{out.name}.checkpoints")
    with distributed.processes(training.pick_device(order.device)) as device:
        if out.exists() and order.resume:
            finished(out, settings)
            return 0
        if out.exists():
            raise FileExistsError(
                f"{out} exists; choose a new name, or delete it first"
            )
        if checkpoints.files(unfinished) and not order.resume:
            raise FileExistsError(
                f"{unfinished} holds checkpoints of an unfinished run; give --resume "
                "to go on with it, or delete the folder"
            )
        train, validation, _ = data.load_splits(
            order.data,
            order.root or None,
            size=order.size,
            image_size=order.image_size,
            difficulty=order.difficulty,
        )
        first = distributed.rank() == 0
        if first:
            print(
                f"{len(train.labels)} training images of {train.name}, "
                f"{distributed.world_size()} process(es) on {device.type}: "
                f"{training.title(settings)}",
                flush=True,
            )
        run = training.fit(
            train,
            validation,
            settings,
            device=str(device),
            progress=first,
            checkpoint_folder=unfinished,
            resume=order.resume,
            sync_batch_norm=order.sync_batch_norm,
        )
        if not first:
            return 0
        run.save(out)
        shutil.rmtree(unfinished, ignore_errors=True)
        print(
            f"{out}: validation accuracy {run.history['validation_accuracy'][-1]:.2f} "
            f"%, {run.seconds:.0f} s"
        )
    return 0


def finished(out: Path, settings: Settings) -> None:
    """Say that a run is there already.

    Raises
    ------
    ValueError
        If it is one of other settings.
    """
    there = asdict(Run.load(out).settings)
    for name, value in asdict(settings).items():
        if there[name] != value:
            raise ValueError(
                f"{out} is a finished run with {name} {there[name]!r}, not {value!r}; "
                "choose a new name"
            )
    if distributed.rank() == 0:
        print(f"{out} is finished already")
