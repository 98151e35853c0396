"""The same in Python: train, resume, evaluate, load; configs and environments of one's own."""

import dataclasses
import json

import gymnasium
import jax
import numpy as np
import pytest

import bridle
from bridle.algorithms import _template as template
from bridle.algorithms import cvpo
from bridle.api import asked, session
from bridle.core.types import CostLimit
from bridle.envs import make
from bridle.run import checkpoint, evaluate, log
from bridle.run.evaluate import Evaluator

SMALL = {"hidden": (16,), "batch": 32, "every": 64, "times": 2, "warmup": 64, "memory": 1_000, "samples": 4}
QUICK = {
    "num_envs": 4,
    "eval_every": 200,
    "eval_episodes": 3,
    "log_every": 100,
    "checkpoint_every": 500,
    "cost_limit": 3,
}
TOY = "toy/Corridor-v0"


@dataclasses.dataclass(frozen=True)
class Mine(cvpo.Config):
    """An algorithm from outside the package."""


class Line(gymnasium.Env):
    """Walk along a line; far out is worth more and costs."""

    observation_space = gymnasium.spaces.Box(-10.0, 10.0, (1,))
    action_space = gymnasium.spaces.Box(-2.0, 6.0, (1,))

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.x, self.t = self.np_random.uniform(-1, 1), 0
        return np.array([self.x], np.float32), {}

    def step(self, action):
        self.x, self.t = float(np.clip(self.x + action[0], -9, 9)), self.t + 1
        return np.array([self.x], np.float32), self.x, False, self.t >= 10, {"cost": float(self.x > 1)}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on the toy, whose closing evaluation lies on the grid."""
    path = tmp_path_factory.mktemp("runs") / "toy"
    return bridle.train("cvpo", TOY, steps=640, run=str(path), **SMALL, **QUICK).run


def test_a_run_folder_holds_what_was_asked_and_what_came(run):
    config = json.loads((run / "config.json").read_text())
    assert config["class"] == "bridle.algorithms.cvpo:Config"
    assert config["options"]["cost_limit"] == [3.0]
    assert config["config"]["hidden"] == [16]
    rows = log.read(run / "metrics.csv")
    assert list(rows["step"]) == sorted(set(rows["step"]))
    for name in ("episode/return", "episode/cost", "eval/return", "eval/cost", "policy/eta", "time/steps_per_s"):
        assert np.isfinite(rows[name]).any(), name
    assert np.isfinite(rows["eval/return"][-1])
    assert list((run / "events").iterdir())
    said = (run / "log.txt").read_text()
    assert "cost limit 3 an episode" in said
    assert "hidden=(16,)" in said
    assert checkpoint.steps(run) == [0, 512, 640]
    assert (run / "best" / "manifest.json").exists()


def test_a_result_is_the_last_evaluation(tmp_path):
    found = bridle.train("cvpo", TOY, steps=200, run=str(tmp_path / "run"), **SMALL, **QUICK)
    rows = log.read(found.run / "metrics.csv")
    assert (found.returns, found.cost[0]) == (rows["eval/return"][-1], rows["eval/cost"][-1])
    assert found.feasible == (found.cost[0] <= 3)
    assert found.step == 200


def test_evaluate_plays_on_seeds_of_its_own(run, capsys):
    first, again = bridle.evaluate(run, episodes=7), bridle.evaluate(run, episodes=7)
    assert first.returns.shape == (7,)
    assert first.cost.shape == (7, 1)
    np.testing.assert_array_equal(first.returns, again.returns)
    assert not np.array_equal(first.returns, bridle.evaluate(run, episodes=7, seed=5).returns)
    assert not np.array_equal(first.returns, bridle.evaluate(run, episodes=7, sample=True).returns)
    said = capsys.readouterr().out
    assert "toy/Corridor-v0" in said
    assert "mean action" in said
    assert "sampled actions" in said


@pytest.mark.parametrize("best", [True, False])
def test_a_loaded_policy_predicts_one_and_many(run, best):
    policy = bridle.load(run, best=best)
    assert policy.spec.name == TOY
    assert policy.config == cvpo.Config(**SMALL)
    many = np.eye(5, dtype=np.float32)
    actions = policy.predict(many)
    assert actions.shape == (5, 1)
    assert np.all(np.abs(actions) <= 1)
    np.testing.assert_allclose(policy.predict(many[2]), actions[2], rtol=1e-5)
    assert not np.array_equal(policy.predict(many, sample=True), policy.predict(many, sample=True))
    with pytest.raises(ValueError, match=r"obs has shape \(4,\); allowed: \(5,\)"):
        policy.predict(np.zeros((2, 4)))


def test_an_environment_of_ones_own_trains_without_registration(tmp_path, capsys):
    quick = {k: v for k, v in QUICK.items() if k != "num_envs"}
    made = bridle.train("cvpo", Line, steps=128, num_envs=2, run=str(tmp_path / "made"), **SMALL, **quick)
    given = bridle.train("cvpo", Line(), steps=128, run=str(tmp_path / "given"), **SMALL, **quick)
    for run in (made.run, given.run):
        assert "horizon   10 steps, measured" in (run / "log.txt").read_text()
        with pytest.raises(ValueError, match="pass it, or a callable that makes it"):
            bridle.resume(run, 160)
    assert bridle.resume(made.run, 160, env=Line).step == 160
    assert "open episodes were dropped" in capsys.readouterr().out
    action = bridle.load(given.run).predict(np.zeros(1))
    low, high = Line.action_space.low, Line.action_space.high
    assert np.all((low <= action) & (action <= high))
    assert action > 1.5  # a fresh policy's mean is about 0 in [-1, 1], which is 2 here
    assert bridle.evaluate(made.run, 2, env=Line).returns.shape == (2,)
    said = []
    assert bridle.evaluate(made.run, 2, env=Blind, video=True, say=said.append).returns.shape == (2,)
    assert said[0].startswith("no video: RuntimeError: no screen; `bridle doctor` says which renderers work here")
    assert len(said) == 2 and not list((made.run / "videos").iterdir())


class Blind(Line):
    """Cannot draw, and is broken once it has tried, as a worker process is."""

    def render(self):
        self.step = None
        raise RuntimeError("no screen")


class Endless(Line):
    """Walks for ever."""

    def step(self, action):
        obs, reward, terminated, _, info = super().step(action)
        return obs, reward, terminated, False, info


@pytest.mark.parametrize("env", [Endless, Endless()])
def test_an_environment_without_an_end_is_truncated_at_the_horizon_that_is_said(tmp_path, env):
    quick = {k: v for k, v in QUICK.items() if k != "num_envs"}
    copies = {} if isinstance(env, Endless) else {"num_envs": 2}
    with pytest.raises(ValueError, match="pass --horizon T"):
        bridle.train("cvpo", env, steps=128, run=str(tmp_path / "no"), **SMALL, **quick, **copies)
    found = bridle.train("cvpo", env, steps=128, horizon=15, run=str(tmp_path / "run"), **SMALL, **quick, **copies)
    rows = log.read(found.run / "metrics.csv")
    assert rows["eval/length"][-1] == rows["episode/length"][-1] == 15
    assert bridle.evaluate(found.run, 2, env=Endless).length.tolist() == [15, 15]
    assert bridle.resume(found.run, 160, env=env).step == 160


def four():
    return gymnasium.vector.SyncVectorEnv([Line] * 4)


def test_an_environment_of_four_copies_is_evaluated_on_four_however_many_episodes_there_are(tmp_path):
    with pytest.raises(ValueError, match="has 4 copies and num_envs = 16: pass num_envs=4"):
        bridle.train("cvpo", four, run=str(tmp_path / "no"))
    found = bridle.train("cvpo", four, steps=64, run=str(tmp_path / "run"), **SMALL, **{**QUICK, "eval_episodes": 10})
    assert found.returns is not None
    assert bridle.evaluate(found.run, 3, env=four).returns.shape == (3,)


class Mute(Line):
    """Walks and tells no cost."""

    def step(self, action):
        return *super().step(action)[:4], {}


def test_a_cost_function_may_be_passed_as_such_and_is_asked_for_again(tmp_path):
    def far(obs, action, next_obs):
        assert obs.shape == next_obs.shape == (len(action), 1) and np.abs(action).max() <= 6
        return (next_obs[:, 0] > 1) * 0.5

    run = tmp_path / "run"
    bridle.train("cvpo", Mute, steps=64, cost_fn=far, run=str(run), **SMALL, **QUICK)
    assert {0.0, 0.5} >= set(np.unique(log.read(run / "metrics.csv")["eval/cost"] % 1))
    config = json.loads((run / "config.json").read_text())
    assert config["spec"]["constraints"] == ["cost"] and config["options"]["cost_fn"] is None
    for again in (bridle.resume, bridle.evaluate):
        with pytest.raises(ValueError, match=r"a cost function of Python, .*far: pass it again as cost_fn=\.\.\."):
            again(run, 128, env=Mute)
    assert bridle.evaluate(run, 2, env=Mute, cost_fn=far, say=lambda line: None).cost.shape == (2, 1)
    assert bridle.resume(run, 128, env=Mute, cost_fn=far).step == 128
    with pytest.raises(ValueError, match="cost_fn = 3; allowed: text or None"):
        bridle.train("cvpo", Mute, cost_fn=3)


def test_the_folder_of_an_object_is_called_by_its_class(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for env in (Line(), lambda: Line()):
        ready = session.prepare(asked.resolve("cvpo", env, None, {**SMALL, "seed": 3}))
        assert str(ready.path).startswith(f"runs/{__name__}-Line/cvpo/seed-3-")
        assert ready.record["env_object"] == ready.record["options"]["env"] == f"{__name__}:Line"


def test_an_evaluation_of_an_environment_without_an_end_does_not_last_for_ever(run, monkeypatch):
    monkeypatch.setattr(evaluate, "LONGEST", 100)
    world = make(Endless, 2)
    algorithm = template.Config(hidden=(4,)).build(world.spec, CostLimit((1.0,)))
    with pytest.raises(ValueError, match="has lasted 100 steps without an end; give it one: --horizon T"):
        Evaluator(world, algorithm, 0).play(algorithm.actor(algorithm.init(jax.random.key(0))), 2)


def test_networks_of_an_algorithm_copied_from_the_template_are_found_too(tmp_path):
    config = template.Config(hidden=(8,), batch=16, every=32, times=1, warmup=32, memory=500)
    first = bridle.train(config, TOY, steps=128, run=str(tmp_path / "one"), **QUICK).run
    second = bridle.train(config, TOY, steps=8, seed=5, from_run=str(first), run=str(tmp_path / "two"), **QUICK).run
    before, after = checkpoint.load_arrays(first)[0], checkpoint.load_arrays(second)[0]
    networks = [name for name in before if "critic" in name.split("/")[1] and "opt" not in name]
    assert any("target" in name for name in networks) and len(networks) > 8
    for name in networks:
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)


def test_a_run_that_another_process_trained_meanwhile_is_not_gone_on_with(tmp_path):
    path = bridle.train("cvpo", TOY, steps=64, run=str(tmp_path / "run"), **SMALL, **QUICK).run
    late = session.prepare_resume(path, 256)
    bridle.resume(path, 128)
    with pytest.raises(BlockingIOError, match="trained by another process meanwhile"):
        late.go()


def test_a_config_of_ones_own_trains_without_registration(tmp_path):
    run = bridle.train(Mine(**SMALL), TOY, steps=128, run=str(tmp_path / "run"), **QUICK).run
    with pytest.raises(ValueError, match="code of yours: pass an instance"):
        bridle.load(run)
    assert bridle.load(run, config=Mine()).config == Mine(**SMALL)
    with pytest.raises(ValueError, match="config is a bridle.algorithms.cvpo:Config, but"):
        bridle.load(run, config=cvpo.Config())
    assert bridle.resume(run, 192, config=Mine()).step == 192


def test_fine_tuning_starts_from_another_runs_networks(run, tmp_path):
    before = checkpoint.load_arrays(run)[0]
    path = tmp_path / "tuned"
    bridle.train("cvpo", TOY, steps=8, from_run=str(run), seed=3, run=str(path), **{**SMALL, **QUICK, "num_envs": 2})
    after = checkpoint.load_arrays(path)[0]
    networks = ("state/actor/", "state/old_actor/", "state/critic/", "state/cost_critic/", "state/target_")
    taken = [name for name in before if name.startswith(networks)]
    assert len(taken) > 20
    for name in taken:
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)
    assert after["state/updates"] == 0
    with pytest.raises(ValueError, match="the networks of .* do not fit: actor"):
        bridle.train(
            "cvpo", TOY, steps=8, from_run=str(run), run=str(tmp_path / "no"), **SMALL | {"hidden": (8,)}, **QUICK
        )


def test_fine_tuning_takes_what_observations_were_normalised_by(tmp_path):
    small = {"hidden": (8,), "batch": 16, "every": 32, "times": 1, "warmup": 32, "memory": 1_000}
    first = bridle.train("sac", TOY, steps=128, run=str(tmp_path / "one"), normalise_obs=True, **small, **QUICK).run
    bridle.train(
        "sac", TOY, steps=8, from_run=str(first), run=str(tmp_path / "two"), normalise_obs=True, **small, **QUICK
    )
    before, after = (checkpoint.load_arrays(tmp_path / name)[0] for name in ("one", "two"))
    assert after["state/moments/count"] > 0
    np.testing.assert_array_equal(after["state/moments/mean"], before["state/moments/mean"])
    with pytest.raises(ValueError, match="have learned on normalised observations: they need --normalise-obs here too"):
        bridle.train("sac", TOY, steps=8, from_run=str(first), run=str(tmp_path / "three"), **small, **QUICK)


def test_a_preset_and_a_name_that_say_different_multipliers_are_refused(tmp_path):
    with pytest.raises(ValueError, match="one of sac-pid, not of sac-lag: bridle train sac-pid --preset fsrl-sac-lag"):
        bridle.train("sac-lag", TOY, steps=8, preset="fsrl-sac-lag", run=str(tmp_path / "run"))


def test_mistakes_are_told_before_anything_is_written(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for settings, said in [
        ({"config": "cvop"}, "no algorithm 'cvop'"),
        ({"cost_limt": 3}, "no setting 'cost_limt'; did you mean 'cost_limit'"),
        ({"stpes": 3}, "no setting 'stpes'; did you mean 'steps'"),
        ({"config": 3}, "config = 3; allowed: an algorithm's name, or a dataclass"),
        ({"discuont": 1}, "no setting 'discuont'; did you mean 'discount'"),
        ({"config": cvpo.Config(), "discount": 0.9}, "no option 'discount'"),
        ({"cost_limit": -1}, "cost_limit ="),
        ({"env": "toy/TwoCosts-v0", "cost_limit": (1, 2, 3)}, "allowed: one number, or 2"),
        ({"run": str(run)}, "nothing saved is ever overwritten"),
    ]:
        with pytest.raises((ValueError, FileExistsError), match=said):
            bridle.train(**{"config": "cvpo", "env": TOY, **settings})
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="has obs .*, but the run was trained on"):
        bridle.evaluate(run, env="SafetyBallRun-v0")


def test_a_run_that_someone_sent_names_no_code_that_is_then_run(run, tmp_path):
    sent = tmp_path / "sent"
    sent.mkdir()
    config = json.loads((run / "config.json").read_text())
    config["options"] |= {"env": "os:system", "env_args": ["command=true"]}
    (sent / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="names code outside of the working directory, os:system"):
        bridle.evaluate(sent)
    config["options"] |= {"env": TOY, "env_args": []}
    (sent / "config.json").write_text(json.dumps(config | {"class": "os:system"}))
    with pytest.raises(ValueError, match="code of yours"):
        bridle.load(sent)


def test_two_costs_have_a_limit_and_a_column_each(tmp_path):
    found = bridle.train(
        "cvpo", "toy/TwoCosts-v0", steps=128, run=str(tmp_path / "run"), **SMALL, **QUICK | {"cost_limit": (3, 4)}
    )
    assert len(found.cost) == 2
    rows = log.read(found.run / "metrics.csv")
    assert {"eval/cost", "eval/cost_1", "episode/cost_1", "policy/multiplier_1"} <= set(rows)


def test_a_navigation_task_names_the_preset_that_was_tuned_for_it(tmp_path, capsys):
    settings = {"env": "SafetyPointGoal1-v0", "cost_limit": 25.0, "steps": 32, "eval_episodes": 1, "num_envs": 2}
    settings |= {"eval_every": 10**6, "env_args": ("horizon=20",)}
    bridle.train("sac-lag", run=str(tmp_path / "plain"), **settings)
    assert "--preset safety-gym-sac-lag was tuned for tasks like this one" in capsys.readouterr().out
    bridle.train("ddpg-lag", run=str(tmp_path / "other"), **settings)
    bridle.train("sac-lag", preset="safety-gym-sac-lag", run=str(tmp_path / "tuned"), **settings)
    assert "was tuned for" not in capsys.readouterr().out
