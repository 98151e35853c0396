"""Where an episode ends: all three autoreset modes against a hand-written oracle, and copies in processes."""

import functools

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st

from bridle.envs import make
from bridle.envs.counting import Counting

MODES = list(AutoresetMode)


def oracle(lengths, mode, steps):
    """What one copy must answer: rows (next_obs, obs, reward, cost, terminated, truncated, valid), by its first episode."""
    rows, episode, count, dummy = [], 0, 0, False
    for _ in range(steps):
        if dummy:
            episode, count, dummy = episode + 1, 0, False
            rows.append(((episode, 0), (episode, 0), 0.0, 0.0, False, False, False))
            continue
        count += 1
        length = lengths[episode % len(lengths)]
        end = count == abs(length)
        here, after = (episode, count), (episode, count)
        if end and mode == AutoresetMode.NEXT_STEP:
            dummy = True
        elif end:
            after = (episode + 1, 0)
        rows.append((here, after, float(count), 2.5, end and length > 0, end and length < 0, True))
        if end and not dummy:
            episode, count = episode + 1, 0
    return rows


def play(world, shift, steps):
    """The rows of every copy, with episodes counted from the one that `shift` says."""
    n, rows = world.spec.num_envs, []
    for _ in range(steps):
        out = world.step(np.zeros((n, 1)))
        rows.append(
            [
                (
                    tuple(out.next_obs[i] - [shift, 0]), tuple(out.obs[i] - [shift, 0]), out.reward[i], out.cost[i, 0],
                    out.terminated[i], out.truncated[i], out.valid[i],
                )
                for i in range(n)
            ]
        )  # fmt: skip
    return list(zip(*rows, strict=True))


LENGTHS = st.lists(st.integers(-4, 4).filter(bool), min_size=1, max_size=4)


@pytest.mark.parametrize("mode", [*MODES, None])
@settings(max_examples=150, deadline=None)
@given(each=st.lists(LENGTHS, min_size=1, max_size=3))
def test_ends_of_episodes_are_those_of_the_oracle(mode, each):
    """`None` is our own loop, which answers like SAME_STEP and DISABLED."""
    factories = [functools.partial(Counting, lengths, cost=2.5) for lengths in each]
    if mode is None:
        world = make(functools.partial(next, iter([factories[0](), *(f() for f in factories)])), len(each))
    else:
        world = make(SyncVectorEnv(factories, autoreset_mode=mode), len(each))
    first = world.reset(np.arange(len(each)))
    for i, lengths in enumerate(each):
        begun = int(first[i, 0]) - 1
        each[i] = [lengths[(k + begun) % len(lengths)] for k in range(len(lengths))]
        assert first[i, 1] == 0
    rows = play(world, 0, 15)
    for i, lengths in enumerate(each):
        shift = first[i, 0]
        mine = [((a[0] - shift, a[1]), (b[0] - shift, b[1]), *rest) for a, b, *rest in rows[i]]
        assert mine == oracle(lengths, mode, 15)


@pytest.mark.parametrize("mode", MODES)
def test_the_same_episodes_come_out_of_every_mode(mode):
    """Rows that are valid do not depend on the mode, but for seeds that NEXT_STEP and SAME_STEP cannot take."""
    world = make(SyncVectorEnv([functools.partial(Counting, (3, -2))] * 2, autoreset_mode=mode), 2)
    world.reset(np.arange(2))
    rows = [world.step(np.zeros((2, 1))) for _ in range(20)]
    valid = [row.reward[0] for row in rows if row.valid[0]][:10]
    assert valid in ([1, 2, 3, 1, 2] * 2, [1, 2, 1, 2, 3] * 2)


class Plain(gymnasium.vector.VectorEnv):
    """A batched env as it was in Gymnasium 0.29 and 1.0: one seed, no mode in its metadata, `final_observation`."""

    def __init__(self, num_envs=2, late=False, six=False):
        self.num_envs, self.late, self.six, self.metadata = num_envs, late, six, {}
        self.single_observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,))
        self.single_action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))
        self.spec = gymnasium.envs.registration.EnvSpec("Plain-v0", max_episode_steps=3)

    def reset(self, *, seed=None, options=None):
        if seed is not None and not isinstance(seed, int):
            raise TypeError("one seed")
        self.count = np.zeros(self.num_envs)
        return self.count[:, None].astype(np.float32), {}

    def step(self, actions):
        n, infos = self.num_envs, {}
        self.count = self.count + 1
        reward, done = self.count.copy(), self.count >= 3
        dummy = self.count > 3
        cost = np.where(dummy, 0.0, self.count * 10)
        if self.late:
            done, reward, self.count = done & ~dummy, np.where(dummy, 0.0, reward), np.where(dummy, 0, self.count)
            infos["cost"] = cost
        elif done.any():
            infos["final_observation"] = np.array([x[None].astype(np.float32) for x in self.count] + [None], object)[
                :-1
            ]
            infos["final_info"] = np.array([{"cost": c} for c in cost] + [None], object)[:-1]
            self.count = np.where(done, 0, self.count)
        else:
            infos["cost"] = cost
        values = (self.count[:, None].astype(np.float32), reward)
        return (*values, *([cost] if self.six else []), np.zeros(n, bool), done, infos)


@pytest.mark.parametrize("six", [False, True])
def test_an_older_vector_environment_shows_its_mode_at_the_first_end(six):
    world = make(Plain(six=six), 2)
    assert world.spec.horizon == 3 and world.spec.name == "Plain-v0"
    world.reset(np.array([3, 4]))
    rows = [world.step(np.zeros((2, 1))) for _ in range(4)]
    assert [row.next_obs[0, 0] for row in rows] == [1, 2, 3, 1]
    assert [row.obs[0, 0] for row in rows] == [1, 2, 0, 1]
    assert [row.cost[0, 0] for row in rows] == [10, 20, 30, 10]
    late = make(Plain(late=True, six=six), 2)
    late.reset(np.array([3, 4]))
    rows = [late.step(np.zeros((2, 1))) for _ in range(5)]
    assert [bool(row.valid[0]) for row in rows] == [True, True, True, False, True]
    assert [row.obs[0, 0] for row in rows] == [1, 2, 3, 0, 1]
    assert [row.cost[0, 0] for row in rows] == [10, 20, 30, 0, 10]


def test_num_envs_has_to_be_that_of_the_vector_environment():
    with pytest.raises(ValueError, match="has 2 copies and num_envs = 3: pass num_envs=2"):
        make(Plain(), 3)


def test_a_callable_may_make_a_vector_environment():
    assert make(Plain, 5).spec.num_envs == 5


def test_a_vector_environment_tells_no_state_but_resets():
    world = make(Plain(), 2)
    world.reset(np.arange(2))
    assert world.get_state() is None


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_in_one_copy_names_it(value):
    class Bad(Plain):
        def step(self, actions):
            obs, *rest = super().step(actions)
            obs[1] = value if self.count[1] == 2 else obs[1]
            return obs, *rest

    world = make(Bad(), 2)
    world.reset(np.array([6, 7]))
    with pytest.raises(ValueError, match=r"'Plain-v0', copy 1, .* seed .*: obs\[0\] is (nan|inf)"):
        for _ in range(3):
            world.step(np.zeros((2, 1)))


def test_an_observation_buffer_that_the_environment_uses_again_is_copied():
    world = make(SyncVectorEnv([Counting] * 2, copy=False), 2)
    world.reset(np.arange(2))
    rows = [world.step(np.zeros((2, 1))) for _ in range(3)]
    assert [row.next_obs[0, 1] for row in rows] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("mode", MODES)
def test_steps_are_counted_from_the_beginning_of_each_episode(mode):
    world = make(SyncVectorEnv([functools.partial(Counting, (3,))] * 2, autoreset_mode=mode), 2)
    world.reset(np.array([6, 7]))
    for _ in range(5 + (mode == AutoresetMode.NEXT_STEP)):
        world.step(np.zeros((2, 1)))
    assert world.where(1).endswith("copy 1, step 2 of episode 1 with seed 7")


def test_a_missing_cost_in_one_copy_names_it():
    class Half(Counting):
        def step(self, action):
            *rest, info = super().step(action)
            return *rest, info if self.count < 3 else {"cost_sum": 1.0}

    world = make(SyncVectorEnv([Counting, Half]), 2)
    world.reset(np.array([6, 7]))
    with pytest.raises(ValueError, match=r"copy 1, step 3 of episode 0 with seed 7: no cost.*info has.*'cost_sum'"):
        for _ in range(3):
            world.step(np.zeros((2, 1)))


def test_a_crash_is_raised_again_with_seeds_and_actions():
    class Crashing(Counting):
        def step(self, action):
            if self.count == 2:
                raise KeyError("joint")
            return super().step(action)

    world = make(SyncVectorEnv([Crashing] * 2), 2)
    world.reset(np.array([6, 7]))
    with pytest.raises(RuntimeError, match=r"seeds \[6, 7\], steps \[3, 3\].*step raised KeyError: 'joint'"):
        for _ in range(3):
            world.step(np.zeros((2, 1)))


def test_copies_in_processes_answer_as_copies_in_one_process_do():
    one = make("Pendulum-v1", 2, max_episode_steps=4)
    many = make("Pendulum-v1", 2, workers="process", max_episode_steps=4)
    try:
        assert one.spec == many.spec
        assert np.array_equal(one.reset(np.array([3, 9])), many.reset(np.array([3, 9])))
        for _ in range(10):
            assert str(one.step(np.full((2, 1), 0.3))) == str(many.step(np.full((2, 1), 0.3)))
    finally:
        many.close()


class Fragile(Counting):
    """Fails at its twelfth step; at module level, so that a worker finds it."""

    def __init__(self):
        super().__init__((20,))

    def step(self, action):
        if self.count == 11:
            raise OSError("cable")
        return super().step(action)


@pytest.mark.filterwarnings("ignore")
def test_a_crash_in_a_process_is_told_as_in_one_process():
    world = make(Fragile, 2, workers="process")
    world.reset(np.array([3, 9]))
    with pytest.raises(
        RuntimeError, match=r"copy [01], step 12 of an episode with seed (3|9), last action.*OSError: cable"
    ):
        for _ in range(12):
            world.step(np.zeros((2, 1)))
    world.close()
