"""Final return and cost of runs as a Markdown table: `python benchmarks/table.py [--steps N] RUN...`.

Final means: over the last tenth of a run's evaluations, as in every table of ours; with `--steps`, of those up to N env
steps (nothing in a run depends on how long it is meant to go on). The interval over three or more seeds is Student's, 95 %.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from bridle.run.log import read

STUDENT = {3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""97.5 % quantile of Student's distribution by the number of seeds."""


def final(path: Path, steps: float) -> dict:
    """What a run came to."""
    config = json.loads((path / "config.json").read_text())
    rows = read(path / "metrics.csv")
    seen = ~np.isnan(rows["eval/return"]) & (rows["step"] <= steps)
    step, returns, cost = rows["step"][seen], rows["eval/return"][seen], rows["eval/cost"][seen]
    last = max(1, len(step) // 10)
    seconds = float(rows["time/seconds"][seen][-1])
    return {
        "env": config["options"]["env"],
        "dialect": config["notes"].get("dialect", ""),
        "limit": config["options"]["cost_limit"][0],
        "seed": config["options"]["seed"],
        "steps": int(min(steps, config["options"]["steps"])),
        "return": float(returns[-last:].mean()),
        "cost": float(cost[-last:].mean()),
        "episodes": last * config["options"]["eval_episodes"],
        "minutes": seconds / 60,
    }


def interval(values: list[float]) -> str:
    """Mean, and the 95 % interval over seeds where there are enough."""
    mean, count = np.mean(values), len(values)
    if count not in STUDENT:
        return f"{mean:.1f}"
    return f"{mean:.1f} +- {STUDENT[count] * np.std(values, ddof=1) / count**0.5:.1f}"


def main(paths: list[str]) -> None:
    steps = float("inf")
    if paths[0] == "--steps":
        steps, paths = float(paths[1]), paths[2:]
    found = [final(Path(path), steps) for path in paths]
    groups = defaultdict(list)
    for run in found:
        groups[run["env"], run["dialect"], run["limit"], run["steps"]].append(run)
    print("| env | dialect | limit | env steps | seeds | return | cost | feasible seeds |")
    print("|---|---|---|---|---|---|---|---|")
    for (env, dialect, limit, steps), runs in groups.items():
        returns, costs = interval([r["return"] for r in runs]), interval([r["cost"] for r in runs])
        feasible = sum(r["cost"] <= limit for r in runs)
        print(
            f"| {env} | {dialect} | {limit:g} | {steps:,} | {len(runs)} | {returns} | {costs} | {feasible}/{len(runs)} |"
        )
    print("\n| env | seed | return | cost | evaluated episodes | minutes |\n|---|---|---|---|---|---|")
    for r in found:
        print(
            f"| {r['env']} | {r['seed']} | {r['return']:.1f} | {r['cost']:.2f} | {r['episodes']} | {r['minutes']:.1f} |"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
