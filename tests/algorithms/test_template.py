"""The template is more than words: it keeps a limit too."""

import numpy as np

from bridle.algorithms._template import Config
from bridle.core.types import CostLimit
from bridle.data.replay import Ring
from bridle.envs import make
from bridle.run.collect import Collector
from bridle.run.evaluate import Evaluator
from bridle.run.train import begin, train


def test_the_template_learns_a_toy_world_within_its_limit():
    world = make("toy/Corridor-v0", 16)
    algorithm = Config(discount=0.9, hidden=(32, 32), every=160).build(world.spec, CostLimit((3.0,)))
    progress = begin(algorithm, 0)
    ring = Ring(world.spec, algorithm.memory, {}, algorithm.columns)
    train(algorithm, Collector(world, algorithm, 0), ring, 60_000, 0, progress)
    found = Evaluator(make("toy/Corridor-v0", 100), algorithm, 1).play(progress.actor, 400)
    returns, cost = found.returns.mean(), found.cost.mean()
    assert cost <= 1.1 * 3.0 and returns >= 0.9 * world.solve(3.0).returns, (returns, cost)
    assert np.asarray(progress.state.multiplier) > 0.01, "the multiplier rose"
