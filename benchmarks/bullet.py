"""The published table of Circle and Run: what a study of them came to, beside the figures of FSRL.

bridle sweep examples/bullet.toml
python benchmarks/bullet.py runs/bullet > benchmarks/results/bullet.md
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from bridle.study.results import Result, World, results, summary
from bridle.study.tables import Table, column, written

FSRL = {
    "SafetyCarCircle-v0": (1.5, {"cvpo": "433 / 5.5", "sac": "334 / -", "ddpg": "418 / 8.8"}),
    "SafetyBallCircle-v0": (0.8, {"cvpo": "695 / 10", "sac": "673 / 7", "ddpg": "779 / 5.4"}),
    "SafetyDroneCircle-v0": (4.0, {"cvpo": "603 / 8.3", "sac": "680 / -", "ddpg": "541 / 12.5"}),
    "SafetyCarRun-v0": (0.3, dict.fromkeys(("cvpo", "sac", "ddpg"), "560-575 / -")),
    "SafetyBallRun-v0": (0.5, {"cvpo": "450 / < 10", "ddpg": "805 / 31"}),
    "SafetyDroneRun-v0": (1.5, {"cvpo": "438 / -", "sac": "379 / -", "ddpg": "392 / 6.8"}),
    "SafetyAntRun-v0": (2.25, {"cvpo": "711 / 11.8", "ddpg": "701 / 10.5"}),
}
"""Million env steps, and return / cost of each algorithm at their end: means of three seeds, read off the plots of its published
report within 3 %, for limit 10; of SafetyCarRun a range that most of its algorithms reach, of SafetyAntRun 2 to 2.5."""

HEAD = """# Circle and Run of Bullet-Safety-Gym

Default settings, cost limit {limit}, {commits}. Made by

```sh
bridle sweep examples/bullet.toml
python benchmarks/bullet.py runs/bullet > benchmarks/results/bullet.md
```

A row is there where its seeds have been trained to the end; the same command trains the others. Final: mean over the last tenth of
the evaluations, of the policy's mean, 10 episodes each; intervals over seeds are Student's, 95 %. Feasible: that mean cost is at most
the limit. Minutes: of one run, on one of two CPU cores, with other work beside it. The settings were tuned on other seeds.

FSRL's figures are means of three seeds, read off its plots (3 %), of CVPO, of SAC-Lagrangian (its multiplier is a PID controller; here beside both of
ours) and of DDPG-Lagrangian. They were measured in PyBullet, ours on our own physics, which is
[calibrated to it](../../docs/tasks/bullet.md) within 5 to 10 %: a few per cent between the columns mean nothing.
[Notes](bullet_notes.md): what is below FSRL's and why, and earlier studies.
"""


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders of runs, or folders that hold some")
    worlds = [finished(world) for world in results(parser.parse_args().runs)]
    worlds = [world for world in worlds if world.methods]
    if not worlds:
        sys.exit("no run there has come to its end")
    runs = [run for world in worlds for group in world.methods.values() for run in group]
    found = sorted({commit(run) for run in runs})
    limits = sorted({x for world in worlds for x in world.limit})
    told = f"commit{'s' if len(found) > 1 else ''} {', '.join(found)}"
    print(HEAD.format(limit=", ".join(f"{x:g}" for x in limits), commits=told))
    print(written([outcomes(world) for world in worlds], "markdown"))
    print(written([Table("Seed by seed", *of_seeds(worlds), [])], "markdown"), end="")


def finished(world: World) -> World:
    """Without the runs that are still under way."""
    done = lambda run: run.curve.total is None or run.curve.step[-1] >= run.curve.total
    methods = {name: [run for run in group if done(run)] for name, group in world.methods.items()}
    return world._replace(methods={name: group for name, group in methods.items() if group})


def commit(run: Result) -> str:
    """The commit that trained it."""
    told = json.loads((run.curve.path / "versions.json").read_text())
    return told.get("commit") or f"of bridle {told['bridle']}"


def outcomes(world: World) -> Table:
    """A row for each method, with FSRL's figure for the same algorithm."""
    rows = [summary(world, method, "") for method in world.methods]
    millions, theirs = FSRL.get(world.env.split(",")[0], (None, {}))
    columns = {
        "method": list(world.methods),
        "seeds": [str(row["seeds"]) for row in rows],
        "env steps": [f"{max(row['steps']):,}" for row in rows],
        "return": column([row["return"] for row in rows], 4),
        "cost": column([row["cost"] for row in rows], 3),
        "feasible seeds": [f"{row['feasible_seeds']}/{row['seeds']}" for row in rows],
        "minutes": column([row["minutes"] for row in rows], 2),
    }
    if theirs:
        columns[f"FSRL at {millions:g} M"] = [theirs.get(method.split("-")[0], "-") for method in world.methods]
    return Table(world.name, tuple(columns), list(zip(*columns.values(), strict=True)), [])


def of_seeds(worlds: list[World]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and a row for each run."""

    def rows() -> Iterator[tuple[str, ...]]:
        for world in worlds:
            for method, group in world.methods.items():
                for run in group:
                    figures = f"{run.returns:.1f}", f"{run.cost[0]:.2f}", f"{run.curve.minutes[-1]:.1f}"
                    yield world.env.split(",")[0], method, str(run.curve.seed), *figures, commit(run)

    return ("env", "method", "seed", "return", "cost", "minutes", "commit"), list(rows())


if __name__ == "__main__":
    main()
