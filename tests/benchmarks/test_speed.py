"""The speed benchmark can be run, and counts as it says; how fast anything is, no test asks."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def timing():
    sys.path.insert(0, str(BENCHMARKS))
    import timing.clock
    import timing.flops
    import timing.updates
    import timing.worlds

    yield timing
    sys.path.remove(str(BENCHMARKS))
    for name in [name for name in sys.modules if name.partition(".")[0] == "timing"]:
        del sys.modules[name]


def case(timing, name: str, width: int = 128):
    found = timing.updates.cases(2)
    return next(case for case in found if case.name == name and case.config.hidden == (width, width))


def layers(*sizes: int) -> int:
    """FLOPs of one row through one network."""
    return 2 * sum(i * o for i, o in pairwise(sizes))


def test_flops_of_cvpo_are_those_of_the_plain_formula(timing):
    fsrl, icml, *_ = timing.updates.cases(2)
    assert fsrl.config.hidden == (128, 128) and fsrl.config.samples == 16 and fsrl.config.n_step == 1
    actor, critic = layers(60, 128, 128, 4), layers(62, 128, 128, 1)
    by_hand = 256 * (2 * actor + 2 * critic + 2 * 3 * critic + 16 * 2 * critic + 3 * actor)
    assert timing.flops.flops(fsrl.evaluations) == by_hand
    assert timing.flops.flops(icml.evaluations) == pytest.approx(12.04e9, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "critics", "climbed", "heads", "every"),
    [("sac", 2, 2, 4, 1), ("sac-lag", 3, 3, 4, 1), ("td3", 2, 1, 2, 2), ("td3-lag", 3, 2, 2, 2), ("ddpg", 1, 1, 2, 1)],
)
def test_flops_of_those_whose_actor_climbs_critics(timing, name, critics, climbed, heads, every):
    actor, critic = layers(8, 256, 256, heads), layers(10, 256, 256, 1)
    learns, tells = 3 * actor, 2 * climbed * critic  # the climbed critics: forward, and backward to the action
    by_hand = 256 * (actor + critics * critic + 3 * critics * critic + (learns + tells) / every)
    assert timing.flops.flops(case(timing, name, 256).evaluations) == by_hand


@pytest.mark.parametrize("name", ["cvpo", "sac-lag", "td3-lag"])
def test_an_update_and_its_bare_products_can_be_called(timing, name):
    found = case(timing, name)
    config = type(found.config)(**{**vars(found.config), "hidden": (8, 8), "batch": 4, "times": 2})
    small = found._replace(config=config, obs=3, action=1)
    timing.updates.update_of(small)()
    timing.flops.chain_of(small.evaluations, 2)()
    assert timing.updates.update_row(small, [2.0, 3.0], [4.0, 4.0]).count("|") == 13


def test_a_world_is_played(timing):
    world, actions = timing.worlds.world_of("SafetyBallRun-v0", 2)
    steps, seconds = timing.clock.rate(lambda: timing.worlds.play(world, actions), 0.0)
    assert steps == 1 and seconds > 0
    world.close()
