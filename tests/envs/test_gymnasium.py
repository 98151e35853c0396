"""Worlds out of Gymnasium environments: costs, spaces, seeds, state, and what is said when one of them errs."""

import functools

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Tuple
from gymnasium.wrappers import NormalizeObservation, TimeLimit

from bridle.core.types import Continuous, Leaf
from bridle.core.types import Discrete as Choice
from bridle.envs import make
from bridle.envs.adapter import Actions, episode_seed, leaves_of, pack, unpack
from bridle.envs.counting import Counting


class Fickle(Counting):
    """Counting, with one thing gone wrong at step `at` (`wrong(obs, reward, info) -> the same`)."""

    def __init__(self, wrong, at=3, **kwargs):
        super().__init__((20,), **kwargs)
        self.wrong, self.at = wrong, at
        self.metadata = {"render_modes": []}

    def step(self, action):
        obs, reward, terminated, truncated, info = super().step(action)
        if self.count == self.at:
            obs, reward, info = self.wrong(obs, reward, info)
        return obs, reward, terminated, truncated, info


class Room(gymnasium.Env):
    """Any spaces; observations and rewards are drawn from the env's own random numbers."""

    def __init__(self, observation_space, action_space=None, six=False, cost=None):
        self.observation_space = observation_space
        self.action_space = action_space or Box(-1.0, 1.0, (1,))
        self.six, self.cost, self.actions = six, cost, []

    def look(self):
        self.observation_space.seed(int(self.np_random.integers(2**31)))
        return self.observation_space.sample()

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.look(), {}

    def step(self, action):
        self.actions.append(action)
        reward = float(self.np_random.random())
        end = bool(self.np_random.random() < 0.1)
        if self.six:
            return self.look(), reward, self.cost, end, False, {}
        return self.look(), reward, end, False, {} if self.cost is None else {"cost": self.cost}

    def get_state(self):
        return {"actions": len(self.actions)}

    def set_state(self, state):
        self.actions = [None] * state["actions"]


VECTOR = Box(-np.inf, np.inf, (3,), np.float64)


def run(world, steps, seed=0, seeds=None):
    n = world.spec.num_envs
    world.reset(np.arange(n) if seeds is None else np.array(seeds))
    return go_on(world, steps, seed)


def go_on(world, steps, seed=0):
    random, n = np.random.default_rng(seed), world.spec.num_envs
    kind = world.spec.action
    draw = (lambda: random.uniform(-1, 1, (n, kind.size))) if isinstance(kind, Continuous) else (
        lambda: random.integers(0, kind.choices, n))  # fmt: skip
    return [world.step(draw()) for _ in range(steps)]


def same(a, b):
    return all(str(x) == str(y) for x, y in zip(a, b, strict=True))


# cost


@pytest.mark.parametrize(("cost", "names"), [(0.5, ("cost",)), (np.array([1.0, 2.0]), ("cost_0", "cost_1"))])
@pytest.mark.parametrize("six", [False, True])
def test_a_cost_is_read_from_info_and_from_six_values(cost, names, six):
    world = make(lambda: Room(VECTOR, six=six, cost=cost), 2)
    assert world.spec.constraints == names
    assert np.array_equal(run(world, 1)[0].cost, np.broadcast_to(cost, (2, len(names))).astype(np.float32))


def test_a_world_with_no_cost_has_no_constraints():
    world = make("CartPole-v1", 2)
    assert world.spec.constraints == () and run(world, 3)[-1].cost.shape == (2, 0)


def test_cost_fn_replaces_the_cost_and_sees_the_true_successor_and_native_actions():
    def env():
        return gymnasium.wrappers.RescaleAction(Counting((2,), cost=np.nan), np.float32(0.0), np.float32(8.0))

    seen = []

    def cost_fn(obs, action, next_obs):
        seen.append((obs[:, 1].tolist(), action[:, 0].tolist(), next_obs[:, 1].tolist()))
        return np.stack([next_obs[:, 1], action[:, 0]], -1)

    world = make(env, 2, cost_fn)
    assert world.spec.constraints == ("cost_0", "cost_1")
    world.reset(np.arange(2))
    rows = [world.step(np.full((2, 1), 0.5)) for _ in range(3)]
    assert [row.cost.tolist()[0] for row in rows] == [[1.0, 6.0], [2.0, 6.0], [1.0, 6.0]]
    assert seen[1:] == [([0, 0], [6, 6], [1, 1]), ([1, 1], [6, 6], [2, 2]), ([0, 0], [6, 6], [1, 1])]


def test_cost_fn_on_a_toy_world_survives_a_state_round_trip():
    world = make("toy/Corridor-v0", 2, lambda obs, action, next_obs: obs[:, 0])
    run(world, 5)
    state = world.get_state()
    first = go_on(world, 30)
    world.set_state(state)
    assert same(first, go_on(world, 30))


def test_a_cost_function_of_a_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"cost_fn of environment 'toy/Corridor-v0' gave float32 \(1,\)|\(5, 2\)"):
        make("toy/Corridor-v0", 2, lambda obs, action, next_obs: obs.T)
    with pytest.raises(ValueError, match="copy 1: cost.* is nan"):
        make("toy/Corridor-v0", 2, lambda obs, action, next_obs: np.array([0.0, np.nan]))


def test_a_missing_cost_is_an_error_that_names_place_and_hint():
    world = make(lambda: Fickle(lambda obs, reward, info: (obs, reward, {"cost_sum": 3.0}), at=12), 2)
    world.reset(np.array([5, 6]))
    with pytest.raises(
        ValueError, match=r"copy 0, step 12 of an episode with seed 5: no cost, .*info has 'cost_sum'.*cost_fn"
    ):
        go_on(world, 12)


def test_a_cost_that_appears_late_is_an_error():
    class Late(Fickle):
        def step(self, action):
            *rest, info = super().step(action)
            return *rest, info if self.count == 12 else {}

    with pytest.raises(ValueError, match="though the first steps had none; tell it at every step, also 0"):
        run(make(lambda: Late(lambda *a: a), 1), 12)


def test_a_cost_under_another_name_is_noted():
    world = make(lambda: Fickle(lambda o, r, i: (o, r, i)), 1)
    assert world.spec.notes == ()

    class Other(Counting):
        def step(self, action):
            *rest, info = super().step(action)
            return *rest, {"constraint_costs": info["cost"]}

    assert "constraint_costs" in dict(make(Other, 1).spec.notes)["cost"]


# bad input


def put(array, value):
    array = np.array(array)
    array[1] = value
    return array


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda o, r, i: (put(o, np.nan), r, i), r"obs\[1\] is nan; allowed: finite"),
        (lambda o, r, i: (put(o, np.inf), r, i), r"obs\[1\] is inf"),
        (lambda o, r, i: (o, np.nan, i), r"reward\[0\] is nan"),
        (lambda o, r, i: (o, None, i), "reward is None; allowed: 1 number"),
        (lambda o, r, i: (o, r, {"cost": np.inf}), r"cost\[0\] is inf"),
        (lambda o, r, i: (o, r, {"cost": [1.0, 2.0]}), r"cost is \[1.0, 2.0\]; allowed: 1 number"),
        (lambda o, r, i: (o[:1], r, i), r"obs is float32 \(1,\); its space says float32 \(2,\)"),
        (lambda o, r, i: (o.astype(str), r, i), r"obs is <U\d+ \(2,\); its space says float32"),
        (lambda o, r, i: ([[1, 2], [3]], r, i), "obs is object"),
        (lambda o, r, i: (o, r, None), "info is None; allowed: a dict"),
    ],
)
def test_bad_input_is_told_with_copy_step_and_seed(wrong, message):
    made = []

    def env():
        made.append(1)
        return Fickle(wrong if len(made) == 3 else lambda *a: a)

    world = make(env, 2)
    world.reset(np.array([41, 42]))
    with pytest.raises(ValueError, match="copy 1, step 3 of an episode with seed 42: " + message):
        go_on(world, 3)


def test_a_crash_is_raised_again_with_place_and_last_action():
    def wrong(obs, reward, info):
        raise ZeroDivisionError("friction")

    world = make(lambda: Fickle(wrong, at=12), 1)
    world.reset(np.array([7]))
    with pytest.raises(
        RuntimeError, match=r"copy 0, step 12 .* seed 7, last action \[.*\]: step raised ZeroDiv.*friction"
    ):
        go_on(world, 12)


def test_a_step_of_four_values_is_refused():
    class Old(Counting):
        def step(self, action):
            obs, reward, terminated, _, info = super().step(action)
            return obs, reward, terminated, info

    with pytest.raises(ValueError, match="step gave 4 values; allowed"):
        make(Old, 1)


def test_a_step_before_reset_and_wrong_seeds_are_refused():
    world = make(Counting, 2)
    with pytest.raises(ValueError, match="step before reset"):
        world.step(np.zeros((2, 1)))
    with pytest.raises(ValueError, match="allowed: 2 integers >= 0"):
        world.reset(np.array([1, -2]))


# spaces


def test_nested_spaces_become_a_tree_of_leaves_and_images_keep_uint8():
    space = Dict(
        {
            "image": Box(0, 255, (4, 4, 1), np.uint8),
            "parts": Tuple((Discrete(3, start=5), Box(-1.0, 1.0, (2,), np.float64), MultiDiscrete([3, 4]))),
            "deep": Dict({"flag": Box(0, 1, (), bool)}),
        }
    )
    assert leaves_of(space, "x") == {
        "image": Leaf((4, 4, 1), "uint8"),
        "parts": (Leaf((), "int32"), Leaf((2,), "float32"), Leaf((2,), "int32")),
        "deep": {"flag": Leaf((), "bool")},
    }
    world = make(lambda: Room(space), 3)
    obs = run(world, 1)[0].next_obs
    assert obs["image"].shape == (3, 4, 4, 1) and obs["image"].dtype == np.uint8
    assert obs["parts"][0].shape == (3,) and set(obs["parts"][0]) <= {5, 6, 7}
    assert obs["parts"][1].dtype == np.float32 and obs["deep"]["flag"].dtype == bool


def test_a_missing_key_is_told():
    class Half(Room):
        def look(self):
            return {"a": np.zeros(1, np.float32)}

    space = Dict({"a": Box(-1, 1, (1,)), "b": Box(-1, 1, (1,))})
    with pytest.raises(ValueError, match=r"obs has keys \['a'\]; its space says a dict of \['a', 'b'\]"):
        make(lambda: Half(space))


def test_spaces_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="obs is a Text space; allowed: Box, Discrete"):
        make(lambda: Room(gymnasium.spaces.Text(3)))
    with pytest.raises(ValueError, match="no bounds to rescale .*TransformAction"):
        make(lambda: Room(VECTOR, Box(-np.inf, np.inf, (2,))))
    with pytest.raises(ValueError, match="its actions are MultiDiscrete.*allowed: Discrete, or Box of reals"):
        make(lambda: Room(VECTOR, MultiDiscrete([2, 2])))


def test_actions_are_rescaled_to_the_bounds_exactly_and_clipped():
    low, high = np.array([[-3.0, 0.1]], np.float32), np.array([[1.0, 0.7]], np.float32)
    actions = Actions(Box(low, high), "x")
    assert actions.kind == Continuous(2)
    native = actions.native(np.array([[-1.0, 1.0], [0.0, -9.0], [9.0, 0.0]]), 3)
    assert native.dtype == np.float32 and native.shape == (3, 1, 2)
    np.testing.assert_array_equal(native[:, 0], np.array([[-3.0, 0.7], [-1.0, 0.1], [1.0, 0.4]], np.float32))


def test_choices_start_from_zero_whatever_the_space_starts_from():
    env = Room(VECTOR, Discrete(3, start=-1))
    world = make(env)
    assert world.spec.action == Choice(3)
    world.reset(np.array([0]))
    env.actions.clear()
    for choice in range(3):
        world.step(np.array([choice]))
    assert env.actions == [-1, 0, 1]
    with pytest.raises(ValueError, match=r"allowed: int \[1\] in \[0, 3\)"):
        world.step(np.array([3]))


def test_an_observation_buffer_that_the_environment_uses_again_is_copied():
    class Reusing(Counting):
        buffer = np.zeros(2, np.float32)

        def _look(self):
            self.buffer[:] = self.episodes, self.count
            return self.buffer

    rows = run(make(Reusing), 3)
    assert [row.next_obs[0, 1] for row in rows] == [1.0, 2.0, 3.0]


# seeds and state


def test_the_same_seeds_give_the_same_numbers_and_others_do_not():
    a, b = make(lambda: Room(VECTOR), 3), make(lambda: Room(VECTOR), 3)
    first = run(a, 60)
    assert same(first, run(b, 60)) and same(first, run(a, 60))
    assert not same(first, run(a, 60, seeds=[5, 6, 7]))


def test_later_episodes_depend_on_seed_and_episode_alone():
    assert episode_seed(7, 0) == 7 and len({episode_seed(s, k) for s in range(20) for k in range(20)}) == 400
    wide, narrow = make(lambda: Room(VECTOR), 3), make(lambda: Room(VECTOR), 1)
    wide.reset(np.array([8, 9, 10]))
    narrow.reset(np.array([9]))
    ended = 0
    for _ in range(80):
        a, b = wide.step(np.zeros((3, 1))), narrow.step(np.zeros((1, 1)))
        assert np.array_equal(a.obs[1], b.obs[0]) and a.reward[1] == b.reward[0]
        ended += int(b.terminated[0])
    assert ended > 1


def limited():
    return TimeLimit(Room(VECTOR, cost=1.0), 7)


def test_state_goes_and_comes_back_exactly_with_clocks_and_random_numbers():
    world, other = make(limited, 2), make(limited, 2)
    run(world, 19)
    state = world.get_state()
    assert all(isinstance(array, np.ndarray) and array.dtype != object for array in state.values())
    obs = other.set_state(state)
    assert np.array_equal(obs, np.stack(world.obs))
    first = go_on(world, 40, 1)
    assert same(first, go_on(other, 40, 1)) and any(row.truncated.any() for row in first)


def test_a_world_that_cannot_tell_its_state_says_none():
    assert make("CartPole-v1").get_state() is None
    world = make("CartPole-v1")
    world.reset(np.array([0]))
    assert world.get_state() is None
    hiding = make(lambda: NormalizeObservation(Counting()))
    hiding.reset(np.array([0]))
    assert hiding.get_state() is None


def test_packed_state_comes_back_as_it_was():
    tree = {"a": [1, (2.5, None)], "b": {"c": np.arange(3), "d": "é", "big": 2**127}, "e": np.float32(2), "f": True}
    back = unpack(pack(tree))
    assert back["a"] == [1, (2.5, None)] and back["b"]["big"] == 2**127 and back["b"]["d"] == "é" and back["f"] is True
    assert np.array_equal(back["b"]["c"], np.arange(3)) and back["e"].dtype == np.float32
    with pytest.raises(ValueError, match="state holds a set"):
        pack({"a": {1}})


def test_the_horizon_is_found_in_the_spec_and_in_a_time_limit():
    assert make("CartPole-v1").spec.horizon == 500
    assert make(limited).spec.horizon == 7
    assert make(Counting).spec.horizon is None


def test_an_environment_is_called_by_its_id_or_its_class_and_never_by_an_address():
    class Here(Counting):
        pass

    def easy():
        return Here()

    counting = "bridle.envs.counting:Counting"
    for env, name in [
        (gymnasium.make("CartPole-v1"), "CartPole-v1"),
        (lambda: gymnasium.make("CartPole-v1"), "CartPole-v1"),
        (TimeLimit(Counting(), 5), counting),
        (functools.partial(Counting), counting),
        (lambda: TimeLimit(Counting(), 5), counting),
        (Counting, counting),
        (limited, f"{__name__}:limited"),
        (lambda: Here(), "Here"),
        (Here, "Here"),
        (easy, "easy"),
    ]:
        assert make(env).spec.name == name


def test_render_without_a_mode_says_what_to_do():
    with pytest.raises(ValueError, match="render_mode='rgb_array'"):
        make(type("Blind", (Counting,), {"render": lambda self: None})).render()
