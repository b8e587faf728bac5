"""Chapter 2 in a real kernel: no photograph on the page, a face as a widget."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from fersep_book.figures import shared, style
from nbclient import NotebookClient
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from PIL import Image

pytestmark = [
    pytest.mark.chapters,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

CHAPTER = Path(__file__).resolve().parents[2] / "book" / "02_faces.ipynb"

#: A color that no figure of the book uses.
MARK = (255, 0, 255)


def photographs(folder: Path) -> None:
    """Write images that can be told from everything else: magenta with a pattern."""
    random = np.random.default_rng(0)
    for word in ("happy", "sad", "fear"):
        (folder / word).mkdir(parents=True)
        for k in range(12):
            picture = np.empty((48, 48, 3), dtype=np.uint8)
            picture[:] = MARK
            picture[8:40, 8:40] = random.integers(0, 255, (32, 32, 1))
            Image.fromarray(picture).save(folder / word / f"{word}{k}_x_{k}.png")


def marked(data: bytes) -> bool:
    """Whether a picture shows a piece of one of the photographs."""
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    return bool((np.abs(pixels - MARK).max(-1) <= 8).any())


def pictures(outputs) -> list[bytes]:
    """Every picture of a cell's outputs, in HTML too."""
    found = []
    for output in outputs:
        data = output.get("data", {})
        texts = re.findall(r"base64,([^\"]+)", data.get("text/html", ""))
        texts += [data["image/png"]] if "image/png" in data else []
        found += [base64.b64decode(text) for text in texts]
    return found


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """The chapter after a run on photographs, its kernel still alive."""
    folder = tmp_path_factory.mktemp("faces")
    photographs(folder / "mine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERSEP_BUILD", str(folder / "build"))
        patch.delenv("FERSEP_STATIC", raising=False)
        patch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
        notebook = parameterize_notebook(
            load_notebook_node(str(CHAPTER)),
            {"data": "folder", "root": str(folder / "mine"), "size": 0},
        )
        client = NotebookClient(notebook, timeout=120, kernel_name="python3")
        with client.setup_kernel():
            for place, cell in enumerate(notebook.cells):
                client.execute_cell(cell, place)
            yield client


def test_pictures_of_a_photograph_are_recognized():
    folder_image = torch.tensor(MARK, dtype=torch.uint8)[:, None, None]
    images = folder_image.expand(3, 3, 48, 48)
    figure, _ = shared.face_grid(images, torch.arange(3), ["HA", "SA", "FE"])
    assert marked(style.png(figure))


def test_no_photograph_is_on_the_page(kernel):
    pages = [f for cell in kernel.nb.cells for f in pictures(cell.get("outputs", []))]
    assert len(pages) >= 12
    assert not any(marked(page) for page in pages)


def test_the_live_face_is_a_widget_with_a_still_picture_beside(kernel):
    (face,) = [
        s for s in kernel.widget_state.values() if "live-face" in s.get("page", "")
    ]
    assert "liveStage" in face["scripts"]
    shown = [
        output["data"]
        for cell in kernel.nb.cells
        for output in cell.get("outputs", [])
        if "application/vnd.jupyter.widget-view+json" in output.get("data", {})
    ]
    assert len(shown) == 1
    assert "base64," in shown[0]["text/html"]
