"""The speed benchmark can be run, and counts as it says; how fast anything is, no test asks."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "speed.py"


@pytest.fixture(scope="module")
def speed():
    spec = importlib.util.spec_from_file_location("speed", PATH)
    module = sys.modules["speed"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["speed"]


def test_flops_are_those_of_the_plain_formula(speed):
    fsrl, icml, *_ = speed.cases(2)
    assert fsrl.config.hidden == (128, 128) and fsrl.config.samples == 16 and fsrl.config.n_step == 1
    actor, critic = 2 * (60 * 128 + 128 * 128 + 128 * 4), 2 * (62 * 128 + 128 * 128 + 128)
    by_hand = 256 * (2 * actor + 2 * critic + 2 * 3 * critic + 16 * 2 * critic + 3 * actor)
    assert speed.flops(speed.evaluations(fsrl)) == by_hand
    assert speed.flops(speed.evaluations(icml)) == pytest.approx(12.04e9, rel=1e-3)


def test_an_update_and_its_bare_products_can_be_called(speed):
    fsrl = speed.cases(2)[0]
    small = fsrl._replace(config=speed.cvpo.Config(hidden=(8, 8), batch=4, samples=3, times=2), obs=3, action=1)
    speed.update_of(small)()
    speed.chain_of(speed.evaluations(small), 2)()
    assert speed.update_row(small, [2.0, 3.0], [4.0, 4.0]).count("|") == 13


def test_a_world_is_played(speed):
    world, actions = speed.world_of("SafetyBallRun-v0", 2)
    steps, seconds = speed.rate(lambda: speed.play(world, actions), 0.0)
    assert steps == 1 and seconds > 0
    world.close()
