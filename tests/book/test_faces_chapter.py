"""Chapter 2 in a real kernel: photographs stay off the page, the live face moves."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from fersep_book.figures import shared, style
from jupyter_core.utils import run_sync
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


def state_of(kernel, **wanted):
    """Model and state of the one widget whose state has these entries."""
    found = [
        (model, state)
        for model, state in kernel.widget_state.items()
        if all(state.get(name) == value for name, value in wanted.items())
    ]
    assert len(found) == 1, wanted
    return found[0]


def move(kernel, model: str, **state) -> dict[str, dict]:
    """Do what a browser does when a reader moves a widget; return what changed."""
    message = kernel.kc.session.msg(
        "comm_msg",
        {
            "comm_id": model,
            "data": {"method": "update", "state": state, "buffer_paths": []},
        },
    )
    kernel.kc.shell_channel.send(message)
    changed: dict[str, dict] = {}
    while True:
        heard = run_sync(kernel.kc.get_iopub_msg)(timeout=30)
        if heard["parent_header"].get("msg_id") != message["header"]["msg_id"]:
            continue
        content = heard["content"]
        assert heard["msg_type"] not in ("error", "stream"), content
        if heard["msg_type"] == "comm_msg" and "state" in content["data"]:
            changed.setdefault(content["comm_id"], {}).update(content["data"]["state"])
        if content.get("execution_state") == "idle":
            return changed


def picture_in(changed: dict[str, dict]) -> str:
    (page,) = [s["value"] for s in changed.values() if "<img" in str(s.get("value"))]
    return page


def test_one_unit_of_the_live_face_moves_the_picture(kernel):
    model, _ = state_of(kernel, description="12 lip corner puller")
    first = picture_in(move(kernel, model, index=9))
    assert "12 lip corner puller at 0.9" in first
    second = picture_in(move(kernel, model, index=3))
    assert "12 lip corner puller at 0.3" in second
    assert first.split("base64,")[1] != second.split("base64,")[1]


def test_a_preset_of_the_live_face_sets_its_units(kernel):
    model, state = state_of(kernel, description="Expression")
    assert len(state["_options_labels"]) == 19
    smile = state["_options_labels"].index("happy")
    changed = move(kernel, model, index=smile)
    page = picture_in(changed)
    assert "12 lip corner puller at 0.8" in page
    assert "15 lip corner depressor at" not in page
    puller, _ = state_of(kernel, description="12 lip corner puller")
    assert changed[puller]["index"] == 8
