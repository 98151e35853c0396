"""Run folders as a training would leave them, without training."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from bridle.core.types import Continuous, Leaf, Spec
from bridle.run import folder as folders
from bridle.run import records
from bridle.run.log import Log
from bridle.run.options import Options

SPEC = Spec("SafetyCarCircle-v0", Leaf((8,)), Continuous(2), 16, 300, notes=(("dialect", "fsrl"),))


HOSTILE = "<img src=x onerror=\"pwned=1\"></script><script>pwned=2</script> & 'x' %{x}"


def leave_run(
    path: Path,
    seed: int = 0,
    rows: int = 20,
    limit=(10.0,),
    algorithm="cvpo",
    preset=None,
    spec=SPEC,
    seconds=1.0,
    level=450,
) -> Path:
    """A run folder whose return rises to `level` while its cost falls from 60 below 10, evaluated `rows` times."""
    options = Options(cost_limit=limit, seed=seed, env=spec.name, eval_every=1_000, log_every=500)
    record = {
        "algorithm": algorithm,
        "class": "bridle.algorithms.cvpo:Config",
        "preset": preset,
        "config": {},
        "options": records.to_json(options),
        "notes": dict(spec.notes),
        "spec": folders.spec_to_json(spec),
        "bounds": None,
        "env_object": None,
        "command": ["bridle"],
    }
    folders.create(path, record)
    rng = np.random.default_rng(seed)
    with Log(path, ["episode/return"], events=False) as log:
        for k in range(2 * rows):
            step, done = 500 * (k + 1), (k + 1) / (2 * rows)
            row = {"step": step, "episode/return": 1.0, "episode/length": 300.0, "time/seconds": seconds * (k + 1)}
            row |= {"time/steps_per_s": 500 / seconds, "time/updates_per_s": 50 / seconds}
            for i in range(len(spec.constraints)):
                row["episode/cost" + (f"_{i}" if i else "")] = 30.0 * (1 + i)
            if k % 2:
                row["eval/length"] = 300.0
                row["eval/return"] = level * (1 - np.exp(-4 * done)) + rng.normal(0, 12)
                for i in range(len(spec.constraints)):
                    cost = 60 * np.exp(-5 * done) * (1 + i) + 4 + abs(rng.normal(0, 2))
                    row["eval/cost" + (f"_{i}" if i else "")] = cost
            log.write(row)
    return path


@pytest.fixture
def make_run():
    return leave_run


def rewrite(run: Path, change) -> Path:
    """Change the cells of each row of the metrics of a run: `change(row, k)`, with `k` from the last row down."""
    file = run / "metrics.csv"
    head, *lines = [line.split(",") for line in file.read_text().splitlines()]
    rows = [dict(zip(head, line, strict=True)) for line in lines]
    for k, row in enumerate(reversed(rows)):
        change(row, k)
    file.write_text("\n".join(map(",".join, [head, *(row.values() for row in rows)])) + "\n")
    return run


@pytest.fixture
def spoil():
    """Makes the last evaluations of a run no numbers."""

    def spoiled(run: Path, last: int, name: str = "eval/", word: str = "nan") -> Path:
        left = iter(range(last))

        def change(row, _):
            if row["eval/return"] and next(left, None) is not None:
                row.update({key: word for key in row if key.startswith(name)})

        return rewrite(run, change)

    return spoiled


@pytest.fixture
def edit():
    return rewrite


@pytest.fixture
def tell():
    """Adds rows to the metrics of a run, 1,000 env steps apart: `tell(run, {"model/loss": [3.0, 2.0]})`."""

    def told(run: Path, metrics: dict[str, list[float]], start: int = 11_000) -> Path:
        with Log(run, events=False) as log:
            for k, values in enumerate(zip(*metrics.values(), strict=True)):
                log.write({"step": start + 1_000 * k, **dict(zip(metrics, values, strict=True))})
        return run

    return told


@pytest.fixture
def two_costs():
    return dataclasses.replace(SPEC, name="toy/TwoCosts-v0", constraints=("speed", "crowding"), notes=())


@pytest.fixture
def study(tmp_path):
    """Two methods, three seeds each."""
    for name, level in (("cvpo", 450), ("sac-lag", 300)):
        for s in range(3):
            leave_run(tmp_path / "runs" / name / f"seed-{s}", s, algorithm=name, level=level)
    return tmp_path / "runs"


@pytest.fixture
def hostile(two_costs, tmp_path):
    """(folder, text): two runs in which every text tries to break out of a page."""
    at = tmp_path / "<b>runs"
    spec = dataclasses.replace(
        two_costs, name=HOSTILE, constraints=(HOSTILE, "b"), notes=(("dialect", HOSTILE), ("n", HOSTILE))
    )
    run = leave_run(at / "x&amp;", algorithm=HOSTILE, spec=spec, limit=(10.0, 20.0), preset=HOSTILE)
    other = leave_run(at / "y", spec=spec, limit=(10.0, 20.0))
    config = json.loads((run / "config.json").read_text())
    config["config"] = {"setting" + HOSTILE: HOSTILE, "nested": {"kind": HOSTILE}}
    config["command"] = ["bridle", HOSTILE]
    config["bridle"] = HOSTILE
    (run / "config.json").write_text(json.dumps(config))
    (run / "versions.json").write_text(json.dumps({"jax" + HOSTILE: HOSTILE, "device": HOSTILE}))
    (run / "log.txt").write_text(f"Traceback (most recent call last):\n  x\nError: {HOSTILE}")
    (run / "videos" / "<b>.gif").write_bytes(b"GIF89a")
    (other / "metrics.csv").write_text("step,eval/return\n1,<b>\n")
    return at, HOSTILE
