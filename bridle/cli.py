"""The command line: names are looked up here, and JAX is imported last."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import bridle
from bridle import envs, flags
from bridle.algorithms import ALGORITHMS
from bridle.algorithms import preset as preset_of
from bridle.flags import Flag
from bridle.settings import TRAIN_FLAGS, config_flags, option_flags, options_of, train_settings

GRACE = 9.0
"""Seconds in which a run that is told to stop saves itself, whatever an environment or an update is doing."""
WORDS = {
    "env": "--env SafetyBallCircle-v0",
    "run": "runs/SafetyCarCircle-v0/cvpo/seed-0-20260101-120000",
}
EVAL_FLAGS = [
    Flag("episodes", int, 20, "Episodes, on environments and seeds of their own."),
    Flag("video", bool, False, "Leave a video of the first episode in the run's videos/."),
    Flag("sample", bool | None, None, "Draw actions, instead of what the algorithm says of itself."),
    Flag("best", bool, False, "The best policy of all evaluations, instead of the last one."),
    Flag("last", bool, False, "The last policy (this is the default)."),
    Flag("seed", int | None, None, "Of the episodes; follows from the run's if it is not given."),
    Flag("env", str | None, None, "Where the run was trained on an object of Python: `module:callable` that makes it."),
]
RESUME_FLAGS = [
    Flag("steps", int | None, None, "New total of env steps, summed over all copies; by default the run's own."),
    Flag("env", str | None, None, "Where the run was trained on an object of Python: `module:callable` that makes it."),
]
PLOT_FLAGS = [Flag("out", str | None, None, "Folder of the pictures; by default the one that holds them all.")]


class Command(NamedTuple):
    """One verb."""

    usage: str
    about: str
    examples: tuple[str, ...]
    flags: list[Flag]
    run: Callable[[list[str]], int]


def main(words: list[str] | None = None) -> int:
    """Do what the command line says; the exit code: 0, 1 for a failure, 2 for a wrong name or value, 128 + a signal."""
    words = sys.argv[1:] if words is None else list(words)
    try:
        if not words or words[0] in ("-h", "--help", "help"):
            print(overview())
            return 0
        if words[0] in ("--version", "-V"):
            print(f"bridle {bridle.__version__}")
            return 0
        return _dispatch(words[0], words[1:])
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _dispatch(name: str, words: list[str]) -> int:
    command = COMMANDS.get(name)
    if command is None:
        return wrong(f"no command {name!r}{flags.nearest(name, COMMANDS) or '; there are ' + ', '.join(COMMANDS)}")
    wants_help = any(word in ("-h", "--help") for word in words)
    try:
        if wants_help and name == "train":
            print(train_help(words))
            return 0
        if wants_help:
            print(help_of(name))
            return 0
        return command.run(words)
    except BrokenPipeError:
        raise  # the reader of our output has left, as `head` does
    except (ValueError, FileNotFoundError, FileExistsError, NotADirectoryError) as error:
        return wrong(error)
    except (RuntimeError, OSError, ImportError) as error:
        return failed(error)


def wrong(error: Any) -> int:
    """A wrong name or value."""
    print(f"bridle: {error}", file=sys.stderr)
    return 2


def failed(error: BaseException) -> int:
    """Something went wrong in a run."""
    print(f"bridle: {error}", file=sys.stderr)
    return 1


# train ----------------------------------------------------------------------------------------------------------------


def train(words: list[str]) -> int:
    """bridle train ALGO ..."""
    name, told = train_settings(words)
    options = options_of(name, told)
    _compute_on(options.device)
    from bridle import api

    return _go(api.prepare(name, **told))


def _compute_on(device: str) -> None:
    """This process is ours: before JAX is loaded, tell it to look for no other device than the CPU."""
    if device == "cpu":
        os.environ.setdefault("JAX_PLATFORMS", "cpu")


def _go(training) -> int:
    try:
        return training.go(GRACE).exit_code
    except FileExistsError as error:
        return wrong(error)
    except Exception as error:  # noqa: BLE001 (whatever an environment raises: the traceback lies in log.txt)
        text = (
            str(error) if isinstance(error, ValueError | RuntimeError | OSError) else f"{type(error).__name__}: {error}"
        )
        print(f"bridle: {text}", file=sys.stderr)
        if (training.path / "log.txt").exists():
            print(f"bridle: the traceback lies in {training.path / 'log.txt'}", file=sys.stderr)
        return 1


def train_help(words: list[str]) -> str:
    """`bridle train --help`, and with an algorithm all that it has to set."""
    rest = [word for word in words if word not in ("-h", "--help")]
    options = option_flags()
    command = COMMANDS["train"]
    lines = [command.usage, "", command.about, ""]
    if not rest or rest[0].startswith("-"):
        lines += ["algorithms", *_table({k: v[1] for k, v in ALGORITHMS.items()}), ""]
        lines += ["options of every run", flags.describe([*TRAIN_FLAGS, *options]), ""]
        lines += ["bridle train ALGO --help lists what an algorithm has to set besides.", ""]
    else:
        name, told = train_settings([x for x in rest[:1] + _of(rest, "--preset") + _of(rest, "--config")])
        preset = preset_of(told["preset"], name) if told["preset"] else None
        values = {**(preset.options | preset.config if preset else {}), **told}
        lines[0] = f"usage: bridle train {name} [--env ENV] [--cost-limit X ...] [--steps N] ..."
        lines[2] = ALGORITHMS[name][1] + "."
        lines += ["options of every run", flags.describe([*TRAIN_FLAGS, *options], values), ""]
        lines += [f"options of {name}", flags.describe(config_flags(name), values), ""]
    return "\n".join([*lines, *_examples(command)])


def _of(words: list[str], flag: str) -> list[str]:
    """A flag and its value, out of all words."""
    for i, word in enumerate(words):
        if word == flag:
            return words[i : i + 2]
        if word.startswith(flag + "="):
            return [word]
    return []


# The other commands ---------------------------------------------------------------------------------------------------


def resume(words: list[str]) -> int:
    """bridle resume RUN"""
    run, words = _run_of("resume", words)
    told = flags.parse(RESUME_FLAGS, words)
    _compute_on(_device_of(run))
    from bridle import api

    return _go(api.prepare_resume(run, **told))


def evaluate(words: list[str]) -> int:
    """bridle eval RUN"""
    run, words = _run_of("eval", words)
    told = flags.parse(EVAL_FLAGS, words)
    if told.pop("last", False) and told.get("best"):
        raise ValueError("--best and --last are given; allowed: one of them")
    if told.get("episodes", 1) < 1:
        raise ValueError(f"--episodes {told['episodes']}; allowed: an integer > 0")
    _device_of(run)
    _compute_on("cpu")
    from bridle import api

    api.evaluate(run, **told)
    return 0


def plot(words: list[str]) -> int:
    """bridle plot RUN ..."""
    runs = []
    while words and not words[0].startswith("-"):
        runs.append(Path(words.pop(0)))
    told = flags.parse(PLOT_FLAGS, words)
    if not runs:
        raise ValueError("plot which runs? bridle plot RUN ...")
    study = importlib.import_module("bridle.study.plot")
    for path in study.plot(runs, Path(told["out"]) if told.get("out") else None):
        print(path)
    return 0


def listing(words: list[str]) -> int:
    """bridle list algorithms|envs|presets"""
    from bridle.algorithms.presets import PRESETS

    tables = {
        "algorithms": {name: line for name, (_, line) in ALGORITHMS.items()},
        "envs": envs.tasks(),
        "presets": {name: f"{x.algorithm}: {x.about}.{_differs(x.differs)}" for name, x in PRESETS.items()},
    }
    what = words or list(tables)
    for name in what:
        if name not in tables:
            raise ValueError(f"list what? {name!r} is none of {', '.join(tables)}{flags.nearest(name, tables)}")
    for name in what:
        heading = [] if len(what) == 1 else [name]
        print("\n".join([*heading, *_table(tables[name])]), end="\n\n" if len(what) > 1 else "\n")
    return 0


def _differs(text: str) -> str:
    return f" Not as published: {text}." if text else ""


def doctor(words: list[str]) -> int:
    """bridle doctor"""
    flags.parse([], words)
    return importlib.import_module("bridle.study.doctor").main()


def _run_of(name: str, words: list[str]) -> tuple[Path, list[str]]:
    if not words or words[0].startswith("-"):
        raise ValueError(f"{name} which run? bridle {name} RUN, such as bridle {name} {WORDS['run']}")
    return Path(words[0]), words[1:]


def _device_of(run: Path) -> str:
    """The device of a run; says so if it is none."""
    from bridle.run.folder import open_run

    return open_run(run).config["options"]["device"]


# Help -----------------------------------------------------------------------------------------------------------------

COMMANDS: dict[str, Command] = {
    "train": Command(
        "usage: bridle train ALGO [--env ENV] [--cost-limit X ...] [--steps N] ...",
        "Train an algorithm under a cost limit, and leave a run folder with everything in it.",
        (
            "bridle train cvpo --env SafetyCarCircle-v0 --cost-limit 10",
            "bridle train cvpo --env my_envs:make_robot --cost-limit 5 --steps 300_000 --seed 1",
            "bridle train cvpo --env MyEnv-v0 --cost-fn my_envs:cost --num-envs 8 --run runs/mine",
            "bridle train cvpo --preset fsrl-bullet --env SafetyBallRun-v0",
            "bridle train cvpo --config settings.toml --discount 0.99",
        ),
        TRAIN_FLAGS,
        train,
    ),
    "resume": Command(
        "usage: bridle resume RUN [--steps TOTAL]",
        "Go on with a run from its newest checkpoint, as if it had never stopped.",
        (f"bridle resume {WORDS['run']}", f"bridle resume {WORDS['run']} --steps 3_000_000"),
        RESUME_FLAGS,
        resume,
    ),
    "eval": Command(
        "usage: bridle eval RUN [--episodes N] [--video] [--sample] [--best]",
        "Play episodes with a run's policy: return, and cost against the limit.",
        (f"bridle eval {WORDS['run']}", f"bridle eval {WORDS['run']} --episodes 100 --best --video"),
        EVAL_FLAGS,
        evaluate,
    ),
    "plot": Command(
        "usage: bridle plot RUN ... [--out DIR]",
        "Curves of return and cost against the limit, runs that differ in their seed as one band.",
        ("bridle plot runs/SafetyCarCircle-v0/cvpo/*", f"bridle plot {WORDS['run']} --out pictures"),
        PLOT_FLAGS,
        plot,
    ),
    "list": Command(
        "usage: bridle list [algorithms|envs|presets]",
        "What there is, a line for each.",
        ("bridle list envs", "bridle list presets"),
        [],
        listing,
    ),
    "doctor": Command(
        "usage: bridle doctor",
        "Versions, devices, which environments and renderers work here, and what to install.",
        ("bridle doctor",),
        [],
        doctor,
    ),
}


def overview() -> str:
    """`bridle --help`."""
    lines = [
        "usage: bridle COMMAND ...",
        "",
        "Constrained reinforcement learning on JAX: as much reward as possible",
        "",
    ]
    lines[2] += " while the cost of an episode stays under a limit."
    lines += ["commands", *_table({name: command.about for name, command in COMMANDS.items()}), ""]
    lines += ["examples", *(f"  {COMMANDS[name].examples[0]}" for name in ("train", "eval", "plot")), ""]
    return "\n".join(
        [*lines, "bridle COMMAND --help says more; exit codes: 0 done, 1 a run failed, 2 a wrong name or value."]
    )


def help_of(name: str) -> str:
    """`bridle COMMAND --help`."""
    command = COMMANDS[name]
    options = ["options", flags.describe(command.flags), ""] if command.flags else []
    return "\n".join([command.usage, "", command.about, "", *options, *_examples(command)])


def _examples(command: Command) -> list[str]:
    return ["examples", *(f"  {line}" for line in command.examples)]


def _table(rows: dict[str, str]) -> list[str]:
    import textwrap

    column = max(map(len, rows), default=0) + 4
    lines = []
    for name, text in rows.items():
        first, *others = textwrap.wrap(text, flags.WIDTH - column) or [""]
        lines.append(f"  {name:{column - 2}}{first}")
        lines += [" " * column + line for line in others]
    return lines
