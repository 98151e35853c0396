"""The command line: what answers at once, what it says of mistakes, what wins over what."""

import dataclasses
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bridle import cli
from bridle.algorithms import ALGORITHMS, config_class
from bridle.algorithms.presets import PRESETS
from bridle.api import asked
from bridle.cli import settings as words_of
from bridle.run.folder import create
from bridle.run.options import Options
from bridle.run.records import from_json

SMALL = [
    "--hidden",
    "16",
    "--batch",
    "32",
    "--every",
    "64",
    "--times",
    "2",
    "--warmup",
    "64",
    "--memory",
    "1000",
    "--samples",
    "4",
    "--num-envs",
    "4",
    "--eval-every",
    "200",
    "--eval-episodes",
    "3",
    "--log-every",
    "100",
    "--checkpoint-every",
    "500",
    "--cost-limit",
    "3",
]
ENV = '''
import gymnasium, numpy as np

class Line(gymnasium.Env):
    """Walk along a line; far out is worth more and costs."""
    observation_space = gymnasium.spaces.Box(-10.0, 10.0, (1,))
    action_space = gymnasium.spaces.Box(-2.0, 2.0, (1,))

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.x, self.t = self.np_random.uniform(-1, 1), 0
        return np.array([self.x], np.float32), {}

    def step(self, action):
        self.x, self.t = float(np.clip(self.x + action[0], -9, 9)), self.t + 1
        obs, cost = np.array([self.x], np.float32), float(self.x > 1)
        return obs, self.x, False, self.t >= 10, {"cost": cost} if self.tells else {}

    tells = True

class Mute(Line):
    tells = False

def cost(obs, action, next_obs):
    return (next_obs[:, 0] > 1).astype(float)
'''
NO_JAX = (
    "import sys; from bridle.cli import main; code = main(sys.argv[1:]); "
    "assert 'jax' not in sys.modules and 'numpy' not in sys.modules; sys.exit(code)"
)


def shell(*words):
    """A bridle process that may load neither JAX nor NumPy: exit code, stdout, stderr."""
    path = os.pathsep.join([str(Path(cli.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", NO_JAX, *words], capture_output=True, text=True, env=env, check=False)
    return done.returncode, done.stdout, done.stderr


def mistake(capsys, *words):
    """What stderr says of a command line, which must be refused without a traceback; boxes and line breaks left out."""
    assert cli.main(list(words)) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return " ".join(said.replace("│", " ").split())


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        *(([name, "--help"], 0) for name in ["train", *cli.COMMANDS]),
        (["list"], 0),
        (["trian"], 2),
        (["train", "cvop"], 2),
        (["train", "cvpo", "--env", "SafetyCarCircel-v0"], 2),
        (["train", "cvpo", "--preset", "fsrl-bulet"], 2),
        (["train", "cvpo", "--discuont", "0.9"], 2),
        (["resume", "nowhere"], 2),
        (["eval", "nowhere", "--episods", "3"], 2),
    ],
)
def test_help_and_errors_about_names_load_neither_jax_nor_numpy(words, code):
    found, out, err = shell(*words)
    assert found == code, err
    assert bool(out) == (code == 0)
    assert "Traceback" not in err


def test_help_says_what_there_is(capsys):
    assert cli.main(["--help"]) == 0
    overview = capsys.readouterr().out
    commands = {"train": cli.TRAIN, **cli.COMMANDS}
    assert all(f"  {name} " in overview for name in commands)
    for name, command in commands.items():
        assert cli.main([name, "--help"]) == 0
        said = capsys.readouterr().out
        assert all(example in said for example in command.examples)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_help_of_an_algorithm_lists_every_field_with_its_docstring_and_default(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")  # where groups of settings stand side by side, each has room for a line
    assert cli.main(["train", name, "--help"]) == 0
    said = capsys.readouterr().out
    for kind in (config_class(name), Options):
        source = "".join(inspect.getsource(one) for one in reversed(kind.__mro__[:-1]))
        for field in dataclasses.fields(kind):
            assert re.search(rf"--{field.name.replace('_', '-')}\b", said), field.name
            *_, doc = re.findall(rf'^    {field.name}: [^\n]+\n    """([^.(?"\n]+)', source, re.MULTILINE)
            assert doc[:40] in said, field.name
    assert f"examples\n  bridle train {name}" in said
    assert "(default: 1500000)" in said


def test_help_tells_the_defaults_of_a_preset(capsys):
    assert cli.main(["train", "cvpo", "--preset", "icml22-circle", "--help"]) == 0
    assert "1800000" in capsys.readouterr().out


@pytest.mark.parametrize("name", ALGORITHMS)
def test_names_of_flags_are_known_without_importing_the_algorithm(name):
    for path, kind in ((ALGORITHMS[name][0], config_class(name)), (words_of.OPTIONS, Options)):
        fields = words_of.field_names(path)
        assert fields == [field.name for field in dataclasses.fields(kind)]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_no_field_of_a_config_is_called_like_an_option(name):
    reserved = {*words_of.field_names(words_of.OPTIONS), "preset", "config", "help"}
    assert not reserved & set(words_of.field_names(ALGORITHMS[name][0]))


@pytest.mark.parametrize("name", PRESETS)
def test_presets_fit_their_algorithm_and_the_options(name):
    preset = PRESETS[name]
    from_json(config_class(preset.algorithm), preset.config)
    from_json(Options, preset.options)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("trian", "no command 'trian'; did you mean 'train'?"),
        ("train", "train which algorithm? There are cvpo"),
        ("train cvop", "no algorithm 'cvop'; did you mean 'cvpo'?"),
        (
            "train cvpo --env SafetyCarCircel-v0",
            "no environment 'SafetyCarCircel-v0'; did you mean 'SafetyCarCircle-v0'?",
        ),
        ("train cvpo --env CartPol-v1", "no environment 'CartPol-v1'; did you mean 'CartPole-v1'?"),
        ("train cvpo --env nomodule:make", "no module 'nomodule' in"),
        ("train cvpo --from nowhere", "nowhere is no run folder: nothing lies there"),
        ("train cvpo --max-grad-norm -1", "max_grad_norm = -1.0; allowed: a number > 0, or None"),
        ("train cvpo --memory 200", "memory = 200; allowed: an integer >= 256, what one draw needs"),
        ("train cvpo --preset fsrl-bulet", "no preset 'fsrl-bulet'; did you mean 'fsrl-bullet'?"),
        ("train sac --lagrange.rate 3", "settings of lagrange mean nothing under --constraint none"),
        ("train sac-lag --pid.kp 3", "settings of pid mean nothing under --constraint lagrange"),
        (
            "train sac-lag --constraint pid",
            "sac-lag is sac with --constraint lagrange, and constraint = 'pid' is asked for too",
        ),
        (
            "train sac-lag --preset fsrl-sac-lag",
            "one of sac-pid, not of sac-lag: bridle train sac-pid --preset fsrl-sac-lag",
        ),
        ("train cvpo --discuont 0.9", "no option --discuont; did you mean '--discount'?"),
        ("train cvpo --steps many", "Error parsing --steps: many; allowed: an integer, such as 300_000 or 3e5"),
        ("train cvpo --steps 1.5", "Error parsing --steps: 1.5; allowed: an integer, such as 300_000 or 3e5"),
        ("train cvpo --steps 0", "steps = 0; allowed: an integer > 0"),
        ("train cvpo --steps", "Missing value for argument '--steps'"),
        ("train cvpo --cost-limit -1", "cost_limit = (-1.0,); allowed: one or more numbers >= 0"),
        ("train cvpo --num-envs 0", "num_envs = 0; allowed: an integer > 0"),
        ("train cvpo --discount 1.2", "discount = 1.2; allowed: a number in (0, 1)"),
        ("train cvpo --head ful", "Expected one of ('squashed', 'diagonal', 'full')"),
        ("train cvpo --alpha-rates 1", "--alpha-rates"),
        ("train cvpo --env-args horizon", "environment argument 'horizon'; allowed: name=value"),
        ("train cvpo --env-args dialekt=cvpo", "did you mean 'dialect'?"),
        ("train cvpo --env-args horizon=abc", "horizon = 'abc'; at least 1 env step is needed"),
        ("train cvpo --horizon 7", "horizon = 7, but SafetyCarCircle-v0 has episodes of 300 steps"),
        ("train cvpo --env toy/Corridor-v0 --cost-limit 1 2", "allowed: one number, or 1, one for each constraint"),
        (
            "train cvpo --cost-limit-schedule linear",
            "cost_limit_schedule = 'linear'; allowed: linear or exponential with",
        ),
        ("train cvpo --env toy/Discrete-v0", "cvpo takes continuous actions"),
        ("train cvpo 7", "Unrecognized options: 7"),
        ("resume", "the following arguments are required: RUN"),
        ("resume nowhere", "nowhere is no run folder: nothing lies there"),
        ("eval . --episodes 0", "argument --episodes: 0; allowed: an integer > 0"),
        ("list algoritms", "did you mean 'algorithms'?"),
    ],
)
def test_mistakes_are_told_with_what_is_allowed(words, said, capsys):
    assert said in mistake(capsys, *words.split())


def test_mistakes_in_files_are_told(tmp_path, capsys):
    file = tmp_path / "settings.toml"
    file.write_text("discuont = 0.9")
    assert "no key 'discuont'; did you mean 'discount'?" in mistake(capsys, "train", "cvpo", "--config", str(file))
    file.write_text("discount = ")
    assert "is not valid TOML" in mistake(capsys, "train", "cvpo", "--config", str(file))
    file.write_text("algorithm = 'sac'")
    assert "is of algorithm 'sac', not of 'cvpo'" in mistake(capsys, "train", "cvpo", "--config", str(file))
    (tmp_path / "setting.toml").unlink(missing_ok=True)
    for text in ("config = 'other.toml'", "options = [1]"):
        file.write_text(text)
        assert "allowed: a table [" in mistake(capsys, "train", "cvpo", "--config", str(file))
    (tmp_path / "config.json").write_text("{}")
    assert "no run folder of ours" in mistake(capsys, "train", "cvpo", "--config", str(tmp_path))
    assert "no run folder of ours" in mistake(capsys, "resume", str(tmp_path))
    absent = str(tmp_path / "setting.toml")
    assert "did you mean 'settings.toml'?" in mistake(capsys, "train", "cvpo", "--config", absent)


def test_a_folder_that_holds_something_is_not_trained_into(tmp_path, capsys):
    (tmp_path / "precious.txt").write_text("mine")
    said = mistake(capsys, "train", "cvpo", "--env", "toy/Corridor-v0", "--run", str(tmp_path))
    assert "nothing saved is ever overwritten" in said


def test_flags_win_over_the_file_and_the_file_over_the_preset(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text("num-envs = 3\nsamples = 5\n[config]\nbatch = 7\n[options]\nseed = 9\n")
    found = words_of.asked_for(["cvpo", "--preset", "fsrl-bullet", "--config", str(file), "--batch", "11"])
    preset, options, config = PRESETS["fsrl-bullet"], found.options, found.config
    assert found.preset == "fsrl-bullet"
    assert (options.num_envs, options.seed, options.steps) == (3, 9, preset.options["steps"])
    assert (config.samples, config.batch, config.discount) == (5, 11, preset.config["discount"])
    assert config.target_rate == preset.config["target_rate"]


def test_a_presets_environment_arguments_stay_with_its_suite():

    assert asked.resolve("cvpo", "SafetyBallRun-v0", "icml22-circle", {}).options.env_args == ("dialect=cvpo",)
    assert asked.resolve("cvpo", "toy/Corridor-v0", "icml22-circle", {}).options.env_args == ()
    assert asked.resolve("cvpo", None, "icml22-circle", {}).options.env == "SafetyCarCircle-v0"


def test_values_of_every_kind_are_read(tmp_path):
    record = {"algorithm": "cvpo", "class": "bridle.algorithms.cvpo:Config", "config": {}, "options": {}, "spec": {}}
    other = create(tmp_path / "other", record)
    words = [
        "--steps",
        "1_000",
        "--env-args",
        "a=1",
        "b=2",
        "--hidden",
        "7",
        "1e1",
        "--eval-every",
        "2.5e3",
        "--alpha-caps",
        "1",
        "2_0",
        "--horizon",
        "5e0",
    ]
    found = words_of.asked_for(["cvpo", *words, "--max-grad-norm=0.5", "--from", str(other), "--cost-limit", "1", "2"])
    assert (found.options.steps, found.options.env_args, found.options.horizon) == (1000, ("a=1", "b=2"), 5)
    assert (found.options.cost_limit, found.options.from_run) == ((1.0, 2.0), str(other))
    assert (found.config.hidden, found.config.alpha_caps, found.config.max_grad_norm) == ((7, 10), (1.0, 20.0), 0.5)
    assert found.options.eval_every == 2_500 and type(found.options.eval_every) is int
    assert cli.parser_of("resume").read(["run", "--steps", "3e6"]).steps == 3_000_000


def test_train_resume_and_evaluate_an_env_of_ones_own_by_path(tmp_path, capsys, monkeypatch):
    (tmp_path / "line_envs.py").write_text(ENV)
    monkeypatch.chdir(tmp_path)
    words = ["--env", "line_envs:Line", "--steps", "200", "--run", "run", *SMALL]
    assert cli.main(["train", "cvpo", *words]) == 0
    said = capsys.readouterr().out
    assert "horizon   10 steps, measured" in said
    assert "cost limit 3 an episode =" in said
    assert Path("run", "metrics.csv").exists()
    assert json.loads(Path("run", "config.json").read_text())["spec"]["horizon"] == 10
    assert cli.main(["resume", "run", "--steps", "300"]) == 0
    assert "open episodes were dropped" in capsys.readouterr().out
    assert cli.main(["eval", "run", "--episodes", "3", "--video", "--best"]) == 0
    said = capsys.readouterr().out
    assert "feasible  " in said
    told = "no video: environment 'line_envs:Line' draws no picture: it needs a render() that returns one"
    assert told in said.partition("episodes  3")[0]  # before anything is played
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert "names code outside of the working directory" in mistake(capsys, "eval", str(tmp_path / "run"))


def test_an_env_without_cost_names_the_three_ways(tmp_path, capsys, monkeypatch):
    (tmp_path / "mute_envs.py").write_text(ENV)
    monkeypatch.chdir(tmp_path)
    words = ["train", "cvpo", "--env", "mute_envs:Mute", *SMALL, "--steps", "64", "--run", str(tmp_path / "run")]
    said = mistake(capsys, *words)
    assert all(way in said for way in ("tells no cost", "info['cost']", "six values", "--cost-fn"))
    assert not (tmp_path / "run").exists()
    assert cli.main([*words, "--cost-fn", "mute_envs:cost"]) == 0
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "own_envs.py").write_text(ENV)
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = ["eval", str(tmp_path / "run"), "--episodes", "2", "--env", "own_envs:Mute"]
    assert "mute_envs:cost: go to where it lies, or name the cost function again: --cost-fn" in mistake(capsys, *again)
    assert cli.main([*again, "--cost-fn", "own_envs:cost"]) == 0


def test_a_failure_inside_a_run_is_exit_1_and_its_traceback_lies_in_the_log(tmp_path, capsys, monkeypatch):
    (tmp_path / "bad_envs.py").write_text(
        ENV + "class Bad(Line):\n    def step(self, action):\n        obs, reward, *rest = super().step(action)\n"
        "        self.steps = getattr(self, 'steps', 0) + 1\n"
        "        return obs, float('nan') if self.steps > 60 else reward, *rest\n"
    )
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    words = ["train", "cvpo", "--env", "bad_envs:Bad", *SMALL, "--steps", "900", "--horizon", "10", "--run", str(run)]
    assert cli.main(words) == 1
    said = capsys.readouterr().err
    assert "environment 'bad_envs:Bad', copy" in said
    assert "reward[0] is nan" in said
    assert "Traceback" not in said
    assert "Traceback" in (run / "log.txt").read_text()


def test_eval_leaves_a_video(tmp_path, capsys):
    run = tmp_path / "run"
    words = ["--env", "toy/Corridor-v0", *SMALL, "--steps", "64", "--run", str(run)]
    assert cli.main(["train", "cvpo", *words]) == 0
    assert cli.main(["eval", str(run), "--episodes", "2", "--video"]) == 0
    assert "video     " in capsys.readouterr().out
    (film,) = (run / "videos").iterdir()
    assert film.stat().st_size > 0
