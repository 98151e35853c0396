"""The one door: names, arguments, and what is imported for them."""

import subprocess
import sys

import gymnasium
import numpy as np
import pytest

from bridle import envs
from bridle.envs.counting import Counting


def test_importing_the_table_loads_nothing_heavy():
    code = (
        "import sys, bridle.envs as e; e.tasks()\n"
        "try: e.check('toy/Coridor-v0')\n"
        "except ValueError: pass\n"
        "print([m for m in ('gymnasium', 'mujoco', 'jax', 'scipy', 'numpy') if m in sys.modules])"
    )
    root = str(__import__("pathlib").Path(envs.__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "[]"


def test_a_misspelt_name_of_ours_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="no environment 'toy/Coridor-v0'; did you mean 'toy/Corridor-v0'"):
        envs.check("toy/Coridor-v0")
    with pytest.raises(ValueError, match="did you mean 'toy/Dict-v0'"):
        envs.make("bridle/toy/Dct-v0")


def test_a_misspelt_gymnasium_id_is_answered_with_the_nearest():
    envs.check("CartPol-v1")
    with pytest.raises(ValueError, match="no environment 'CartPol-v1'; did you mean 'CartPole-v1'"):
        envs.make("CartPol-v1")


def test_a_registered_name_that_looks_like_ours_is_let_through():
    gymnasium.register("SafetyOfAnother-v0", entry_point=Counting)
    try:
        envs.check("SafetyOfAnother-v0")
        assert envs.make("SafetyOfAnother-v0").spec.constraints == ("cost",)
    finally:
        del gymnasium.registry["SafetyOfAnother-v0"]


def test_every_task_has_one_line():
    assert envs.TASKS == envs.tasks()
    assert all(line and "\n" not in line for line in envs.TASKS.values())


def test_arguments_are_read_as_json_or_text():
    pairs = (
        "dialect=cvpo",
        "horizon=200",
        "step=1e-3",
        "fast=true",
        "slow=False",
        "of=None",
        "lengths=[2,-3]",
        "a=b=c",
    )
    assert envs.parse_args(pairs) == {
        "dialect": "cvpo", "horizon": 200, "step": 1e-3, "fast": True, "slow": False, "of": None,
        "lengths": [2, -3], "a": "b=c",
    }  # fmt: skip


@pytest.mark.parametrize("pair", ["horizon", "=3", "a-b=3"])
def test_an_argument_with_no_name_is_refused(pair):
    with pytest.raises(ValueError, match="allowed: name=value"):
        envs.parse_args((pair,))


def test_an_argument_given_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        envs.parse_args(("a=1", "a=2"))


@pytest.mark.parametrize(
    ("env", "arg", "near"),
    [("toy/Corridor-v0", "horizn", "horizon"), ("Pendulum-v1", "gg", "g"), ("toy/Counting-v0", "length", "lengths")],
)
def test_an_unknown_argument_is_named_with_what_is_allowed(env, arg, near):
    with pytest.raises(ValueError, match=f"environment '{env}' takes no argument '{arg}'.*allowed: .*{near}"):
        envs.make(env, 1, **{arg: 3})


def test_arguments_reach_the_environment():
    assert envs.make("toy/Corridor-v0", horizon=3).spec.horizon == 3
    assert envs.make("Pendulum-v1", max_episode_steps=9).spec.horizon == 9


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_worlds.py").write_text(
        "import gymnasium\n"
        "from bridle.envs.counting import Counting\n"
        "def make(lengths=(4,)):\n    return Counting(lengths)\n"
        "def number():\n    return 3\n"
        "def cost(obs, action, next_obs):\n    return next_obs[:, 1] * 10 + action[:, 0]\n"
        "class Group:\n    inner = staticmethod(make)\n"
        "gymnasium.register('MyCounting-v0', entry_point='bridle.envs.counting:Counting', max_episode_steps=6)\n"
    )
    (tmp_path / "broken_world.py").write_text("import no_such_module_at_all\n")
    yield tmp_path
    for name in ("my_worlds", "broken_world"):
        sys.modules.pop(name, None)
    gymnasium.registry.pop("MyCounting-v0", None)


def test_a_callable_is_imported_by_path_from_the_working_directory(here):
    world = envs.make("my_worlds:make", 2, lengths=[2])
    world.reset(np.arange(2))
    assert [bool(world.step(np.zeros((2, 1))).terminated.all()) for _ in range(4)] == [False, True, False, True]
    assert world.spec.name == "my_worlds:make"
    assert envs.make("my_worlds:Group.inner").spec.num_envs == 1


def test_an_id_may_name_the_module_that_registers_it(here):
    assert envs.make("my_worlds:MyCounting-v0").spec.horizon == 6


def test_a_cost_function_is_imported_by_path(here):
    world = envs.make("my_worlds:make", 2, cost_fn="my_worlds:cost")
    world.reset(np.arange(2))
    assert world.step(np.full((2, 1), 0.5)).cost.tolist() == [[10.5], [10.5]]


def test_what_is_missing_is_said(here):
    with pytest.raises(ValueError, match=r"no module 'my_world' in .* nor among the installed"):
        envs.make("my_world:make")
    with pytest.raises(ValueError, match="my_worlds has no 'mak'; did you mean 'make'"):
        envs.make("my_worlds:mak")
    with pytest.raises(ModuleNotFoundError, match="no_such_module_at_all"):
        envs.make("broken_world:make")
    with pytest.raises(ValueError, match="cost_fn 'cost'; allowed: module:name"):
        envs.make("my_worlds:make", cost_fn="cost")


def test_a_callable_that_makes_something_else_is_refused(here):
    with pytest.raises(ValueError, match=r"'my_worlds:number' is a builtins.int; allowed: gymnasium.Env"):
        envs.make("my_worlds:number")


def test_an_object_serves_one_copy_only():
    assert envs.make(Counting()).spec.num_envs == 1
    with pytest.raises(ValueError, match="pass a callable that makes it, such as lambda: Counting"):
        envs.make(Counting(), 2)
    with pytest.raises(ValueError, match="takes no argument 'lengths'"):
        envs.make(Counting(), 1, lengths=(3,))


def test_a_callable_that_returns_one_object_over_and_over_is_refused():
    one = Counting()
    with pytest.raises(ValueError, match="the same object twice"):
        envs.make(lambda: one, 2)


def test_a_crash_while_making_names_the_environment():
    def make():
        raise OSError("no disk")

    with pytest.raises(RuntimeError, match=r"make' with arguments \{\} could not be made: OSError: no disk"):
        envs.make(make)


def test_num_envs_and_workers_are_checked():
    with pytest.raises(ValueError, match="num_envs = 0"):
        envs.make("toy/Corridor-v0", 0)
    with pytest.raises(ValueError, match="workers = 'thread'; allowed: process"):
        envs.make(Counting, 1, workers="thread")


def test_a_world_is_taken_as_it_is():
    world = envs.make("toy/Corridor-v0", 2)
    assert envs.make(world, 2) is world
    assert envs.make(lambda num_envs: envs.make("toy/Corridor-v0", num_envs), 3).spec.num_envs == 3
