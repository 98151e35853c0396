"""What runs were asked to do, side by side: the settings that differ first, those that all share apart."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from bridle.study.labels import flat
from bridle.study.series import Curve

OF_A_RUN = ("env", "seed", "run")
"""Options that need no row: they stand in the rows that always do, and in the table of runs."""
BETWEEN = "; "
"""Between values that runs of one method differ in."""
ALWAYS = ("environments", "seeds")
"""Rows that stand on top, whether they differ or not."""
Row = tuple[str, list[str]]
"""A name, and a cell for each column; "" where a column has no such setting."""


class Settings(NamedTuple):
    """A column for each method."""

    methods: list[str]
    differing: list[Row]
    some: list[Row]
    """Settings that not all methods have, and that are the same where they are."""
    shared: list[Row]


def settings(curves: Iterable[Curve]) -> Settings:
    """What the runs of each method were asked to do and made with; other tools' runs do not tell."""
    found: dict[str, list[Curve]] = {}
    for curve in curves:
        if curve.config:
            found.setdefault(curve.method, []).append(curve)
    columns = [_column(group) for group in found.values()]
    sorts: dict[str, list[Row]] = {"differing": [], "some": [], "shared": []}
    for name in dict.fromkeys(name for told in columns for name in told):
        values = [told.get(name, []) for told in columns]
        differ = len({text for texts in values for text in texts}) > 1
        sort = "differing" if differ or name in ALWAYS else "shared" if all(values) else "some"
        sorts[sort].append((name, [BETWEEN.join(texts) for texts in values]))
    return Settings(list(found), **sorts)


def _column(group: list[Curve]) -> dict[str, list[str]]:
    """The values of each setting among the runs of a method."""
    facts = [_facts(curve) for curve in group]
    names = dict.fromkeys(name for told in facts for name in told)
    return {name: list(dict.fromkeys(told[name] for told in facts if name in told)) for name in names}


def _facts(curve: Curve) -> dict[str, str]:
    options = {name: value for name, value in curve.config["options"].items() if name not in OF_A_RUN}
    asked = {"algorithm": curve.config["algorithm"], "preset": curve.config.get("preset"), **flat(options)}
    asked |= flat(curve.config["config"])
    made = {f"version: {name}": value for name, value in versions_of(curve).items()}
    told = {name: said(value) for name, value in {**asked, **made}.items()}
    return {"environments": curve.env, "seeds": str(curve.seed), **told}


def versions_of(curve: Curve) -> dict[str, Any]:
    """What the run was made with; {} if it does not tell."""
    try:
        told = json.loads((curve.path / "versions.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def said(value: Any) -> str:
    """As one would write it by hand; never empty."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, list | tuple):
        return ", ".join(map(said, value)) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value) or "none"
