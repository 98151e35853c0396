"""FSRL's SAC-Lagrangian with its defaults (128x128, 2 + 2 critics, batch 256, 2-step targets) on a world of 60 observations and 2
actions that takes no time: gradient updates, each with its draw from replay, as its trainer calls them."""

import gymnasium
import numpy as np
from fsrl.agent import SACLagAgent
from tianshou.data import Batch, VectorReplayBuffer
from window import Window, arguments

ENVS, ROWS = 10, 2_000
"""Copies, and env steps of each in replay."""


class Nowhere(gymnasium.Env):
    """Spaces alone."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (60,), np.float32)
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)


told = arguments()
agent = SACLagAgent(Nowhere(), thread=told.threads)
agent.policy.train()
rng, buffer = np.random.default_rng(0), VectorReplayBuffer(ENVS * ROWS, ENVS)
for row in range(ROWS):
    normal = lambda *shape: rng.normal(size=(ENVS, *shape)).astype(np.float32)
    truncated = np.full(ENVS, row % 300 == 299)
    cost = (normal() > 1).astype(np.float32)
    buffer.add(
        Batch(
            obs=normal(60), act=np.clip(normal(2), -1, 1), rew=normal(), terminated=np.zeros(ENVS, bool),
            truncated=truncated, obs_next=normal(60), info=Batch(cost=cost),
        ),
        buffer_ids=np.arange(ENVS),
    )  # fmt: skip
agent.policy.pre_update_fn(stats_train={"cost": 20.0}, batch_size=256, buffer=buffer, update_per_step=0.2)
window, updates = Window(told.seconds), 0
while updates <= 50 or not window.note(updates):
    agent.policy.update(256, buffer)
    updates += 1
window.tell("fast-safe-rl", "tianshou", "torch", "numpy")
