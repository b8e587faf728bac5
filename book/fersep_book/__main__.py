"""The command line of the book: ``python -m fersep_book compare my_run.ipynb``."""

import argparse
import sys
from collections.abc import Sequence

from fersep_book import records


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a mistake the reader can mend is one line and status 1."""
    parser = argparse.ArgumentParser(
        prog="python -m fersep_book", description="What chapters found, side by side."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    compare = commands.add_parser(
        "compare", help="set a run's values beside those of this book"
    )
    compare.add_argument("notebook", help="the output file of a papermill run")
    for kind in ("pdf", "epub"):
        commands.add_parser(kind, help=f"write the built book as one {kind.upper()}")
    order = parser.parse_args(arguments)
    try:
        if order.command in ("pdf", "epub"):
            from fersep_book import paper  # which needs Playwright

            print(f"Open {paper.write(order.command)}")
        else:
            print(comparison(order.notebook))
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def comparison(notebook: str) -> str:
    """Return *yours | this book* as a table of text.

    ValueError if the file holds no record.
    """
    mine = records.read(notebook)
    if not mine.values:
        return (
            f"{mine.chapter} keeps no single values: {notebook} itself shows yours "
            "beside the recorded runs."
        )
    same = [r for r in records.from_build() if r.chapter == mine.chapter]
    book = {value.key: value for record in same for value in record.values}
    rows = [["value", "yours", "this book"]]
    for value in mine.values:
        ours = book.get(value.key)
        name = f"{value.key} {value.unit}".rstrip()
        ours_shown = _figures(ours) + (" *" if _is_far(value, ours) else "")
        rows.append([name, _figures(value), ours_shown])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    if any(row[2].endswith(" *") for row in rows):
        lines.append("* yours lies more than two standard deviations away")
    return "\n".join(lines)


def _is_far(mine: records.Value, book: records.Value | None) -> bool:
    if book is None or not book.spread or isinstance(mine.mean, str):
        return False
    return abs(mine.mean - float(book.mean)) > 2 * book.spread


def _figures(value: records.Value | None) -> str:
    mean = value.mean if value else "–"
    return mean if isinstance(mean, str) else f"{mean:.4g}"


if __name__ == "__main__":
    sys.exit(main())
