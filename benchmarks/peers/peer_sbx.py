"""SBX's SAC on HalfCheetah-v5 (256x256, batch 256), as many updates as steps: env steps. `blocks`: 64 of each in turn, else 1."""

import sbx
import torch
from stable_baselines3.common.callbacks import BaseCallback
from window import Window, arguments

SKIP = 1_500
"""Env steps before counting begins; learning begins at 1,000, and what it compiles is compiled by then."""


class Clock(BaseCallback):
    """Notes the steps between two updates, and ends the training with the window."""

    def __init__(self, window: Window):
        super().__init__()
        self.window, self.over = window, False

    def _on_rollout_start(self) -> None:
        self.over = self.num_timesteps >= SKIP and self.window.note(self.num_timesteps)

    def _on_step(self) -> bool:
        return not self.over


told = arguments()
torch.set_num_threads(told.threads)
block = 64 if told.what == "blocks" else 1
window = Window(told.seconds)
sbx.SAC("MlpPolicy", "HalfCheetah-v5", learning_starts=1_000, train_freq=block, gradient_steps=block, seed=0).learn(
    10**9, callback=Clock(window)
)
window.tell("sbx-rl", "stable-baselines3", "jax", "torch", "gymnasium", "mujoco")
