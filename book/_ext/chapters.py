"""What a chapter is: its place in the book, its parameters, what its run needs."""

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import papermill
import yaml

from fersep import provenance
from fersep.storage import build_folder
from fersep_book.records import fits

PROFILES = ("smoke", "cpu", "gpu")


class BookError(Exception):
    """Something a reader or author can mend; the message is one sentence."""


@dataclass(frozen=True)
class Chapter:
    """One notebook of the book and the places its run is kept in."""

    root: Path
    page: str  # as in _toc.yml, without the suffix: "book/04_separate_loss"
    reads_records: bool  # its run depends on the records of the chapters before it

    @property
    def name(self) -> str:
        """The chapter's name in records, profiles and messages."""
        return Path(self.page).name

    @property
    def source(self) -> Path:
        """The committed notebook, without outputs."""
        return self.root / f"{self.page}.ipynb"

    @property
    def executed(self) -> Path:
        """The last good run at the chosen scale; those at other scales stay."""
        return build_folder() / "executed" / chosen_profile() / self.source.name

    @property
    def failed(self) -> Path:
        """The last run that stopped half-way."""
        return self.executed.with_suffix(".failed.ipynb")

    @property
    def record(self) -> Path:
        """The record of the last good run."""
        return build_folder() / "records" / f"{self.name}.json"

    def read(self) -> nbformat.NotebookNode:
        """Read the committed notebook."""
        text, place = self.source.read_text("utf-8"), f"{self.page}.ipynb"
        try:
            json.loads(text)
            return nbformat.reads(text, as_version=4)
        except json.JSONDecodeError as error:
            raise BookError(f"{place}, line {error.lineno}: {error.msg}.") from None
        except Exception as error:
            raise BookError(f"{place} is no notebook: {error!r}.") from None


def chosen_profile() -> str:
    """Return the profile named by FERSEP_PROFILE, else the smallest."""
    return os.environ.get("FERSEP_PROFILE", PROFILES[0])


def chapters(root: Path) -> list[Chapter]:
    """Return the notebooks named in `_toc.yml`, in the order they run.

    That is the order of the book, except that the chapters named under
    `chapters_reading_records` in `_config.yml` come last, in the order given
    there: each of them depends on the records of all that ran before it.
    """
    config = read_yaml(root, "_config.yml")["sphinx"]["config"]
    last = config.get("chapters_reading_records", [])
    found = []
    for page in pages(read_yaml(root, "_toc.yml")):
        if (root / f"{page}.ipynb").is_file():
            found.append(Chapter(root, page, page in last))
        elif not (root / f"{page}.md").is_file():
            raise BookError(f"_toc.yml names {page}, and there is no such page.")
    return sorted(found, key=lambda c: last.index(c.page) if c.reads_records else -1)


def read_yaml(root: Path, name: str) -> dict[str, Any]:
    """Read a file that holds a mapping, or say in which line it does not."""
    try:
        return dict(yaml.safe_load((root / name).read_text("utf-8")) or {})
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1
        raise BookError(f"{name}, line {line}: {error.problem}.") from None
    except (ValueError, TypeError, yaml.YAMLError) as error:
        raise BookError(f"{name} holds no names with values: {error}.") from None


def numbered(page: str, number: int) -> str:
    """Number a thing by its chapter: 4.2, A.2 in the appendix, 2 on other pages."""
    first = Path(page).name.split("_")[0]
    place = "A" if first == "appendix" else first.lstrip("0") * first[:1].isdigit()
    return f"{place}.{number}".lstrip(".")


def pages(toc: Any) -> list[str]:
    """Return every page named in a table of contents, in order."""
    if isinstance(toc, list):
        return [page for entry in toc for page in pages(entry)]
    if not isinstance(toc, dict):
        return []
    own = [str(toc[key]) for key in ("root", "file") if key in toc]
    below = [page for value in toc.values() for page in pages(value)]
    return own + below


def has_tag(cell: nbformat.NotebookNode, tag: str) -> bool:
    """Tell whether a cell has a tag."""
    return tag in cell.metadata.get("tags", [])


def profile(root: Path, name: str) -> dict[str, dict[str, Any]]:
    """Read `book/profiles/NAME.yml` as {chapter: {parameter: value}} and check it."""
    if name not in PROFILES:
        raise BookError(
            f"There is no profile {name!r}; the profiles are {', '.join(PROFILES)}."
        )
    where = f"book/profiles/{name}.yml"
    values = read_yaml(root, where)
    known = {chapter.name: chapter for chapter in chapters(root)}
    for chapter, parameters in values.items():
        if chapter not in known:
            raise BookError(f"{where}: there is no chapter {chapter!r} in _toc.yml.")
        check_parameters(known[chapter], parameters or {}, where)
    return {chapter: parameters or {} for chapter, parameters in values.items()}


def check_parameters(chapter: Chapter, values: dict[str, Any], where: str) -> None:
    """Refuse a parameter the chapter does not have, or of another type."""
    chapter.read()  # which says what is wrong with a broken file
    declared = papermill.inspect_notebook(chapter.source).items()
    kinds = {name: about["inferred_type_name"] for name, about in declared}
    for name, value in values.items():
        if name not in kinds or not fits(value, kinds[name]):
            known = ", ".join(f"{name} ({kind})" for name, kind in kinds.items())
            raise BookError(
                f"{where}: {chapter.name} has no parameter {name!r} that can be "
                f"{value!r}; it has {known}."
            )


def run_key(chapter: Chapter, parameters: dict[str, Any]) -> str:
    """Return the key of everything that decides what a run of the chapter prints.

    Code cells with their tags, parameters, the modules of this project that they
    reach by import, the lock, what is recorded for a chapter that reaches the
    evidence, and for one that reads records those before it without their seconds.
    Prose and captions are not part of it: they are taken from the source when the
    page is made.
    """
    cells, imports = [], []
    for number, cell in enumerate(chapter.read().cells, 1):
        if cell.cell_type == "code":
            cells.append(cell)
            place = f"{chapter.page}.ipynb, cell {number}"
            imports += provenance.imported_names(cell.source, place)
    imports = [name for name in imports if name.startswith("fersep")]
    reached = {path.name for path in provenance.reached_files(imports)}
    lock = chapter.root / "requirements.lock"
    upstream = []
    if chapter.reads_records:
        everything = chapters(chapter.root)
        before = everything[: everything.index(chapter)]
        upstream = [_without_seconds(c.record) for c in before if c.record.is_file()]
    parts = [
        [[cell.source, sorted(cell.metadata.get("tags", []))] for cell in cells],
        parameters,
        provenance.code_key(*imports),
        _recorded(chapter.root) if "evidence.py" in reached else "",
        hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else "",
        upstream,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@cache
def _recorded(root: Path) -> str:
    """Return the hash of all experiments and their results."""
    digest = hashlib.sha256()
    paths = [*root.glob("experiments/*.yml"), *root.glob("results/**/*.npz")]
    for path in sorted(paths):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _without_seconds(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(path.read_text("utf-8"))
    record.get("provenance", {}).pop("seconds", None)
    return record
