"""A miniature book for planting faults: three tiny chapters, the real configuration."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[2]

TOC = """\
format: jb-book
root: book/index
chapters:
  - file: book/01_first
  - file: book/02_second
  - file: book/status
"""

INDEX = """\
(index)=
# A miniature

Start with {ref}`the first chapter <chapter-first>`.
"""

STEP = 'def step():\n    """One step."""\n    return 1\n'

FIRST = """\
(chapter-first)=
# 1 · First

See {doc}`02_second`. It has {glue:text}`steps` steps.
"""

SECOND = """\
(chapter-second)=
# 2 · Second

$$ a = b \\tag{4} $$ (eq-4)

$$ b = a $$ (eq-own)

See {eq}`eq-4` and {eq}`eq-own`.
"""

COUNT = """\
from fersep_book.step import step
steps = step() + size
records.value("steps", steps, digits=0)
"""

FIGURE = """\
from io import BytesIO
from IPython.display import Image
from matplotlib.figure import Figure
figure = Figure(figsize=(3, 2))
figure.subplots().plot([0, steps])
png = BytesIO()
figure.savefig(png)
Image(png.getvalue(), metadata={"alt": f"A line up to {steps}."})
"""


class Miniature:
    """A small book in a folder of its own, built by the real commands."""

    def __init__(self, root: Path):
        self.root = root
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(root / "book"),
            "FERSEP_BUILD": str(root / "_build"),
            "FERSEP_REVISION": "of the test",  # whatever happens to the real one
        }

    def command(self, *order: str, **environment: str) -> subprocess.CompletedProcess:
        """Run one of the commands behind `make`."""
        return self.run("python", "book/_ext/commands.py", *order, **environment)

    def start(self, *order: str) -> subprocess.Popen:
        """Start such a command and come back while it runs."""
        return subprocess.Popen(
            [sys.executable, "-u", "book/_ext/commands.py", *order],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )

    def build(self) -> subprocess.CompletedProcess:
        """Build the pages as the gate does: every warning is an error."""
        order = ["build", "-W", "-n", "--keep-going", "--all", "."]
        return self.run("jupyter-book", *order)

    def run(
        self, program: str, *order: str, **environment: str
    ) -> subprocess.CompletedProcess:
        return subprocess.run(
            [Path(sys.executable).with_name(program), *order],
            cwd=self.root,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=900,  # beside other jobs
        )

    def path(self, *parts: str) -> Path:
        return self.root.joinpath(*parts)

    def replace(self, name: str, old: str, new: str) -> None:
        """Change the source of one file; the old text must be there."""
        path = self.path(name)
        text = path.read_text("utf-8")
        assert old in text, f"{name} does not contain {old!r}"
        path.write_text(text.replace(old, new), "utf-8")

    def change_cell(self, name: str, source: str | None, *tags: str) -> None:
        """Change the third code cell of a chapter: its source, if given, and tags."""
        path = self.path("book", f"{name}.ipynb")
        notebook = nbformat.read(path, as_version=4)
        notebook.cells[3].source = source or notebook.cells[3].source
        notebook.cells[3].metadata["tags"] = list(tags)
        nbformat.write(notebook, path)

    def page(self, name: str) -> str:
        return self.path("_build", "html", "book", f"{name}.html").read_text("utf-8")

    def executed(self, name: str) -> Path:
        return self.path("_build", "executed", "smoke", f"{name}.ipynb")

    def record(self, name: str) -> Path:
        return self.path("_build", "records", f"{name}.json")


def miniature(root: Path) -> Miniature:
    """Write the miniature book into an empty folder."""
    book = root / "book"
    for name in ("_ext", "_static", "fersep_book"):
        compiled = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "book" / name, book / name, ignore=compiled)
    (book / "fersep_book" / "step.py").write_text(STEP)
    shutil.copy(ROOT / "_config.yml", root)
    (root / "_toc.yml").write_text(TOC)
    (book / "profiles").mkdir()
    (book / "profiles" / "smoke.yml").write_text("{}\n")
    (book / "references.bib").write_text("")
    (book / "index.md").write_text(INDEX)
    caption = {"name": "fig-line", "caption": "A line that goes up."}
    _chapter(book / "01_first.ipynb", FIRST, COUNT, FIGURE, caption)
    _chapter(book / "02_second.ipynb", SECOND, "total = size + 1", "print(size)")
    _chapter(book / "status.ipynb", "# Status", "size", "print(size)")
    return Miniature(root)


def _chapter(
    path: Path, prose: str, code: str, last: str, caption: dict | None = None
) -> None:
    cells = [
        new_markdown_cell(prose),
        new_code_cell(
            "size: int = 3  # how many\nrate: float = 0.5  # how fast",
            metadata={"tags": ["parameters"]},
        ),
        new_code_cell(
            f"from fersep_book import records\nrecords.start('{path.stem}', globals())"
        ),
        new_code_cell(code),
        new_code_cell(
            last, metadata={"mystnb": {"figure": caption}} if caption else {}
        ),
        new_code_cell("records.save()"),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"{path.stem}-{number}"
    # Where nobody has a kernel of that name, the commands use their own Python.
    name = "myenv" if path.stem == "01_first" else "python3"
    kernel = {"display_name": "Python 3", "language": "python", "name": name}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
