"""Tables that lay methods beside each other: final return and cost with intervals, feasibility, which one is better."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from bridle.core.names import check_word, nearest, one_each
from bridle.maths.statistics import ENOUGH, Estimate
from bridle.study import tables
from bridle.study.axes import last_of, many, several
from bridle.study.care import cares
from bridle.study.curves import Runs, evaluated, grouped
from bridle.study.out import writing
from bridle.study.results import World, overall, shared, summary, worlds_of
from bridle.study.seeds import counted
from bridle.study.series import Curve
from bridle.study.tables import Table, chances, column

NOTHING = Estimate(float("nan"))


def main(
    runs: Runs,
    style: str | None = None,
    out: Path | str | None = None,
    reference: str | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    cost_limit: Sequence[float] = (),
    say: Callable[[str], Any] = warnings.warn,
) -> None:
    """`bridle compare`: print the tables, or write them to `out`, whose suffix says how if `style` does not.

    What to take care of stands below the tables; `say` hears it where there is no room for it, beside CSV.
    """
    style = _style(style, out)
    curves, left = evaluated(runs, select, exclude, cost_limit)
    worlds = worlds_of(grouped(curves))
    if style == "csv":
        text = tables.records(records(worlds, reference))
        for sentence in [*(f"left out: {reason}" for reason in left), *(x for world in worlds for x in _cares(world))]:
            say(f"take care: {sentence}")
    else:
        text = tables.written(compare(worlds, reference, left), style)
    if out is None:
        print(text, end="")
        return
    with writing(Path(out)):
        Path(out).write_text(text, encoding="utf-8")
    print(out)


def _style(style: str | None, out: Path | str | None) -> str:
    """How the tables are written: as is said, else as the name of the file ends."""
    suffixes = {suffix: name for name, suffix in tables.FORMATS.items()}
    if style is not None:
        style = suffixes.get(f".{style}", style)
        check_word("format", style, tables.FORMATS)
        return style
    suffix = Path(out).suffix.lower() if out else ""
    if suffix and suffix not in suffixes:
        raise ValueError(
            f"out = {out}: tables cannot be written as {suffix}; allowed: {', '.join(suffixes)}, or another with --format"
        )
    return suffixes.get(suffix, "text")


def compare(worlds: list[World], reference: str | None = None, left: Sequence[str] = ()) -> list[Table]:
    """Two tables for each environment and limit, and one over all of them where there are several methods.

    `left`: why runs are left out, which stands below the last table.
    """
    each, over = sections(worlds, reference)
    found = [*(table for place in each for table in place), *over]
    found[-1].notes.extend(f"Take care: left out: {reason}{'' if reason.endswith('.') else '.'}" for reason in left)
    return found


def sections(worlds: list[World], reference: str | None = None) -> tuple[list[list[Table]], list[Table]]:
    """The tables of each world, and that over all of them, if there is one."""
    reference = _reference(worlds, reference)
    each = [_of_world(world, reference) for world in worlds]
    several_methods = len({name for world in worlds for name in world.methods}) > 1
    if len(worlds) > 1 and several_methods and len(shared(worlds)) > 1:
        return each, [_over(worlds, reference)]
    if len(worlds) > 1 and several_methods:
        each[-1][-1].notes.append("No table over environments: there are no two of them in which every method stands.")
    return each, []


def _reference(worlds: list[World], reference: str | None) -> str:
    known = list(dict.fromkeys(name for world in worlds for name in world.methods))
    if reference is not None and reference not in known:
        raise ValueError(f"no method {reference!r}{nearest(reference, known)}")
    return reference or known[0]


# One world ------------------------------------------------------------------------------------------------------------


def _of_world(world: World, reference: str) -> list[Table]:
    alone = len(world.methods) == 1 and len(next(iter(world.methods.values()))) == 1
    return [_outcomes(world)] if alone else [_outcomes(world), _robust(world, reference)]


def _outcomes(world: World) -> Table:
    rows = [summary(world, method, "") for method in world.methods]
    columns = {
        "method": list(world.methods),
        "seeds": [str(row["seeds"]) for row in rows],
        "env steps": [_steps(row["steps"]) for row in rows],
        "return": column([row["return"] for row in rows], 4),
    }
    costs = one_each("cost", len(world.constraints))
    for name, word in zip(costs, world.constraints, strict=True):
        columns[word if word == "cost" else f"cost: {word}"] = column([row[name] for row in rows], 3)
    if costs:
        columns["feasible seeds"] = [f"{row['feasible_seeds']}/{row['seeds']}" for row in rows]
        columns["feasible evaluations"] = [f"{row['feasible_evaluations']:.0%}" for row in rows]
        for title, key in (("cost a step", "cost_rate"), ("in training", "training_cost_rate")):
            told = [column([row[name] for row in rows], 2) for name in one_each(key, len(costs))]
            columns[title] = [", ".join(cells) for cells in zip(*told, strict=True)]
    columns["minutes"] = column([row["minutes"] for row in rows], 3)
    return Table(world.name, tuple(columns), list(zip(*columns.values(), strict=True)), _notes(world))


def _robust(world: World, reference: str) -> Table:
    rows = [summary(world, method, reference) for method in world.methods]
    columns = {
        "method": list(world.methods),
        "seeds": [str(row["seeds"]) for row in rows],
        "return, IQM": column([row["return_iqm"] for row in rows], 4),
    }
    for name, word in zip(one_each("cost", len(world.constraints)), world.constraints, strict=True):
        columns[f"{word if word == 'cost' else f'cost: {word}'}, IQM"] = column([r[f"{name}_iqm"] for r in rows], 3)
    held = reference in world.methods and len(world.methods) > 1
    if held:
        columns["P(higher return)"] = chances(row.get("higher_return", NOTHING) for row in rows)
        columns["P(better)"] = chances(row.get("better", NOTHING) for row in rows)
    notes = [
        f"IQM: mean of the middle half of the seeds (of all, of three). Intervals: 95 %, bootstrap over seeds, from {ENOUGH} on.",
        _who(world),
    ]
    if held:
        notes.append(f"P: how likely a seed of a method beats one of {reference}, in return; and as feasible before "
                     f"infeasible, then the higher return.{_few(world.methods.values())}")  # fmt: skip
    elif len(world.methods) > 1:
        notes.append(f"No run of {reference} stands here, so no method is held against it.")
    return Table(f"{world.name}: robust", tuple(columns), list(zip(*columns.values(), strict=True)), notes)


def _few(groups: Iterable[Sequence]) -> str:
    """Why a P may not be told."""
    return f" It is not told (-) where a side has fewer than {ENOUGH} seeds." if min(map(len, groups)) < ENOUGH else ""


def _who(world: World) -> str:
    """How many seeds, and how they were evaluated."""
    return f"{many(map(len, world.methods.values()), 'seed')} a method; {_evaluated(_curves([world]))}"


def _curves(worlds: Iterable[World]) -> list[Curve]:
    return [run.curve for world in worlds for group in world.methods.values() for run in group]


def _evaluated(curves: list[Curve]) -> str:
    episodes = {curve.episodes for curve in curves if curve.episodes}
    each = f", {many(episodes, 'episode')} each" if episodes else ""
    acting = list(dict.fromkeys(curve.acting or "not told how they act" for curve in curves))
    return f"{last_of(curves)} of a run{each}, {' or '.join(acting)}."


def _notes(world: World) -> list[str]:
    notes = [
        f"Final: mean over the last tenth of a run's evaluations. Intervals: 95 %, Student, over seeds, from {ENOUGH} on.",
        _who(world),
    ]
    if world.constraints:
        cost = f"Cost: of an episode, limit {_numbers(world.limit)}."
        notes.append(f"{cost} Cost a step: of these evaluations, and of the whole training.")
    return notes + [f"Take care: {text}" for text in _cares(world)]


def _cares(world: World) -> list[str]:
    return cares({method: [run.curve for run in group] for method, group in world.methods.items()})


# All worlds -----------------------------------------------------------------------------------------------------------


def _over(worlds: list[World], reference: str) -> Table:
    found = overall(here := shared(worlds), reference)
    columns = {
        "method": list(found),
        "seeds": [several(row["seeds"]) for row in found.values()],
        "return at feasibility": column([row["normalised"] for row in found.values()], 2),
        "IQM": column([row["normalised_iqm"] for row in found.values()], 2),
        "feasible runs": [f"{row['feasible_seeds']}/{sum(row['seeds'])}" for row in found.values()],
        "feasible evaluations": [f"{row['feasible_evaluations']:.0%}" for row in found.values()],
        "P(better)": chances(row.get("better", NOTHING) for row in found.values()),
    }
    scale = "where its return lies between the lowest of all runs there (0) and the highest feasible one (1)"
    how = f"P: against {reference}, mean over environments; feasible before infeasible, then the higher return."
    how += _few(group for world in here for group in world.methods.values())
    evaluated = _evaluated(_curves(here))
    notes = [
        f"Return at feasibility: 0 for a run above the limit, else {scale}. Seeds: in each environment.",
        f"Intervals: 95 %, stratified bootstrap, which draws seeds within environments. {how}",
        evaluated[0].upper() + evaluated[1:],
    ]
    if left := [world.name for world in worlds if world.name not in {x.name for x in here}]:
        notes.append(f"Left out, since not every method stands there: {'; '.join(left)}.")
    title = f"All {len(here)} environments: " + "; ".join(world.name for world in here)
    return Table(title, tuple(columns), list(zip(*columns.values(), strict=True)), notes)


# CSV ------------------------------------------------------------------------------------------------------------------


def records(worlds: list[World], reference: str | None = None) -> list[dict[str, Any]]:
    """A row for each method in each world with all numbers, and with env "all" one for each method over all of them."""
    reference = _reference(worlds, reference)
    rows: list[dict[str, Any]] = []
    for world in worlds:
        for method in world.methods:
            found = [run.curve for run in world.methods[method]]
            said = {
                "env": world.env,
                "limit": " ".join(f"{x:g}" for x in world.limit),
                "method": method,
                "reference": reference,
                "evaluations": several(map(counted, found)),
                "episodes": several(curve.episodes for curve in found),
                "acting": " or ".join(dict.fromkeys(curve.acting for curve in found)),
            }
            numbers = summary(world, method, reference)
            rows.append(said | numbers | {"steps": _steps(numbers["steps"]).replace(",", "")})
    here = shared(worlds)
    if len(here) > 1 and len(here[0].methods) > 1:
        for method, row in overall(here, reference).items():
            rows.append({"env": "all", "method": method, "reference": reference} | row | {"seeds": sum(row["seeds"])})
    return rows


def _steps(steps: list[int]) -> str:
    least, most = min(steps), max(steps)
    return f"{most:,}" if least >= 0.99 * most else f"{least:,} to {most:,}"


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{x:g}" for x in values)
