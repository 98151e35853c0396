"""What Safety-Gymnasium 1.0.0 did on MuJoCo 2.3.3 (`benchmarks/peers/record_safety_gym.py`), in our world: the same states.

All is equal but the accelerations of a robot that touches a box, which MuJoCo's versions compute differently: the original's own
XML on MuJoCo 4.0.0 gives the numbers that ours does, off by up to 3 m/s2 from 2.3.3. Those of an ant, which stands on stiff
legs, differ in the fourth digit, and its motion by hundredths of a millimetre a step. Ants fall: their plays are short. A
racecar's front wheels, turned all the way, touch its bumper, and its accelerations are then off by up to 0.03 m/s2, as with the
original's XML: where two convex bodies touch is sought step by step.
"""

from pathlib import Path

import numpy as np
import pytest

from bridle.envs import safety_gym
from bridle.envs.safety_gym import rules

TURNED = 0.75
"""Angle of a racecar's left front wheel (it is the eighth of its positions) beyond which one may touch the bumper, rad."""
FILES = sorted((Path(__file__).parent / "recorded").glob("*.npz"))


def plays(path):
    """(id, what was recorded) of each level and seed in a file."""
    with np.load(path) as file:
        found = {}
        for key in file.files:
            level, seed, name = key.split("/")
            found.setdefault((level, seed), {})[name] = file[key]
    return [(f"Safety{path.stem}{level}-v0", played) for (level, _), played in found.items()]


def world_of(id, played, when, goal_of=None):
    """A world whose copies are the states of a play at the times `when`; goals may be those of other times."""
    world = safety_gym.make(id, len(when))
    goal_of = when if goal_of is None else goal_of
    at, state = world._at, world.get_state()
    qpos, qvel, time = (played[name][when] for name in ("qpos", "qvel", "time"))
    state["physics"] = np.concatenate([time[:, None], qpos, qvel], 1)
    for kind in ("hazards", "buttons", "pillars"):
        if kind in played:
            state[f"fixed_{kind}"] = played[kind][when]
    if "goal" in played:
        state["goal"] = played["goal"][goal_of]
    if "wanted" in played:
        state["wanted"], state["waiting"] = (played[name][goal_of] for name in ("wanted", "waiting"))
    drive = np.zeros_like(state["drive"])
    action = np.concatenate([0 * played["action"][:1], played["action"]])[when]
    drive[:, : world._nu] = world._middle + world._half * np.clip(action, -1, 1)

    def stand(name, xy, z, turn=(1.0, 0.0, 0.0, 0.0)):
        first, after = world._nu + 3 * at.mocap[name], world._nu + 3 * world._mocaps + 4 * at.mocap[name]
        drive[:, first : first + 3] = np.concatenate([xy, np.full((len(xy), 1), z)], 1)
        drive[:, after : after + 4] = turn

    for things in world.row.scene.things:
        for k in range(things.num):
            if things.kind in ("buttons", "pillars"):
                stand(f"{things.kind}{k}", played[things.kind][when, k], {"buttons": 0.1, "pillars": 0.5}[things.kind])
            if things.kind == "gremlins":
                stand(f"gremlins{k}_lead", played["gremlins"][when, k], 0.2, played["turns"][when, k])
    state["drive"] = drive
    world.set_state(state)
    led = drive
    if world._gremlins:  # what leads them was last put somewhere before the last sub-step
        world._physics[:, 0] -= world._substep
        led = np.where(time[:, None] > 0, world._driven()[:, 0], drive)
        world._physics[:, 0] += world._substep
    world._sensed = world._copies.sense(state["physics"], led)
    return world


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_observations_rewards_and_costs_are_those_of_safety_gymnasium(path):
    checked = 0
    for id, played in plays(path):
        steps = len(played["action"])
        now = world_of(id, played, np.arange(steps + 1))
        error = np.abs(now._obs() - played["obs"])
        touching = sum((count.sum(1) for count in now._seen().touched.values()), np.zeros(steps + 1)) > 0
        touching[0] = True  # wheels begin on the floor to the last bit, above or below it
        error[touching, :3] = 0.0  # accelerations: see the head of this file
        error[:, :3] *= 0.1 if "Ant" in id else 1.0
        if "Racecar" in id:
            error[np.abs(now._physics[:, 8]) > TURNED, :3] *= 1e-3
        assert error.max() < 1e-4, (id, np.argwhere(error > 1e-4)[:5])
        before = world_of(id, played, np.arange(steps))
        after = world_of(id, played, np.arange(1, steps + 1), goal_of=np.arange(steps))
        seen, scene, task = after._seen(), after.row.scene, after.row.task
        size = next((x.size for x in scene.things if x.kind == "goal"), 0.0)
        met = rules.met(task, seen, size, after._wanted, np)
        np.testing.assert_array_equal(met, played["met"], err_msg=id)
        lengths = rules.lengths(task, before._seen(), np), rules.lengths(task, seen, np)
        reward = rules.reward(task, *lengths, met, seen, np)
        np.testing.assert_allclose(reward, played["reward"], atol=1e-4, err_msg=id)
        cost = after._cost(rules.costs(scene, seen, after._wanted, after._waiting, np))
        np.testing.assert_array_equal(cost.sum(1), played["cost"], err_msg=id)
        checked += steps
        for world in (now, before, after):
            world.close()
    assert checked >= (100 if path.stem.startswith("Ant") else 200)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_one_step_of_physics_is_that_of_safety_gymnasium(path):
    for id, played in plays(path)[:4]:
        steps = len(played["action"])
        world = world_of(id, played, np.arange(steps))
        world.advance(played["action"])
        robot = world._at.model.nq - 7 * (len(world._at.free) - ("agent" in world._at.free))
        error = np.abs(world._physics[:, 1 : 1 + robot] - played["qpos"][1:, :robot])
        if robot == 3:
            error[:, 2] %= 2 * np.pi
            error[:, 2] = np.minimum(error[:, 2], 2 * np.pi - error[:, 2])
        near = 1e-4 if "Ant" in id else 1e-6
        assert np.median(error.max(1)) < near and np.quantile(error.max(1), 0.9) < 1e-2, (
            id,
            np.sort(error.max(1))[-8:],
        )
        world.close()
