"""Tables as text, Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
import math
import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from bridle.maths.statistics import Estimate

FORMATS = {"text": ".txt", "markdown": ".md", "latex": ".tex", "csv": ".csv"}
"""How tables can be written, and how the names of their files end; an ending without its dot is a name too."""
WIDTH = 110
"""Columns of a paragraph below a table of text."""
LATEX = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
         "<": r"$<$", ">": r"$>$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}  # fmt: skip


class Table(NamedTuple):
    """Words in rows and columns; the first column is of words, the others are of numbers."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    notes: list[str]
    """Sentences below it: what a number means, how many seeds, what to take care of."""


def column(values: Iterable[Estimate | float], digits: int) -> list[str]:
    """`437.4 [435.7, 439.1]` for each: as many decimals as give the greatest of them `digits` digits; `-` for NaN."""
    values = [value if isinstance(value, Estimate) else Estimate(value) for value in values]
    greatest = max((abs(v.value) for v in values if math.isfinite(v.value)), default=0.0)
    decimals = 0 if greatest == 0 else min(6, max(0, digits - 1 - math.floor(math.log10(greatest))))
    return [_estimate(value, decimals) for value in values]


def chances(values: Iterable[Estimate]) -> list[str]:
    """Probabilities, in two decimals."""
    return [_estimate(value, 2) for value in values]


def _estimate(x: Estimate, decimals: int) -> str:
    if not math.isfinite(x.value):
        return "-"
    return f"{x.value:.{decimals}f}" + (
        f" [{x.low:.{decimals}f}, {x.high:.{decimals}f}]" if math.isfinite(x.low) else ""
    )


def written(tables: Sequence[Table], style: str) -> str:
    """The tables, one below the other: style text | markdown | latex."""
    return "\n".join({"text": _text, "markdown": _markdown, "latex": _latex}[style](table) for table in tables)


def _text(table: Table) -> str:
    widths = [max(map(len, cells)) for cells in zip(table.header, *table.rows, strict=True)]
    lines = [table.title, ""]
    for row in (table.header, *table.rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  " + "   ".join(cells).rstrip())
    whole = {"break_long_words": False, "break_on_hyphens": False}  # so that a path can be copied
    notes = [textwrap.fill(note, WIDTH, initial_indent="  ", subsequent_indent="  ", **whole) for note in table.notes]
    return "\n".join([*lines, "", *notes, ""])


def _markdown(table: Table) -> str:
    rows = [table.header, ("---", *["---:"] * (len(table.header) - 1)), *table.rows]
    lines = ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows]
    return "\n".join([f"### {table.title}", "", *lines, "", *(f"{note}  " for note in table.notes), ""])


def _latex(table: Table) -> str:
    """With a short caption for the list of tables, and a label out of the title."""
    rows = [" & ".join(map(_escaped, row)) + r" \\" for row in (table.header, *table.rows)]
    title = _escaped(table.title)
    return "\n".join([
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption[{{{title}}}]{{{title}. {_escaped(' '.join(table.notes))}}}",
        rf"\label{{tab:{re.sub('[^a-z0-9]+', '-', table.title.lower()).strip('-')}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(table.header) - 1)}}}",
        r"\toprule",
        rows[0],
        r"\midrule",
        *rows[1:],
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
        "",
    ])  # fmt: skip


def _escaped(text: str) -> str:
    return "".join(LATEX.get(letter, letter) for letter in text)


def records(rows: Sequence[dict[str, Any]]) -> str:
    """CSV with a column for each name that a row has; an `Estimate` becomes three: the name, `NAME_low`, `NAME_high`."""
    flat = [dict(pair for name, value in row.items() for pair in _flat(name, value)) for row in rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in flat for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def _flat(name: str, value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, Estimate):
        return [(name, "" if isinstance(value, float) and math.isnan(value) else value)]
    parts = zip((name, f"{name}_low", f"{name}_high"), value, strict=True)
    return [(part, "" if math.isnan(x) else x) for part, x in parts]
