"""Stable-Baselines3's SAC on HalfCheetah-v5 with its defaults (256x256, batch 256, an update after every step): env steps."""

import stable_baselines3
import torch
from stable_baselines3.common.callbacks import BaseCallback
from window import Window, arguments

SKIP = 1_500
"""Env steps before counting begins; learning begins at 1,000."""


class Clock(BaseCallback):
    """Notes every env step, and ends the training with the window."""

    def __init__(self, window: Window):
        super().__init__()
        self.window = window

    def _on_step(self) -> bool:
        return self.num_timesteps < SKIP or not self.window.note(self.num_timesteps)


told = arguments()
torch.set_num_threads(told.threads)
window = Window(told.seconds)
stable_baselines3.SAC("MlpPolicy", "HalfCheetah-v5", learning_starts=1_000, device="cpu", seed=0).learn(
    10**9, callback=Clock(window)
)
window.tell("stable-baselines3", "torch", "gymnasium", "mujoco")
