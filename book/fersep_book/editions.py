"""Editions of a chapter for places without Sphinx: JupyterLab, VS Code, Colab, a class.

The book's Markdown has labels, roles and boxes that only Sphinx knows. Here they become
plain Markdown; numbers in sentences are those of the book's run.
"""

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from fersep_book.records import GLUE_PREFIX

FORMULA = re.compile(r"(?s)\$\$(.+?)\$\$(?: \((\S+)\))?")
BOX = re.compile(r"(?ms)^:::\{admonition\} (.*?)\n(?::class:.*?\n)?(.*?)^:::$")
ANSWER = re.compile(
    r"(?s)\n*<details>\s*<summary>(?:Answer|Solution)</summary>.*?</details>"
)
HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell", "solution"}


@dataclass
class Names:
    """What each label of the book is called, and the file it stands in."""

    number: Callable[[str, int], str]  # of a page and a count: "4.2"
    places: dict[str, tuple[str, str]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)  # of bibliography keys

    def read_page(self, name: str, cells: Sequence[NotebookNode]) -> None:
        """Learn the titles, figures and equations of one page."""
        figures = equations = 0
        for cell in cells:
            look = cell.metadata.get("mystnb", {}).get("figure", {})
            if cell.cell_type == "code" and look.get("name"):
                figures += 1
                self.places[look["name"]] = f"Figure {self.number(name, figures)}", name
            if cell.cell_type != "markdown":
                continue
            for label, title in re.findall(r"(?m)^\((\S+)\)=\n+#+ (.*)", cell.source):
                self.places[label] = title, name
            for formula, label in FORMULA.findall(cell.source):
                if label:
                    tag = re.search(r"\\tag\{(\d+)\}", formula)
                    equations += not tag
                    own = tag[1] if tag else self.number(name, equations)
                    self.places[label] = f"({own})", name

    def read_sources(self, bibliography: Path) -> None:
        """Learn who wrote what and when from a BibTeX file."""
        from pybtex.database import parse_file

        for key, entry in parse_file(str(bibliography)).entries.items():
            people = [" ".join(p.last_names) for p in entry.persons.get("author", [])]
            names = " and ".join(people) if len(people) < 3 else f"{people[0]} et al."
            self.sources[key] = f"{names}, {entry.fields.get('year', '')}"


def plain(text: str, names: Names, values: Mapping[str, str]) -> str:
    """Return the book's Markdown as Markdown that every notebook program shows."""

    def role(match: re.Match[str]) -> str:
        kind, inside = match.groups()
        title, _, label = inside.rpartition(" <")
        label = label.rstrip(">")
        if kind == "glue:text":
            return values.get(label, "…")
        if kind.startswith("cite"):
            who = "; ".join(names.sources.get(key, key) for key in label.split(","))
            return (
                f"({who})" if kind == "cite" else " (".join(who.rsplit(", ", 1)) + ")"
            )
        shown, page = names.places.get(label, (label, ""))
        return f"[{title or shown}]({page})" if page else title or shown

    def formula(match: re.Match[str]) -> str:
        inside, label = match.groups()
        inside = re.sub(r"\s*\\tag\{.*?\}", "", inside).strip()
        number = names.places[label][0] if label in names.places else ""
        tag = f" \\tag{{{number.strip('()')}}}" if number else ""
        return f"$$\n{inside}{tag}\n$$"

    def box(match: re.Match[str]) -> str:
        title, body = match.groups()
        lines = [f"**{title}**", "", *body.strip().splitlines()]
        return "\n".join(f"> {line}".rstrip() for line in lines)

    text = re.sub(r"(?m)^\(\S+\)=\n+", "", text)
    text = FORMULA.sub(formula, text)
    text = re.sub(r"\{([a-z:]+)\}`([^`]*)`", role, text)
    return BOX.sub(box, text)


def glued(notebook: NotebookNode) -> dict[str, str]:
    """Return the texts that a run keeps for its sentences."""
    return {
        output.metadata.scrapbook.name: ast.literal_eval(
            output.data[f"{GLUE_PREFIX}text/plain"]
        )
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "scrapbook" in output.get("metadata", {})
    }


def for_lab(notebook: NotebookNode, page: str, names: Names) -> NotebookNode:
    """Make a run of a chapter into a notebook that reads well without Sphinx."""
    values = glued(notebook)
    cells = []
    figures = 0
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type == "markdown":
            cell.source = plain(cell.source, names, values)
            continue
        tags = set(cell.metadata.get("tags", []))
        if tags & HIDDEN:
            cell.metadata["jupyter"] = {"source_hidden": True}
        look = cell.metadata.get("mystnb", {}).get("figure", {})
        if look.get("name"):
            figures += 1
            caption = plain(look.get("caption", ""), names, values)
            caption = f"**Figure {names.number(page, figures)}.** {caption}"
            cells.append(new_markdown_cell(caption, id=f"{cell.id}-caption"[:64]))
    note = (
        "*This copy is made for notebook programs. Numbers inside its sentences are "
        "those of the book's last run; the cells compute their own.*"
    )
    notebook.cells = [
        *cells[:1],
        new_markdown_cell(note, id="about-this-copy"),
        *cells[1:],
    ]
    return notebook


def for_students(notebook: NotebookNode) -> tuple[NotebookNode, dict[str, str]]:
    """Empty a chapter's solutions: a stub to type into, and one call that judges it.

    The code that judges, which often holds an answer, comes as files, by name.
    """
    in_exercise = False
    checkers = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = ANSWER.sub("", cell.source)
            in_exercise = "**Exercise" in cell.source or (
                in_exercise and "## " not in cell.source
            )
            continue
        cell.outputs, cell.execution_count = [], None
        tags = cell.metadata.get("tags", [])
        if "solution" in tags:
            cell.source = stub(cell.source)
            cell.metadata.pop("jupyter", None)
            cell.metadata["tags"] = []
        elif in_exercise and "hide-cell" in tags:
            name = f"checkers/{cell.id}.py"
            checkers[name] = without_calls(cell.source, "records.check(") + "\n"
            cell.source = f"%run -i {name}"
    first = "from fersep_book.editions import check"
    notebook.cells.insert(1, new_code_cell(first, id="check-your-answers"))
    return notebook, checkers


def stub(solution: str) -> str:
    """Return what is left of a solution: the head of each function, and the check."""
    body = ast.parse(solution).body
    calls = [_answered(statement) for statement in body]
    asked = {name for call in calls if call for name in call[1]}
    lines = []
    for statement in body:
        if isinstance(statement, ast.FunctionDef) and statement.name in asked:
            head = f"def {statement.name}({ast.unparse(statement.args)}):"
            lines += [head, '    raise NotImplementedError("your answer")', "", ""]
        elif isinstance(statement, ast.Assign):
            targets = [ast.unparse(target) for target in statement.targets]
            lines += [
                f"{name} = None  # your answer" for name in targets if name in asked
            ]
    lines += [
        f"check({judge}, {', '.join(names)})" for judge, names in filter(None, calls)
    ]
    return "\n".join(lines) or "# Your answer"


def _answered(statement: ast.stmt) -> tuple[str, list[str]] | None:
    """Return the checker and the names it is given, if a statement checks an answer."""
    match statement:
        case ast.Expr(ast.Call(func, [_, _, ast.Call(judge, given), *_])):
            names = [part.id for part in given if isinstance(part, ast.Name)]
            if (
                ast.unparse(func) == "records.check"
                and names
                and len(names) == len(given)
            ):
                return ast.unparse(judge), names
    return None


def without_calls(source: str, start: str) -> str:
    """Return a cell's code without the statements that start with some words."""
    lines = source.splitlines()
    for statement in reversed(ast.parse(source).body):
        if ast.unparse(statement).startswith(start):
            del lines[statement.lineno - 1 : statement.end_lineno]
    return re.sub(r"\n{4,}", "\n\n\n", "\n".join(lines)).strip()


def check(judge: Callable[..., Any], *answer: Any) -> None:
    """Say whether an answer to an exercise is right."""
    try:
        right = all(part is not None for part in answer) and bool(judge(*answer))
    except NotImplementedError:
        print("No answer yet.")
        return
    except Exception as error:
        print(f"Not yet: {type(error).__name__}: {error}")
        return
    if right:
        print("✓ Right.")
    else:
        print(
            "Not yet." if all(part is not None for part in answer) else "No answer yet."
        )
