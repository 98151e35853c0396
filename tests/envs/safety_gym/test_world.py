"""The batched navigation world: episodes, layouts, goals, states."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bridle.core.types import Leaf
from bridle.envs import gl, safety_gym
from bridle.envs.safety_gym import layout, rules
from bridle.envs.safety_gym.layout import CannotPlace, Stream
from bridle.envs.safety_gym.lidar import lidar
from bridle.envs.safety_gym.table import DELAY, Scene, Things, row

IDS = (
    "SafetyPointGoal2-v0",
    "SafetyCarButton1-v0",
    "SafetyPointPush2-v0",
    "SafetyAntCircle2-v0",
    "SafetyDoggoRun0-v0",
    "SafetyRacecarGoal1-v0",
)


def walk(world, steps, seed=0, seeds=None):
    """Outcomes of random actions that last."""
    rng = np.random.default_rng(seed)
    world.reset(np.arange(world.spec.num_envs) if seeds is None else seeds)
    action = rng.uniform(-1, 1, (steps, world.spec.num_envs, world.spec.action.size))
    return [world.step(one) for one in action]


@pytest.mark.parametrize("id", IDS)
def test_a_copy_does_as_it_would_alone(id):
    many, one = safety_gym.make(id, 3), safety_gym.make(id, 1)
    together = walk(many, 8)
    one.reset(np.array([2]))
    rng = np.random.default_rng(0)
    action = rng.uniform(-1, 1, (8, 3, many.spec.action.size))
    for step, out in enumerate(together):
        alone = one.step(action[step, 2:])
        for ours, theirs in zip(alone, out, strict=True):
            np.testing.assert_array_equal(ours[0], theirs[2])


@pytest.mark.parametrize("id", IDS)
def test_a_world_goes_on_from_its_state_to_the_bit(id):
    world, other = safety_gym.make(id, 2, horizon=7), safety_gym.make(id, 2, horizon=7)
    walk(world, 5)
    state = world.get_state()
    obs = other.set_state(state)
    np.testing.assert_array_equal(obs, world._obs())
    for k in range(6):
        action = np.full((2, world.spec.action.size), 0.3 * (-1) ** k)
        for ours, theirs in zip(world.step(action), other.step(action), strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("id", [id for id in safety_gym.TASKS if "Ant" in id or "Point" in id])
def test_nothing_is_placed_too_near_to_anything_nor_costs_at_once(id):
    world = safety_gym.make(id, 8)
    world.reset(np.arange(8))
    scene = world.row.scene
    for seed in range(8):
        found = layout.sample(scene, Stream(seed, 0), id)
        placed = [p for kind, group in found.items() if kind != "circle" for p in group]
        for i, one in enumerate(placed):
            for other in placed[:i]:
                assert np.hypot(one.x - other.x, one.y - other.y) >= one.keepout + other.keepout
    found = rules.costs(scene, world._seen(), world._wanted, world._waiting, np)
    assert all((value == 0).all() for value in found.values())


def test_layouts_differ_by_episode_and_seed_and_stay_where_they_are_fixed():
    random, fixed, held = (
        safety_gym.make("SafetyPointGoal1-v0", 2, layout=name) for name in ("random", "fixed", "held-out")
    )
    first = random.reset(np.array([1, 2]))
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(random.restart(np.arange(2)), first)
    np.testing.assert_array_equal(random.reset(np.array([1, 2])), first)
    same = fixed.reset(np.array([1, 2]))
    np.testing.assert_array_equal(same[0], same[1])
    np.testing.assert_array_equal(fixed.restart(np.arange(2)), same)
    assert not np.array_equal(held.reset(np.array([1, 2])), first)


def test_an_object_without_room_is_named(monkeypatch):
    monkeypatch.setattr(layout, "LAYOUTS", 3)
    crowd = Scene((Things("vases", 40, 0.1, 0.4),), 1.0)
    with pytest.raises(CannotPlace, match="here: no room for vases in 3 layouts of 100 tries for each object"):
        layout.sample(crowd, Stream(0, 0), "here")


def test_a_goal_that_is_reached_pays_one_and_moves():
    world = safety_gym.make("SafetyPointGoal0-v0", 1)
    world.reset(np.array([0]))
    old = world._goal.copy()
    world._physics[0, 1:3] = old[0, :2] + 0.29
    world._lengths[:] = 0.29 * 2**0.5
    world._physics[0, 1:3] = old[0, :2] + [0.25, 0.0]
    out = world.advance(np.zeros((1, 2)))
    assert out[1][0] > 1.0 and not np.array_equal(world._goal, old)
    assert world._lengths[0, 0] == pytest.approx(np.hypot(*(world._goal[0, :2] - world._physics[0, 1:3])))


def test_a_goal_button_is_asked_for_anew_and_buttons_are_blind_for_a_while():
    world = safety_gym.make("SafetyPointButton1-v0", 1)
    world.reset(np.array([3]))
    assert world._waiting[0] == 0
    button = world._fixed["buttons"][0, world._wanted[0]]
    world._physics[0, 1:4] = *(button - [0.24, 0.0]), 0.0
    rewards, obs = [], None
    for _ in range(12):
        obs, reward, *_ = world.advance(np.array([[1.0, 0.0]]))
        rewards.append(reward[0])
        if reward[0] > 0.9:
            break
    assert rewards[-1] > 0.9 and world._waiting[0] == DELAY
    buttons = slice(12, 28)
    assert (obs[0, buttons] == 0).all()
    world._physics[0, 1:3] = 4.0, 4.0  # away from all buttons, so that none is pressed
    for _ in range(DELAY):
        obs = world.advance(np.array([[0.0, 0.0]]))[0]
    world._physics[0, 1:3] = button - [1.0, 0.0]
    obs = world.advance(np.array([[0.0, 0.0]]))[0]
    assert (obs[0, buttons] > 0).any()


def test_costs_come_as_one_indicator_as_a_sum_or_one_for_each_kind():
    worlds = {cost: safety_gym.make("SafetyPointGoal2-v0", 1, cost=cost) for cost in ("indicator", "sum", "each")}
    assert worlds["each"].spec.constraints == ("hazards", "vases")
    for world in worlds.values():
        world.reset(np.array([0]))
        world._physics[0, 1:3] = world._fixed["hazards"][0, 0] + [0.05, 0.0]
    cost = {name: world.advance(np.zeros((1, 2)))[2][0] for name, world in worlds.items()}
    assert cost["indicator"] == [1.0] and 0.1 < cost["sum"][0] <= 0.2
    assert cost["each"][0] == 1.0


def test_episodes_end_by_the_clock_and_a_fallen_ant_ends_its_own():
    world = safety_gym.make("SafetyAntGoal0-v0", 2, horizon=3)
    world.reset(np.arange(2))
    world._physics[0, 3:8] = 0.066, 0.0, 1.0, 0.0, 0.0  # on its back
    out = world.step(np.zeros((2, 8)))
    np.testing.assert_array_equal(out.terminated, [True, False])
    np.testing.assert_array_equal(world._episode, [1, 0])
    outs = [world.step(np.zeros((2, 8))) for _ in range(2)]
    np.testing.assert_array_equal(outs[-1].truncated, [False, True])


def slow_lidar(place, objects, turn, reach):
    """As the paper's appendix says it, object by object."""
    found = np.zeros(16)
    for thing in objects:
        ego = turn.T @ (np.array([*thing[:2], 0.0]) - place)
        near = max(0.0, reach - np.hypot(*ego[:2])) / reach
        angle = np.arctan2(ego[1], ego[0]) % (2 * np.pi) / (2 * np.pi / 16)
        k, lean = int(angle), angle - int(angle)
        for b, share in ((k, 1.0), (k + 1, lean), (k - 1, 1 - lean)):
            found[b % 16] = max(found[b % 16], share * near)
    return found


def test_lidars_read_what_the_paper_says_on_numpy_and_jax():
    rng = np.random.default_rng(0)
    place, objects = rng.normal(size=(30, 3)), rng.normal(0, 1.5, (30, 7, 2))
    turn = np.stack([np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(30)])
    ours = lidar(place, objects, turn, 3.0, np).max(1)
    slow = [slow_lidar(*one, 3.0) for one in zip(place, objects, turn, strict=True)]
    np.testing.assert_allclose(ours, slow, atol=1e-12)
    np.testing.assert_allclose(jax.jit(lambda *x: lidar(*x, 3.0, jnp).max(1))(place, objects, turn), ours, atol=2e-5)


@pytest.mark.parametrize("id", IDS)
def test_rules_are_the_same_on_jax(id):
    world = safety_gym.make(id, 4, cost="each")
    walk(world, 3)
    seen, scene, task = world._seen(), row(id).scene, row(id).task
    for xp in (jnp,):
        lengths = rules.lengths(task, seen, np)
        np.testing.assert_allclose(rules.lengths(task, seen, xp) or [0], lengths or [0], rtol=1e-4)
        theirs = rules.costs(scene, seen, world._wanted, world._waiting, xp)
        for name, value in rules.costs(scene, seen, world._wanted, world._waiting, np).items():
            np.testing.assert_allclose(theirs[name], value, atol=1e-5)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"id": "SafetyPointGaol1-v0"}, "no task 'SafetyPointGaol1-v0'; did you mean 'SafetyPointGoal1-v0'"),
        ({"dialect": "upstream"}, "dialect = 'upstream'; allowed: 'safety-gymnasium', 'safety-gym', 'cvpo'"),
        ({"layout": "held_out"}, "layout = 'held_out'; allowed: 'random', 'fixed', 'held-out'"),
        ({"cost": "all"}, "cost = 'all'; allowed: 'indicator', 'sum', 'each'"),
        ({"horizon": 0}, "horizon = 0; at least 1 env step"),
    ],
)
def test_wrong_words_are_told(told, message):
    with pytest.raises(ValueError, match=message):
        safety_gym.make(**{"id": "SafetyPointGoal1-v0", **told})


@pytest.mark.parametrize(
    "id",
    [
        "SafetyPointGoal1-v0",
        "SafetyCarGoal2-v0",
        "SafetyDoggoGoal1-v0",
        "SafetyRacecarGoal1-v0",
        "SafetyPointButton1-v0",
        "SafetyCarButton2-v0",
    ],
)
def test_vases_and_gremlins_out_of_reach_are_left_out_and_nothing_else_changes(id):
    world, whole = safety_gym.make(id, 16), safety_gym.make(id, 16)
    whole._copies = whole._copies._full
    world.reset(np.arange(16))
    rng, spared, jolts = np.random.default_rng(0), 0, []
    racecar = "Racecar" in id  # its wheels touch the floor with one edge or two as the last bit has it: it feels that
    own, near = (9, 1e-4) if racecar else (0, 1e-5)
    for _ in range(60):  # until gremlins are on their way
        world.advance(np.zeros((16, world.spec.action.size)))
    for _ in range(15):
        state = world.get_state()
        spared += (~world._copies.is_near(state["physics"], world._driven())).sum()
        whole.set_state(state)
        action = rng.uniform(-1, 1, (16, world.spec.action.size))
        ours, theirs = world.advance(action), whole.advance(action)
        np.testing.assert_allclose(ours[0][:, own:], theirs[0][:, own:], atol=1e-3)
        np.testing.assert_allclose(ours[1], theirs[1], atol=near)
        np.testing.assert_array_equal(ours[2], theirs[2])
        jolts.append(np.abs(ours[0] - theirs[0]).max(1))
    assert spared > 60 and np.quantile(jolts, 0.9) < 1e-3


def test_a_robot_that_drives_into_a_vase_moves_it():
    world = safety_gym.make("SafetyPointGoal1-v0", 1)
    world.reset(np.array([0]))
    first = world._at.free["vases0"][0]
    vase = world._physics[0, first : first + 2].copy()
    world._physics[0, 1:4] = *(vase - [0.6, 0.0]), 0.0
    for _ in range(60):
        world.advance(np.array([[1.0, 0.0]]))
    assert world._physics[0, first] > vase[0] + 0.05 and world._physics[0, 1] < world._physics[0, first]


def test_a_racecar_drives_ahead_and_turns_where_its_front_wheels_point():
    world = safety_gym.make("SafetyRacecarCircle0-v0", 3)
    world.reset(np.zeros(3, int))
    action = np.array([[0.5, 0.0], [0.5, 0.5], [0.5, -0.5]])
    for _ in range(25):
        world.advance(action)
    feel = {name: world._sensed[:, world._at.sensors[name]] for name in ("velocimeter", "gyro")}
    np.testing.assert_allclose(feel["velocimeter"][:, 0], 0.5, atol=0.15)  # 10 rad/s of wheels of 5 cm
    np.testing.assert_allclose(np.sign(feel["gyro"][1:, 2]), [1, -1])
    left, right = world._physics[:, [8, 10]].T
    np.testing.assert_allclose(left, right, atol=0.05)
    np.testing.assert_allclose(left, [0.0, 0.39, -0.39], atol=0.2)


needs_gl = pytest.mark.skipif(gl.available() is None, reason="no OpenGL without a screen")


@needs_gl
@pytest.mark.parametrize("robot", ["Point", "Car", "Doggo", "Racecar", "Ant"])
@pytest.mark.parametrize(("vision", "colours"), [("rgb", 3), ("binary", 1)])
def test_a_robot_sees_what_is_before_it_and_feels_itself(robot, vision, colours):
    world = safety_gym.make(f"Safety{robot}Goal1-v0", 2, vision=vision)
    obs = world.reset(np.array([4, 5]))
    assert world.spec.obs == {"image": Leaf((64, 64, colours), "uint8"), "vector": Leaf((obs["vector"].shape[1],))}
    assert obs["image"].shape == (2, 64, 64, colours) and obs["image"].std() > 5
    assert not np.array_equal(obs["image"][0], obs["image"][1])
    np.testing.assert_array_equal(world.set_state(world.get_state())["image"], obs["image"])
    lidars = safety_gym.make(f"Safety{robot}Goal1-v0", 2).reset(np.array([4, 5]))
    np.testing.assert_array_equal(lidars[:, :-48], obs["vector"])
    ahead = world._turn()[:, :, 1 if robot in ("Ant", "Car") else 0] * (-1 if robot == "Car" else 1)
    world._goal[:] = world._place + ahead  # it is seen though it is no body
    moved = world._obs()["image"]
    assert not np.array_equal(moved, obs["image"])
    if vision == "binary":
        assert set(np.unique(moved)) <= {0, 255}
    world.close()


def test_vision_says_what_is_missing_where_nothing_can_be_drawn(monkeypatch):
    monkeypatch.setattr(gl, "available", lambda: None)
    with pytest.raises(RuntimeError, match="no OpenGL works here"):
        safety_gym.make("SafetyPointGoal1-v0", 1, vision="rgb")
    with pytest.raises(ValueError, match="vision = 'depth'; allowed: None, 'rgb', 'binary'"):
        safety_gym.make("SafetyPointGoal1-v0", 1, vision="depth")
