"""The published tables of learning: what runs came to, kept run by run in a CSV, and drawn as a page beside the figures of others.

    bridle sweep examples/bullet.toml
    python benchmarks/learning.py bullet runs/bullet
    python benchmarks/learning.py safety_gym runs/safety_gym --held-out 50
    python benchmarks/learning.py bullet             # draws the page anew, of what the CSV has

Runs that have come to their end are added to `results/NAME.csv`, where the one of an environment, limit, method and seed takes
the place of an older one, and `results/NAME.md` is drawn. `--held-out N` plays N episodes of each new run's last policy on layouts that no
training sees.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pages import PAGES, Page

import bridle
from bridle.maths.statistics import student
from bridle.study.results import Result, results
from bridle.study.tables import Table, column, written

RESULTS = Path(__file__).parent / "results"


class Row(NamedTuple):
    """One run."""

    env: str
    limit: float
    method: str
    seed: int
    steps: int
    returns: float
    cost: float
    minutes: float
    commit: str
    held_out_return: float = math.nan
    held_out_cost: float = math.nan

    @property
    def key(self) -> tuple:
        """What it is the only one of."""
        return self.env, self.limit, self.method, self.seed


def main() -> None:
    """Add runs, draw the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", choices=PAGES)
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="folders of runs, or folders that hold some")
    parser.add_argument("--held-out", type=int, default=0, metavar="N", help="episodes on layouts that are held out")
    told = parser.parse_args()
    path, page = RESULTS / f"{told.page}.csv", PAGES[told.page]
    rows = {row.key: row for row in read(path)}
    for run in finished(told.runs) if told.runs else []:
        row = row_of(run, told.held_out)
        rows[row.key] = row
        print(*row)
    kept = sorted(rows.values(), key=lambda row: (page.place(row.env), row.method, row.seed))
    write(path, kept)
    path.with_suffix(".md").write_text(drawn(told.page, page, kept))


def finished(runs: list[Path]) -> list[Result]:
    """The runs that have come to their end."""
    done = lambda run: run.curve.total is None or run.curve.step[-1] >= run.curve.total
    return [run for world in results(runs) for group in world.methods.values() for run in group if done(run)]


def row_of(run: Result, held_out: int) -> Row:
    """What a run came to."""
    told = json.loads((run.curve.path / "versions.json").read_text())
    commit = told.get("commit") or f"bridle {told['bridle']}"
    row = Row(
        run.curve.env, run.curve.limit[0], run.curve.method, int(run.curve.seed), int(run.curve.step[-1]),
        round(run.returns, 3), round(float(run.cost[0]), 3), round(float(run.curve.minutes[-1]), 2), commit,
    )  # fmt: skip
    if not held_out:
        return row
    found = bridle.evaluate(run.curve.path, held_out, env_args=("layout=held-out",), say=lambda _: None)
    played = round(float(found.returns.mean()), 3), round(float(found.cost[:, 0].mean()), 3)
    return row._replace(held_out_return=played[0], held_out_cost=played[1])


def read(path: Path) -> list[Row]:
    """The rows of a CSV; none where there is no file yet."""
    if not path.exists():
        return []
    kinds = (str, float, str, int, int, float, float, float, str, float, float)
    with path.open(newline="") as file:
        return [Row(*(kind(x) for kind, x in zip(kinds, line, strict=True))) for line in list(csv.reader(file))[1:]]


def write(path: Path, rows: list[Row]) -> None:
    """All rows."""
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([Row._fields, *rows])


def drawn(name: str, page: Page, rows: list[Row]) -> str:
    """The page."""
    groups: dict[tuple, dict[str, list[Row]]] = {}
    for row in rows:
        groups.setdefault((row.env, row.limit), {}).setdefault(row.method, []).append(row)
    tables = [outcomes(page, env, limit, methods) for (env, limit), methods in groups.items()]
    head = "env", "method", "seed", "env steps", "return", "cost", "minutes", "commit"
    each = [
        (row.env.split(",")[0], row.method, str(row.seed), f"{row.steps:,}", f"{row.returns:.1f}", f"{row.cost:.2f}",
         f"{row.minutes:.1f}", row.commit)
        for row in rows
    ]  # fmt: skip
    seeds = Table("Seed by seed", head, each, [])
    return f"{page.head(name)}\n{written(tables, 'markdown')}\n{written([seeds], 'markdown')}"


def outcomes(page: Page, env: str, limit: float, methods: dict[str, list[Row]]) -> Table:
    """A row for each method, with what others have published of the same algorithm."""
    groups = list(methods.values())
    columns = {
        "method": list(methods),
        "seeds": [str(len(rows)) for rows in groups],
        "env steps": [f"{max(row.steps for row in rows):,}" for rows in groups],
        "return": column([student(np.array([row.returns for row in rows])) for rows in groups], 4),
        "cost": column([student(np.array([row.cost for row in rows])) for rows in groups], 3),
        "feasible seeds": [f"{sum(row.cost <= limit for row in rows)}/{len(rows)}" for rows in groups],
    }
    if any(not math.isnan(row.held_out_return) for rows in groups for row in rows):
        columns["held-out layouts"] = [
            f"{np.mean([row.held_out_return for row in rows]):.1f} / {np.mean([row.held_out_cost for row in rows]):.1f}"
            for rows in groups
        ]
    columns["minutes"] = column([float(np.mean([row.minutes for row in rows])) for rows in groups], 2)
    for told, figures in page.others.get(env.split(",")[0], {}).items():
        columns[told] = [figures.get(method, figures.get(method.split("-")[0], "-")) for method in methods]
    title = f"{env}, limit {limit:g}"
    return Table(title, tuple(columns), list(zip(*columns.values(), strict=True)), [])


if __name__ == "__main__":
    main()
