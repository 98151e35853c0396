"""Records what Safety-Gymnasium 1.0.0 does, for `tests/envs/safety_gym`: states, actions, observations, rewards and costs.

    python benchmarks/peers/run.py omnisafe --rounds 1 --seconds 1 --room ~/peers     # makes the environment
    ~/peers/omnisafe/bin/python benchmarks/peers/record_safety_gym.py tests/envs/safety_gym/recorded [ROBOT ...]

All robots, or those that are named. Runs in the environment of OmniSafe (MuJoCo 2.3.3). Bodies are told in the world's frame, so
that they can be put into another model; actions in [-1, 1].
"""

from __future__ import annotations

import sys
from pathlib import Path

import array_defaults  # noqa: F401 (Safety-Gymnasium cannot be imported without it)
import numpy as np
import safety_gymnasium

ROBOTS = ("Point", "Car", "Doggo", "Racecar", "Ant")
TASKS = {"Goal": 3, "Button": 3, "Push": 3, "Circle": 3, "Run": 1}
SEEDS, STEPS, FEW = (0, 1, 2), 70, 10
"""Steps of each seed at level 1 (of Run, level 0), and at the other levels."""


def main(folder: Path, robots: list[str]) -> None:
    """One file for each of these robots and each task, with all levels in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for robot in robots or ROBOTS:
        for task, levels in TASKS.items():
            found = {}
            for level in range(levels):
                steps = STEPS if level == 1 or levels == 1 else FEW
                for seed in SEEDS:
                    played = play(f"Safety{robot}{task}{level}-v0", seed, steps)
                    found |= {f"{level}/{seed}/{name}": np.array(values) for name, values in played.items()}
            np.savez_compressed(folder / f"{robot}{task}.npz", **found)
            print(robot, task, flush=True)


def play(name: str, seed: int, steps: int) -> dict[str, list]:
    """What is seen at the start and after each step; `before` belongs to the step that follows."""
    env = safety_gymnasium.make(name).unwrapped
    obs, _ = env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    found: dict[str, list] = {
        "obs": [obs.astype(np.float32)],
        "action": [],
        "reward": [],
        "cost": [],
        "met": [],
        "sum": [],
    }
    note(found, env)
    low, high = env.task.model.actuator_ctrlrange.T
    hold = rng.uniform(-1, 1, env.action_space.shape)
    for step in range(steps):
        if step % 5 == 0:
            hold = rng.uniform(-1, 1, env.action_space.shape)
        chased = towards(env) if step % 2 else hold  # towards the goal now and then, so that something happens
        action = np.clip(chased + 0.3 * rng.normal(size=hold.shape), -1, 1)
        obs, reward, cost, terminated, _, info = env.step((low + high) / 2 + (high - low) / 2 * action)
        found["obs"].append(obs.astype(np.float32))
        for key, value in (("action", action), ("reward", reward), ("cost", cost), ("met", "goal_met" in info)):
            found[key].append(value)
        raw = env.task.calculate_cost()
        found["sum"].append(raw["cost_sum"])
        note(found, env)
        if terminated:
            break
    env.close()
    return found


def towards(env) -> np.ndarray:
    """Roughly towards the goal, for robots of two motors."""
    size = env.action_space.shape[0]
    goal = getattr(env.task, "goal", None)
    if goal is None or size != 2:
        return np.zeros(size)
    ahead, aside = env.task._ego_xy(np.array(goal.pos[:2]))
    if env.task.agent.__class__.__name__ == "Car":
        angle = np.arctan2(aside, ahead) + np.pi / 2  # it drives along -y
        angle = (angle + np.pi) % (2 * np.pi) - np.pi
        return np.clip([0.6 + angle, 0.6 - angle], -1, 1)
    return np.clip([0.5, 2 * np.arctan2(aside, ahead)], -1, 1)


def note(found: dict[str, list], env) -> None:
    """Where all is now."""
    task, data, model = env.task, env.task.data, env.task.model
    qpos, qvel = data.qpos.copy(), data.qvel.copy()
    if task.agent.__class__.__name__ == "Point":  # its joints are counted from where it began
        turn = task.agent.mat
        qpos[:3] = *task.agent.pos[:2], np.arctan2(turn[1, 0], turn[0, 0])
        qvel[:2] = task.agent.vel[:2]
    found.setdefault("time", []).append(data.time)
    found.setdefault("qpos", []).append(qpos)
    found.setdefault("qvel", []).append(qvel)
    for kind in ("hazards", "buttons", "pillars"):
        if hasattr(task, kind):
            found.setdefault(kind, []).append(np.array(getattr(task, kind).pos)[:, :2])
    if hasattr(task, "goal"):
        found.setdefault("goal", []).append(np.array(task.goal.pos))
    if hasattr(task, "buttons"):
        found.setdefault("wanted", []).append(task.buttons.goal_button)
        found.setdefault("waiting", []).append(task.buttons.timer)
    if hasattr(task, "gremlins"):
        start = task.world_info.reset_layout
        found.setdefault("gremlins", []).append(np.array([start[f"gremlin{k}"] for k in range(task.gremlins.num)]))
        turns = [model.body(f"gremlin{k}obj").quat for k in range(task.gremlins.num)]
        found.setdefault("turns", []).append(np.array(turns))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
