"""The command ``python -m fersep predict``: what a trained network sees in faces."""

import argparse
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from fersep import equations
from fersep.data.images import read_image
from fersep.training import Run, evaluate

LIMITS = """\
A label says what a face shows to people, not what a person feels, means or is; do not
use it to judge anybody. The network knows nothing but the classes and the kind of faces
of its training, and gives one of them to any picture, also to one without a face."""

DESCRIPTION = f"""\
Say what a trained network makes of pictures of one face each, cut as in its training.

  python -m fersep predict face.jpg --run my_run

For each class: its probability, and the similarity (Eq. 1) of the features to its
learned center. Faces are not searched here; cut them out before, for example with the
face detectors of OpenCV (YuNet) or MediaPipe.

{LIMITS}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options of the command."""
    parser.description = DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("images", nargs="+", help="files with one face each")
    parser.add_argument("--run", required=True, help="a folder of fersep train --out")
    parser.add_argument("--json", action="store_true", help="for machines")


def run(order: argparse.Namespace) -> int:
    """Print what the network sees; ValueError for what is no picture or no run."""
    rows = predict(order.images, Run.load(order.run))
    print(json.dumps(rows, indent=1) if order.json else write(rows))
    return 0


def predict(images: Sequence[str | Path], run: Run) -> list[dict[str, Any]]:
    """Return what a run makes of image files.

    Parameters
    ----------
    images : sequence of path
        One face each, cut as in the training; they are brought to its size.
    run : Run

    Returns
    -------
    list of dict
        For each image ``image``, ``class`` (the likeliest), ``nearest`` (the class of
        the nearest learned center), and by class ``probability`` and ``similarity`` to
        the center (Eq. 1, in [0, 1]).

    Raises
    ------
    ValueError
        If a file cannot be read as an image of at least 8 pixels a side.
    """
    size = run.data.get("image_size")
    if size is None:
        size = 48
        warnings.warn(
            "the run does not keep the size of its images: these are brought to 48 "
            "pixels; train it anew if it had others",
            stacklevel=2,
        )
    faces = []
    for path in map(Path, images):
        face = read_image(path, size)
        if face is None:
            why = "cannot be read as an image" if path.is_file() else "is no file"
            raise ValueError(
                f"{path.absolute()} {why}; give JPEG or PNG files of at least 8 pixels"
            )
        faces.append(torch.from_numpy(face.copy()))
    features, logits = evaluate(run.model, torch.stack(faces))
    probability = logits.softmax(1)
    similarity = equations.similarity(features[:, None], run.centers[None])
    classes = run.data["classes"]
    return [
        {
            "image": str(path),
            "class": classes[int(p.argmax())],
            "nearest": classes[int(s.argmax())],
            "probability": dict(zip(classes, p.tolist(), strict=True)),
            "similarity": dict(zip(classes, s.tolist(), strict=True)),
        }
        for path, p, s in zip(images, probability, similarity, strict=True)
    ]


def write(rows: Sequence[dict[str, Any]]) -> str:
    """Return the findings as text, with their limits below."""
    blocks = []
    for row in rows:
        lines = [
            f"{row['image']}: looks most like {row['class']}; the nearest center is "
            f"that of {row['nearest']}",
            f"  {'':12} probability  similarity to the center",
        ]
        for c, p in sorted(row["probability"].items(), key=lambda item: -item[1]):
            lines.append(f"  {c:12} {100 * p:9.1f} %  {row['similarity'][c]:.3f}")
        blocks.append("\n".join(lines))
    return "\n\n".join([*blocks, LIMITS])
