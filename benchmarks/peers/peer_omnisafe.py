"""OmniSafe's SACLag on SafetyPointGoal1-v0 with its defaults (256x256, 2 + 1 critics, batch 256, an update after every step, of which
every second one moves the actor): env steps. Its evaluations lie outside of the window."""

import array_defaults  # noqa: F401 (before what imports safety_gymnasium)
import omnisafe
from window import Window, arguments

SKIP = 1_500
"""Env steps before counting begins; learning begins at 1,000."""


class Over(Exception):
    """The window is over."""


told = arguments()
agent = omnisafe.Agent(
    "SACLag",
    "SafetyPointGoal1-v0",
    custom_cfgs={
        "train_cfgs": {"torch_threads": told.threads, "vector_env_nums": 1, "total_steps": 2_000_000},
        "algo_cfgs": {"steps_per_epoch": 1_000_000, "start_learning_steps": 1_000},
        "logger_cfgs": {"use_wandb": False, "use_tensorboard": False},
    },
)
window, steps, envs = Window(told.seconds), 0, agent.agent._env
rollout = envs.rollout


def counted(**how):
    """A rollout of one step, which is followed by one update."""
    global steps
    if steps >= SKIP and window.note(steps):
        raise Over
    rollout(**how)
    steps += how["rollout_step"]


envs.rollout = counted
try:
    agent.learn()
except Over:
    window.tell("omnisafe", "safety-gymnasium", "torch", "gymnasium", "mujoco", "numpy")
