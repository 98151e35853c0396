"""What to take care of before runs are believed: seeds that stand twice, trainings that did not come to the end."""

from __future__ import annotations

from bridle.study.curves import Curve

TRACEBACK = "Traceback (most recent call last):\n"


def cares(methods: dict[str, list[Curve]]) -> list[str]:
    """A sentence for each thing that the runs of an environment, by method, should not be read without."""
    found = [
        f"{name} has seed {', '.join(map(str, twice))} more than once, as if these were independent."
        for name, group in methods.items()
        if (twice := repeated(group))
    ]
    curves = [curve for group in methods.values() for curve in group]
    if short := [curve for curve in curves if len(curve.step) and share(curve) < 0.99]:
        many = "1 run has" if len(short) == 1 else f"{len(short)} runs have"
        least = min(short, key=share)
        found.append(
            f"{many} not come to the end; the least far, {least.path}, is at {least.step[-1]:,.0f} of "
            f"{least.total:,} env steps."
        )
    return found + [f"{curve.path} ended with an error: {error}" for curve in curves if (error := _ended(curve))]


def repeated(curves: list[Curve]) -> list[int]:
    """The seeds that stand more than once among them."""
    seeds = [curve.seed for curve in curves if curve.seed is not None]
    return sorted({seed for seed in seeds if seeds.count(seed) > 1})


def share(curve: Curve) -> float:
    """How much of its training a run has been evaluated in; 1 where its total is not told."""
    return float(curve.step[-1]) / curve.total if curve.total and len(curve.step) else float(not curve.total)


def _ended(curve: Curve) -> str:
    """The last words of a run that diverged or crashed and was not gone on with; "" of others."""
    if not curve.config or not (log := curve.path / "log.txt").exists():
        return ""
    _, traceback, rest = log.read_text(encoding="utf-8", errors="replace").rpartition(TRACEBACK)
    words = [line for line in rest.splitlines() if line and not line.startswith(" ")]
    if not traceback or any(line.startswith("step ") for line in words):
        return ""
    kind, _, said = (words or [""])[0].partition(": ")
    return f"{kind.rpartition('.')[2]}: {said}" if kind else ""
