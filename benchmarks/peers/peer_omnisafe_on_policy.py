"""OmniSafe's PPOLag or CPO on a task (told as "PPOLag SafetyPointGoal1-v0"): env steps of whole epochs of 4,000, 64x64, one copy.

PPOLag makes all of its 40 passes over 63 minibatches of 64; CPO is as it comes: Fisher products on all states, 10 passes of its
critics in minibatches of 128.
"""

import array_defaults  # noqa: F401 (before what imports safety_gymnasium)
import omnisafe
from window import Window, arguments

EPOCH = 4_000


class Over(Exception):
    """The window is over."""


told = arguments()
name, task = told.what.split()
passes = {"update_iters": 40, "batch_size": 64, "kl_early_stop": False} if name == "PPOLag" else {}
agent = omnisafe.Agent(
    name,
    task,
    custom_cfgs={
        "train_cfgs": {"torch_threads": told.threads, "vector_env_nums": 1, "total_steps": 10_000_000},
        "algo_cfgs": {"steps_per_epoch": EPOCH, **passes},
        "logger_cfgs": {"use_wandb": False, "use_tensorboard": False},
    },
)
window, epochs, envs = Window(told.seconds), 0, agent.agent._env
rollout = envs.rollout


def counted(**how):
    """A rollout, which is followed by its update; the first epoch is not counted."""
    global epochs
    if epochs >= 1 and window.note(EPOCH * epochs) and epochs >= 2:
        raise Over
    rollout(**how)
    epochs += 1


envs.rollout = counted
try:
    agent.learn()
except Over:
    window.tell("omnisafe", "safety-gymnasium", "torch", "gymnasium", "mujoco", "numpy")
