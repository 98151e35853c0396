"""One of Safety-Gymnasium's environments with random actions, resets included: env steps of whole episodes."""

import array_defaults  # noqa: F401 (before what imports safety_gymnasium)
import safety_gymnasium
from window import Window, arguments

told = arguments()
env, window, steps = safety_gymnasium.make(told.what), Window(told.seconds), 0
env.action_space.seed(0)
env.reset(seed=0)
while not window.note(steps):
    over = False
    while not over:
        *_, terminated, truncated, _ = env.step(env.action_space.sample())
        over, steps = terminated or truncated, steps + 1
    env.reset()
window.tell("safety-gymnasium", "gymnasium", "mujoco", "numpy")
