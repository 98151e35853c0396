"""Pieces of HTML. Every text that comes from a run folder is escaped here, and nowhere is one put in unescaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from bridle.study.looks import Look
from bridle.study.tables import Table

CARE = "Take care:"
SHORT = 20
"""Letters of a fact that has room beside others."""


def mark(look: Look | None) -> str:
    """The symbol of a method, in its colour."""
    return f'<span class="mark" style="--c:{look.colour}" data-glyph="{look.glyph}"></span>' if look else ""


def listed(texts: Iterable[str]) -> str:
    """A list of sentences."""
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def keyed(about: str, colours: dict[tuple[str, str], str]) -> str:
    """What is said of a figure, and its key: the colour of each name, and what is meant by it."""
    rows = [f"<li>{escape(about)}</li>"] + [
        f'<li><span class="mark" style="--c:{colour}" data-glyph="■"></span><b>{escape(name)}</b>: {escape(text)}</li>'
        for (name, text), colour in colours.items()
    ]
    return f'<ul class="notes">{"".join(rows)}</ul>'


def facts(told: dict[str, str]) -> str:
    """Names and what they are; long ones stand below, over the whole width."""
    short = [(name, text, "") for name, text in told.items() if len(text) <= SHORT]
    wide = [(name, text, "wide") for name, text in told.items() if len(text) > SHORT]
    parts = [
        f'<div class="{kind}"><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>' for name, text, kind in short + wide
    ]
    return f'<dl class="facts">{"".join(parts)}</dl>'


def table_of(table: Table, looks: dict[str, Look]) -> str:
    """A table of `bridle compare`, with its notes; intervals stand below their numbers. `looks` by the words of a method."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.header)
    rows = []
    for first, *others in table.rows:
        cells = [f"<td>{mark(looks.get(first))}{escape(first)}</td>", *map(_number, others)]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="scroll"><table class="sortable"><caption>{escape(table.title)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>{_notes(table.notes)}"
    )


def words_of(head: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]], marked: bool = False) -> str:
    """A table of words, each row a name and its cells; `marked`: cells that are unlike the first of their row."""
    body = []
    for name, cells in rows:
        shown = [_word(cell, marked and cell not in ("", cells[0])) for cell in cells]
        body.append(f'<tr><th scope="row">{escape(name)}</th>{"".join(shown)}</tr>')
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    return (
        f'<div class="scroll"><table class="words"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _word(cell: str, marked: bool) -> str:
    return f"<td><mark>{escape(cell)}</mark></td>" if marked else f"<td>{escape(cell) or '–'}</td>"


def _number(cell: str) -> str:
    value, bracket, interval = cell.partition(" [")
    return f"<td>{escape(value)}{f'<small>[{escape(interval)}</small>' if bracket else ''}</td>"


def _notes(notes: list[str]) -> str:
    lines = [f'<li class="{"warn" if note.startswith(CARE) else ""}">{escape(note)}</li>' for note in notes]
    return f'<ul class="notes">{"".join(lines)}</ul>'
