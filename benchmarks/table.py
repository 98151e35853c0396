"""Final return and cost of runs as a Markdown table: `python benchmarks/table.py RUN...`.

Final means: over the last tenth of a run's evaluations, as `bridle plot` tells them. The interval over three or more seeds
is Student's, 95 %.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from bridle.run.folder import open_run
from bridle.run.log import read as read_rows
from bridle.study import plot

STUDENT = {3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""97.5 % quantile of Student's distribution by the number of seeds."""


def final(path: Path, curve: plot.Curve) -> dict:
    """What a run came to."""
    options = open_run(path).config["options"]
    returns, cost = plot.final(curve)
    return {
        "env": curve.env,
        "method": curve.label,
        "limit": curve.limit,
        "seed": options["seed"],
        "steps": int(curve.x[-1]),
        "return": returns,
        "cost": cost,
        "feasible": bool((cost <= curve.limit).all()),
        "episodes": plot.counted(curve) * curve.episodes,
        "minutes": float(read_rows(path / "metrics.csv")["time/seconds"][-1]) / 60,
    }


def interval(values: list[float]) -> str:
    """Mean, and the 95 % interval over seeds where there are enough."""
    mean, count = np.mean(values), len(values)
    if count not in STUDENT:
        return f"{mean:.1f}"
    return f"{mean:.1f} +- {STUDENT[count] * np.std(values, ddof=1) / count**0.5:.1f}"


def numbers(values) -> str:
    """One number a constraint."""
    return ", ".join(f"{x:.2f}" for x in values)


def main(paths: list[Path]) -> None:
    """Print both tables."""
    found = [final(path, curve) for path, curve in zip(paths, plot.read(paths), strict=True)]
    groups = defaultdict(list)
    for run in found:
        groups[run["env"], run["method"], run["limit"], run["steps"]].append(run)
    print("| env | method | limit | env steps | seeds | return | cost | feasible seeds |")
    print("|---|---|---|---|---|---|---|---|")
    for (env, method, limit, steps), runs in groups.items():
        returns = interval([r["return"] for r in runs])
        costs = ", ".join(interval([r["cost"][i] for r in runs]) for i in range(len(limit)))
        limits = ", ".join(f"{x:g}" for x in limit)
        feasible = sum(r["feasible"] for r in runs)
        print(
            f"| {env} | {method} | {limits} | {steps:,} | {len(runs)} | {returns} | {costs} | {feasible}/{len(runs)} |"
        )
    print("\n| env | method | seed | return | cost | evaluated episodes | minutes |\n|---|---|---|---|---|---|---|")
    for r in found:
        print(
            f"| {r['env']} | {r['method']} | {r['seed']} | {r['return']:.1f} | {numbers(r['cost'])} | {r['episodes']} | "
            f"{r['minutes']:.1f} |"
        )


if __name__ == "__main__":
    main([Path(word) for word in sys.argv[1:]])
