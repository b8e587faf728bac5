"""Chapters outside the book: plain Markdown, and stubs for students."""

import pytest
from chapters import numbered
from fersep_book import editions
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

PAGE = """\
(chapter-second)=
# 2 · Second

$$ a = b \\tag{4} $$ (eq-4)

$$ b = a $$ (eq-own)
"""


@pytest.fixture
def names(tmp_path):
    found = editions.Names(numbered)
    figure = new_code_cell("", metadata={"mystnb": {"figure": {"name": "fig-line"}}})
    found.read_page("02_second.ipynb", [new_markdown_cell(PAGE), figure])
    bibliography = tmp_path / "references.bib"
    bibliography.write_text(
        "@article{a2019, author={Li, Y. and Lu, Y. and Li, J.}, year={2019}}"
    )
    found.read_sources(bibliography)
    return found


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{ref}`chapter-second`", "[2 · Second](02_second.ipynb)"),
        ("{ref}`next <chapter-second>`", "[next](02_second.ipynb)"),
        (
            "{eq}`eq-4`, {eq}`eq-own`",
            "[(4)](02_second.ipynb), [(2.1)](02_second.ipynb)",
        ),
        ("{numref}`fig-line`", "[Figure 2.1](02_second.ipynb)"),
        ("{cite}`a2019`", "(Li et al., 2019)"),
        ("{cite:t}`a2019`", "Li et al. (2019)"),
        ("{glue:text}`gain` and {glue:text}`none`", "+1.5 and …"),
        ("$$ b = a $$ (eq-own)", "$$\nb = a \\tag{2.1}\n$$"),
        ("(label)=\n## Title", "## Title"),
        (":::{admonition} Careful\n:class: careful\nA.\n:::", "> **Careful**\n>\n> A."),
    ],
)
def test_text_reads_well_without_sphinx(names, text, shown):
    assert editions.plain(text, names, {"gain": "+1.5"}) == shown


SOLUTION = '''\
def double(x, times=2):
    """Twice."""
    return times * x


records.check("one", "right", right_double(double), True)
'''


def test_an_untouched_answer_is_not_right(capsys):
    stub = editions.stub(SOLUTION)
    assert "times * x" not in stub
    judged = {"check": editions.check, "right_double": lambda f: f(3) == 6}
    for source in (
        stub,
        stub.replace('raise NotImplementedError("your answer")', "return 2 * x"),
    ):
        exec(source, judged)
    assert capsys.readouterr().out.splitlines() == ["No answer yet.", "✓ Right."]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda x: x, "Not yet."),
        (lambda x: None + x, "Not yet: TypeError"),
        (None, "No answer yet."),
    ],
)
def test_a_wrong_answer_is_told(capsys, answer, said):
    editions.check(lambda f: f(3) == 6, answer)
    assert capsys.readouterr().out.startswith(said)


ANSWER = "\n\n<details>\n<summary>Answer</summary>\n\nTwice.\n\n</details>"


def test_a_student_gets_a_stub_and_no_ticks():
    judge = "def right_double(f):\n    return f(3) == 6\n\n\n"
    ticked = judge + "records.check('wrong', 'refuses', right_double(abs), False)"
    cells = [
        new_markdown_cell("# 2 · Second"),
        new_markdown_cell("## Exercises\n\n**Exercise 2.1.** Write `double`." + ANSWER),
        new_code_cell(ticked, id="judge", metadata={"tags": ["hide-cell"]}),
        new_code_cell(SOLUTION, metadata={"tags": ["solution", "hide-cell"]}),
        new_markdown_cell("## What we found"),
        new_code_cell("records.check('last', 'stays', 1, 1)"),
    ]
    notebook, checkers = editions.for_students(new_notebook(cells=cells))
    _, first, exercise, checker, answer, _, last = notebook.cells
    assert first.source == "from fersep_book.editions import check"
    assert exercise.source.endswith("Write `double`.")
    assert checker.source == "%run -i checkers/judge.py"
    assert checkers == {"checkers/judge.py": judge.strip() + "\n"}
    assert "times * x" not in answer.source
    assert "check(right_double, double)" in answer.source
    assert "records.check" in last.source
