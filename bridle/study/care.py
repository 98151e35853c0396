"""What to take care of before runs are believed: seeds that stand twice, trainings that broke off, what is no number."""

from __future__ import annotations

import re

from bridle.study.seeds import counted
from bridle.study.series import AXES, Curve

TRACEBACK = "Traceback (most recent call last):\n"


def cares(methods: dict[str, list[Curve]]) -> list[str]:
    """A sentence for each thing that the runs of an environment, by method, should not be read without."""
    found = [sentence for name, group in methods.items() for sentence in _unequal(name, group)]
    curves = [curve for group in methods.values() for curve in group]
    if short := [curve for curve in curves if len(curve.step) and share(curve) < 0.99]:
        many = "1 run has" if len(short) == 1 else f"{len(short)} runs have"
        least = min(short, key=share)
        found.append(
            f"{many} not come to the end; the least far, {least.path}, is at {least.step[-1]:,.0f} of "
            f"{least.total:,} env steps."
        )
    found += [sentence for curve in curves for sentence in _no_numbers(curve)]
    evaluated = [curve for curve in curves if len(curve.step)]
    return found + [f"{curve.path} ended with an error: {error}" for curve in evaluated if (error := _ended(curve))]


def blank(curve: Curve) -> str:
    """What is said of a run without evaluations."""
    due = curve.config["options"]["eval_every"]
    if error := _ended(curve):
        return f"{curve.path} ended with an error before its first evaluation: {error}"
    if step := _stopped(curve):
        return (
            f"{curve.path} was stopped at step {step}, before its first evaluation, which is due at step {due:,}; "
            f"go on with it: bridle resume {curve.path}"
        )
    return f"{curve.path} has no evaluations yet; the first one is due at step {due:,} (or at the end of the run)"


def apart(methods: dict[str, list[Curve]], x: str) -> list[str]:
    """A sentence for each method whose seeds have no stretch of that axis in common, so that there is no mean of them."""
    return [
        f"the seeds of {name} have no {AXES[x]} in common, so each is drawn alone, without a mean."
        for name, group in methods.items()
        if max(curve.along(x)[0] for curve in group) > min(curve.along(x)[-1] for curve in group)
    ]


def repeated(curves: list[Curve]) -> list[int]:
    """The seeds that stand more than once among them."""
    seeds = [curve.seed for curve in curves if curve.seed is not None]
    return sorted({seed for seed in seeds if seeds.count(seed) > 1})


def share(curve: Curve) -> float:
    """How much of its training a run has been evaluated in; 1 where its total is not told."""
    return float(curve.step[-1]) / curve.total if curve.total and len(curve.step) else float(not curve.total)


def _unequal(name: str, group: list[Curve]) -> list[str]:
    """What makes runs of one method no seeds of one training."""
    found = []
    if twice := repeated(group):
        found.append(
            f"{name} has seed{'s' * (len(twice) > 1)} {', '.join(map(str, twice))} more than once, as if these were independent."
        )
    if len(totals := {curve.total for curve in group if curve.total}) > 1:
        found.append(
            f"{name} has runs that were asked for {_listed(totals)} env steps, as if these were seeds of one training."
        )
    if len(episodes := {curve.episodes for curve in group if curve.episodes}) > 1:
        found.append(f"{name} has runs whose evaluations are of {_listed(episodes)} episodes.")
    return found


def _listed(numbers: set[int]) -> str:
    *first, last = [f"{x:,}" for x in sorted(numbers)]
    return f"{', '.join(first)} and {last}"


def _no_numbers(curve: Curve) -> list[str]:
    """What a run tells that cannot be reckoned with."""
    found, odd = [], ~curve.sane
    if odd.any():
        tail = len(odd) if odd.all() else int(odd[::-1].argmin())
        which = f"its last {tail} evaluations are" if tail > 1 else "its last evaluation is"
        which = which if tail else f"{odd.sum()} of its evaluations {'are' if odd.sum() > 1 else 'is'}"
        so = ", so it has no final result" + (" and counts as infeasible" if curve.constraints else "")
        found.append(f"{curve.path}: {which} not {'numbers' if 'are' in which else 'a number'}{_so(curve, so)}.")
    if curve.unread:
        rows = (
            "1 of its rows is cut short or holds"
            if curve.unread == 1
            else f"{curve.unread} of its rows are cut short or hold"
        )
        found.append(f"{curve.path}: {rows} words where numbers should stand.")
    return found


def _so(curve: Curve, text: str) -> str:
    return "" if curve.sane[-counted(curve) :].all() else text


def _ended(curve: Curve) -> str:
    """The last words of a run that diverged or crashed and was not gone on with; "" of others."""
    _, traceback, rest = _log(curve).rpartition(TRACEBACK)
    words = [line for line in rest.splitlines() if line and not line.startswith(" ")]
    if not traceback or any(line.startswith("step ") for line in words):
        return ""
    kind, _, said = (words or [""])[0].partition(": ")
    return f"{kind.rpartition('.')[2]}: {said}" if kind else ""


def _stopped(curve: Curve) -> str:
    """The step at which a run was told to stop, if it was not gone on with; "" of others."""
    words = _log(curve).splitlines()[-1:]
    found = re.match(r"stopped at step ([\d,]+)", words[0]) if words else None
    return found[1] if found else ""


def _log(curve: Curve) -> str:
    """What a run of ours has said."""
    if not curve.config or not (log := curve.path / "log.txt").exists():
        return ""
    return log.read_text(encoding="utf-8", errors="replace")
