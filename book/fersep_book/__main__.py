"""The command line of the book: ``python -m fersep_book compare my_run.ipynb``."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from fersep.storage import whole_file
from fersep_book import records, verdicts


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a mistake the reader can mend is one line and status 1."""
    parser = argparse.ArgumentParser(
        prog="python -m fersep_book",
        description="What chapters found, side by side.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    compare = commands.add_parser(
        "compare",
        help="set a run's values beside this book's and the paper's",
    )
    compare.add_argument("notebook", help="the output file of a papermill run")
    record = commands.add_parser(
        "record", help="keep the records of executed chapters in one file"
    )
    record.add_argument("file", help="where, for example results/cpu/mine.json")
    record.add_argument("notebooks", nargs="+", help="output files of papermill runs")
    table = commands.add_parser(
        "table", help="collect the values of executed chapters in one CSV file"
    )
    table.add_argument("file", help="where, for example lambda.csv")
    table.add_argument("notebooks", nargs="+", help="output files of papermill runs")
    order = parser.parse_args(arguments)
    try:
        if order.command == "compare":
            print(comparison(order.notebook))
        elif order.command == "table":
            write_table(order.file, order.notebooks)
        else:
            records.keep(order.file, order.notebooks)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def write_table(file: str, notebooks: Sequence[str]) -> None:
    """Write the values of executed chapters as CSV, one row for each value of each run.

    Raises
    ------
    ValueError
        If a file holds no record.
    """
    rows = [
        {"run": Path(notebook).stem, **entry}
        for notebook in notebooks
        for entry in records.read(notebook)["values"]
    ]
    with whole_file(file) as part, part.open("w", newline="", encoding="utf-8") as out:
        table = csv.DictWriter(out, ["run", "key", "mean", "spread", "n", "unit"])
        table.writeheader()
        table.writerows(rows)


def comparison(notebook: str) -> str:
    """Return *yours | this book | the paper* as a table of text.

    Raises
    ------
    ValueError
        If the file holds no record.
    """
    rows = [("value", "yours", "this book", "the paper")]
    for row in records.compare(notebook):
        paper = verdicts.paper_value(row["key"])
        unit = f" {row['unit']}" if row["unit"] else ""
        rows.append(
            (
                row["key"] + unit,
                _figures(row["yours"]),
                _figures(row["book"]) + ("" if row["inside"] is not False else " *"),
                paper or "–",
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    if any(row[2].endswith(" *") for row in rows):
        lines.append("* yours lies more than two standard deviations away")
    return "\n".join(line.rstrip() for line in lines)


def _figures(number: float | str | None) -> str:
    if number is None:
        return "–"
    return number if isinstance(number, str) else f"{number:.4g}"


if __name__ == "__main__":
    sys.exit(main())
