"""How fast faces are drawn, against the renderer's first version in the same run.

Prints JSON. The first version is read from the repository's history, so this needs a
checkout with its whole history.

    python benchmarks/rendered.py
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from fersep import provenance, rendered
from fersep.rendered import face

#: The commit that brought the first version of the renderer.
FIRST = "64b0c7f"
SIZES = (48, 100)
ROUNDS = 5


def first_version(folder: Path) -> ModuleType:
    text = subprocess.run(
        ["git", "show", f"{FIRST}:fersep/data/face.py"],
        check=True,
        capture_output=True,
        cwd=Path(__file__).parent,
    ).stdout
    file = folder / "first_face.py"
    file.write_bytes(text)
    spec = importlib.util.spec_from_file_location("first_face", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["first_face"] = module
    spec.loader.exec_module(module)
    return module


def inputs(n: int, difficulty: str = "default") -> tuple[Tensor, Tensor, Tensor]:
    index = torch.arange(n)
    labels = rendered.labels_of("rendered_basic", n)
    persons = rendered.persons_of(index)
    codes = [rendered.unit_name("rendered_basic", int(label)) for label in labels]
    units = rendered.action_units(codes, 0, index, persons, difficulty)
    return units, rendered.people(0, persons), rendered.views(0, index, difficulty)


def cpu_rate(draw: Callable[..., Tensor], columns: tuple[int, int], size: int) -> float:
    """Return images per second of processor time on one thread."""
    batch = rendered.batch_of(size)
    units, person, view = inputs(batch)
    person, view = person[:, : columns[0]], view[:, : columns[1]]
    start = time.process_time()
    for _ in range(max(1, 60 // batch)):
        draw(units, person, view, size, 0)
    return max(1, 60 // batch) * batch / (time.process_time() - start)


def whole_set(size: int, n: int, device: str = "cpu") -> dict[str, float]:
    """Return the time of drawing and storing n images.

    On a machine with other work the seconds of the processor tell more than the wall's.
    """
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FERSEP_BUILD"] = folder
        start, cpu = time.perf_counter(), time.process_time()
        images = rendered.drawn("rendered_basic", n, size, 0, "default", device=device)
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        assert images.shape == (n, 3, size, size)
        assert np.asarray(images[-1]).any()
    return {
        "images": n,
        "seconds": round(seconds, 2),
        "CPU seconds": round(cpu, 1),
        "images per second": round(n / seconds),
        "images per CPU second": round(n / cpu),
    }


def main() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    # The name tells a benchmark from the record of a chapter.
    result: dict[str, object] = {"benchmark": "rendered"}
    with tempfile.TemporaryDirectory() as folder:
        first = first_version(Path(folder))
        now = (face.render, (len(face.PERSON), len(face.VIEW)))
        then = (first.render, (len(first.PERSON), len(first.VIEW)))
        for size in SIZES:
            rates: dict[str, list[float]] = {"now": [], "first": []}
            # Turn about, so that other load hits both alike.
            for _ in range(ROUNDS):
                rates["now"].append(cpu_rate(*now, size))
                rates["first"].append(cpu_rate(*then, size))
            ratios = np.divide(rates["now"], rates["first"])
            result[f"{size} px"] = {
                "images per CPU second": round(float(np.median(rates["now"]))),
                "first version": round(float(np.median(rates["first"]))),
                "ratio": round(float(np.median(ratios)), 2),
                "ratios": [round(float(r), 2) for r in sorted(ratios)],
            }
    torch.set_num_threads(threads)
    result["48 px, all cores"] = whole_set(48, 4000)
    result["100 px, all cores"] = whole_set(100, 12_271)
    result["cores"] = rendered.cores()
    if torch.cuda.is_available():
        whole_set(100, 500, "cuda")
        result["100 px, GPU"] = whole_set(100, 12_271, "cuda")
        result["GPU"] = torch.cuda.get_device_name()
    result["provenance"] = provenance.provenance()
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
