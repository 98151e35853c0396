"""Means between two rows, and their way through a checkpoint."""

import json

import numpy as np
import pytest

from bridle.core.names import one_each
from bridle.run.tally import Tally, columns


def test_means_are_over_all_that_came_since_the_last_row():
    tally = Tally()
    tally.add({"policy/q": 1.0}, [])
    tally.add({"policy/q": 2.0}, [(10.0, np.array([1.0, 4.0]), 5), (20.0, np.array([3.0, 0.0]), 7)])
    told = {"policy/q": 1.5, "episode/return": 15.0, "episode/cost": 2.0, "episode/cost_1": 2.0, "episode/length": 6.0}
    assert tally.means() == told
    tally.clear()
    assert tally.means() == {}


def test_a_tally_goes_through_json_to_the_last_bit():
    one, other = Tally(), Tally()
    one.add({"policy/q": 0.1}, [])
    one.add({"policy/q": 1e-17 + 0.2}, [])
    other.set_state(json.loads(json.dumps(one.get_state())))
    for tally in (one, other):
        tally.add({"policy/q": 0.7}, [])
    assert one.means() == other.means()


def test_seconds_go_on_where_a_run_is_resumed():
    tally = Tally(100.0, step=50, updates=5)
    speeds = tally.speeds(step=60, updates=6)
    assert speeds["time/seconds"] == pytest.approx(100.0, abs=5)
    assert speeds["time/steps_per_s"] > 0


def test_columns_name_each_constraint():
    assert one_each("eval/cost", 2) == ["eval/cost", "eval/cost_1"]
    assert one_each("cost", 1) == ["cost"]
    assert len(set(columns(2))) == len(columns(2)) == 13
