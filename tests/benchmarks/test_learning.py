"""The published tables of learning: runs become rows that last, and a page."""

from __future__ import annotations

import math
import shutil
import sys
from pathlib import Path

import pytest

import bridle

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def learning():
    sys.path.insert(0, str(BENCHMARKS))
    import learning

    yield learning
    del sys.path[0]
    for name in [name for name in sys.modules if name.partition(".")[0] in ("learning", "pages")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A finished run of each of two seeds."""
    room = tmp_path_factory.mktemp("runs")
    for seed in (1, 2):
        bridle.train("sac-lag", env="SafetyPointGoal0-v0", env_args=("horizon=20",), cost_limit=25.0, steps=160, seed=seed,
                     cost_fn=cost, eval_every=80, eval_episodes=2, num_envs=2, run=str(room / str(seed)))  # fmt: skip
    return room


def cost(obs, action, next_obs):
    return action[:, 0] > 0


def test_runs_are_rows_that_a_later_one_replaces(learning, runs, tmp_path):
    rows = [learning.row_of(run, 0) for run in learning.finished([runs])]
    assert sorted(row.seed for row in rows) == [1, 2] and {row.steps for row in rows} == {160}
    assert all(row.method == "sac-lag" and row.limit == 25.0 and math.isnan(row.held_out_cost) for row in rows)
    learning.write(tmp_path / "a.csv", rows)
    assert [row.key for row in learning.read(tmp_path / "a.csv")] == [row.key for row in rows]
    assert learning.read(tmp_path / "none.csv") == []


def test_a_run_that_goes_on_counts_to_its_new_total(learning, runs, tmp_path):
    run = shutil.copytree(runs / "1", tmp_path / "run")
    bridle.resume(str(run), steps=240, cost_fn=cost)
    (found,) = learning.finished([run])
    assert found.curve.total == 240 and learning.row_of(found, 0).steps == 240


def test_a_page_tells_means_feasible_seeds_and_held_out_layouts(learning):
    row = learning.Row("SafetyPointGoal1-v0, dialect x", 25.0, "sac-lag", 1, 1000, 20.0, 24.0, 5.0, "abc", 18.0, 30.0)
    other = row._replace(seed=2, returns=22.0, cost=26.0, held_out_return=20.0)
    page = learning.drawn("safety_gym", learning.PAGES["safety_gym"], [row, other])
    line = next(line for line in page.splitlines() if line.startswith("| sac-lag"))
    assert "| 2 | 1,000 | 21.00 |" in line and "| 1/2 | 19.0 / 30.0 |" in line and "21.5 / 19.2 at 3 M | < 0" in line
    assert "bridle sweep examples/safety_gym.toml" in page and page.count("| abc |") == 2


@pytest.mark.parametrize("name", ["bullet", "safety_gym"])
def test_each_page_is_what_its_rows_draw(learning, name):
    path = BENCHMARKS / "results" / f"{name}.csv"
    rows = learning.read(path)
    assert rows and path.with_suffix(".md").read_text() == learning.drawn(name, learning.PAGES[name], rows)
    assert (BENCHMARKS.parent / "examples" / f"{name}.toml").exists()
    assert (path.parent / f"{name}_notes.md").exists()
