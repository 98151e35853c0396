"""The command line: names are looked up here, and JAX is imported last."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import bridle
from bridle import envs
from bridle.algorithms import lines as algorithm_lines
from bridle.cli import reading, sweep
from bridle.cli.running import GRACE, compute_on, device_of, failed, go, leave, wrong
from bridle.cli.settings import asked_for
from bridle.core.config import integer
from bridle.core.names import nearest

WIDTH = 100
"""Columns of a table."""
RUN = "runs/SafetyCarCircle-v0/cvpo/seed-0-20260101-120000"


class Command(NamedTuple):
    """One verb."""

    usage: str
    about: str
    examples: tuple[str, ...]
    flags: Callable[[argparse.ArgumentParser], Any]
    """Gives a parser its flags."""
    run: Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """Raises its errors, with the nearest name."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} ({self.prog} --help says what is allowed)")

    def read(self, words: list[str]) -> argparse.Namespace:
        """All words, or an error about the first that is not known."""
        found, others = self.parse_known_args(words)
        if others:
            flags = [flag for flag in self._option_string_actions if flag.startswith("--")]
            near = nearest(others[0].partition("=")[0], flags) if others[0].startswith("-") else ""
            raise ValueError(f"no option {others[0]}{near}")
        return found


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
    try:
        if name == "train":
            return train(words)
        if name not in COMMANDS:
            raise ValueError(f"no command {name!r}{nearest(name, ['train', *COMMANDS])}")
        return COMMANDS[name].run(parser_of(name).read(words))
    except BrokenPipeError:
        raise  # the reader of our output has left, as `head` does
    except SystemExit as stop:  # argparse and tyro have said what there is to say
        return int(stop.code or 0)
    except (ValueError, FileNotFoundError, FileExistsError, NotADirectoryError) as error:
        return wrong(error)
    except (RuntimeError, OSError, ImportError) as error:
        return failed(error)


def train(words: list[str]) -> int:
    """bridle train ALGO ..."""
    if words[:1] in (["-h"], ["--help"]):
        print(train_help())
        return 0
    what = asked_for(words)
    compute_on(what.options.device)
    from bridle import api

    if what.seeds:
        return leave(max(result.exit_code for result in api.several.train(what, GRACE)))
    return go(api.prepare(what))


def resume(told: argparse.Namespace) -> int:
    """bridle resume RUN"""
    device = device_of(told.run)
    from bridle import api

    compute_on(device)
    return go(api.prepare_resume(told.run, told.steps, told.env, cost_fn=told.cost_fn))


# Commands that read a run ---------------------------------------------------------------------------------------------


def evaluate(told: argparse.Namespace) -> int:
    """bridle eval RUN"""
    device_of(told.run)
    from bridle import api

    compute_on("cpu")
    chosen = {
        name: getattr(told, name)
        for name in ("episodes", "sample", "seed", "video", "best", "env", "cost_fn", "env_args")
    }
    api.evaluate(told.run, **chosen)
    return 0


def listing(told: argparse.Namespace) -> int:
    """bridle list algorithms|envs|presets"""
    from bridle.algorithms.presets import PRESETS

    differs = {name: f" Not as published: {x.differs}." if x.differs else "" for name, x in PRESETS.items()}
    tables = {
        "algorithms": algorithm_lines(),
        "envs": envs.tasks(),
        "presets": {name: f"{x.algorithm}: {x.about}.{differs[name]}" for name, x in PRESETS.items()},
    }
    what = told.what or list(tables)
    for name in what:
        if name not in tables:
            raise ValueError(f"list what? {name!r} is none of {', '.join(tables)}{nearest(name, tables)}")
    print("\n\n".join("\n".join([*([name] if len(what) > 1 else []), *_table(tables[name])]) for name in what))
    return 0


def doctor(_: argparse.Namespace) -> int:
    """bridle doctor"""
    return importlib.import_module("bridle.study.doctor").main()


# Help -----------------------------------------------------------------------------------------------------------------

TRAIN = Command(
    "bridle train ALGO [--env ENV] [--cost-limit X ...] [--steps N] [--seeds S ...] ...",
    "Train an algorithm under a cost limit, and leave a run folder with everything in it.",
    (
        "bridle train cvpo --env SafetyCarCircle-v0 --cost-limit 10",
        "bridle train cvpo --env my_envs:make_robot --cost-limit 5 --steps 300_000 --seed 1",
        "bridle train cvpo --env SafetyCarCircle-v0 --seeds 0 1 2 --run runs/three",
        "bridle train cvpo --env MyEnv-v0 --cost-fn my_envs:cost --num-envs 8 --run runs/mine",
        "bridle train cvpo --preset fsrl-bullet --env SafetyBallRun-v0",
        "bridle train cvpo --config settings.toml --discount 0.99",
    ),
    lambda _: None,
    lambda _: 0,
)


def _run_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", type=Path, help="the folder of a run")


def _env_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--env",
        metavar="PATH",
        help="where the run was trained on an object of Python: `module:callable` that makes it",
    )
    parser.add_argument(
        "--cost-fn", metavar="PATH", help="where it was trained with a cost function of Python: its `module:function`"
    )


def _resume_flags(parser: argparse.ArgumentParser) -> None:
    _run_flag(parser)
    parser.add_argument(
        "--steps", metavar="TOTAL", type=reading.count, help="new total of env steps; by default the run's own"
    )
    _env_flag(parser)


def _eval_flags(parser: argparse.ArgumentParser) -> None:
    _run_flag(parser)
    parser.add_argument(
        "--episodes",
        metavar="N",
        type=reading.count,
        default=20,
        help="on environments and seeds of their own [%(default)s]",
    )
    parser.add_argument("--video", action="store_true", help="leave a video of the first episode in the run's videos/")
    parser.add_argument(
        "--sample",
        action=argparse.BooleanOptionalAction,
        help="draw actions, or take the policy's mean; by default what the algorithm says of itself",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--best", action="store_true", help="the best policy of all evaluations: feasible, then reward")
    which.add_argument("--last", action="store_false", dest="best", help="the last policy (this is the default)")
    parser.add_argument(
        "--seed", metavar="S", type=integer, help="of the episodes; by default it follows from the run's"
    )
    parser.add_argument(
        "--env-args",
        metavar="NAME=VALUE",
        nargs="+",
        default=(),
        help="win over those of the training: layout=held-out",
    )
    _env_flag(parser)


COMMANDS: dict[str, Command] = {
    "resume": Command(
        "bridle resume RUN [--steps TOTAL]",
        "Go on with a run from its newest checkpoint, as if it had never stopped.",
        (f"bridle resume {RUN}", f"bridle resume {RUN} --steps 3_000_000"),
        _resume_flags,
        resume,
    ),
    "eval": Command(
        "bridle eval RUN [--episodes N] [--video] [--sample] [--best]",
        "Play episodes with a run's policy: return, and cost against the limit.",
        (
            f"bridle eval {RUN}",
            f"bridle eval {RUN} --episodes 100 --best --video",
            f"bridle eval {RUN} --env-args layout=held-out",
        ),
        _eval_flags,
        evaluate,
    ),
    "plot": Command(
        "bridle plot RUN ... [--kind curves|box|plane] [--x step|updates|minutes] [--out DIR] ...",
        "Curves of return and cost against the limit, runs that differ in their seed as one band; box plots, planes.",
        (
            "bridle plot runs/SafetyCarCircle-v0/cvpo/*",
            "bridle plot runs --kind box --select SafetyCarCircle --out pictures",
            "bridle plot runs/SafetyCarCircle-v0 --kind plane --legend CVPO 'SAC with a multiplier'",
            "bridle plot runs/SafetyCarCircle-v0/cvpo theirs/progress.csv --x minutes --smooth 5",
        ),
        reading.plot_flags,
        reading.plot,
    ),
    "compare": Command(
        "bridle compare RUN ... [--format text|markdown|latex|csv] [--out FILE] [--reference METHOD] ...",
        "Tables of final return and cost with intervals, how often the limit is met, and which method is better.",
        (
            "bridle compare runs/SafetyCarCircle-v0",
            "bridle compare runs --reference cvpo --out tables.md",
            "bridle compare runs --select SafetyCarCircle --exclude broken --format csv",
        ),
        reading.compare_flags,
        reading.compare,
    ),
    "report": Command(
        "bridle report RUN ... [--out report.html] [--reference METHOD] [--videos MB] ...",
        "One HTML page that needs no network: curves, box plots, tables, settings side by side, videos.",
        (
            "bridle report runs",
            "bridle report runs/SafetyCarCircle-v0 --out circle.html --reference cvpo",
            "bridle report runs --select SafetyCarCircle --videos 0",
        ),
        reading.report_flags,
        reading.report,
    ),
    "sweep": Command(sweep.USAGE, sweep.ABOUT, sweep.EXAMPLES, sweep.flags, sweep.run),
    "list": Command(
        "bridle list [algorithms|envs|presets]",
        "What there is, a line for each.",
        ("bridle list envs", "bridle list presets"),
        lambda parser: parser.add_argument("what", metavar="WHAT", nargs="*", help="algorithms, envs, presets"),
        listing,
    ),
    "doctor": Command(
        "bridle doctor",
        "Versions, devices, which environments and renderers work here, and what to install.",
        ("bridle doctor",),
        lambda _: None,
        doctor,
    ),
}


def parser_of(name: str) -> Parser:
    """The parser of a command other than `train`."""
    command = COMMANDS[name]
    parser = Parser(
        prog=f"bridle {name}",
        usage=command.usage,
        description=command.about,
        epilog="\n".join(_examples(command)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.flags(parser)
    return parser


def train_help() -> str:
    """`bridle train --help`: names; the options are those of an algorithm."""
    lines = ["usage: " + TRAIN.usage, "", TRAIN.about, ""]
    lines += ["algorithms", *_table(algorithm_lines()), ""]
    lines += ["ENV is a name of `bridle list envs`, a Gymnasium id, or `module:callable` of your own.", ""]
    lines += ["bridle train ALGO --help lists every option, with its default.", "", *_examples(TRAIN)]
    return "\n".join(lines)


def overview() -> str:
    """`bridle --help`."""
    commands = {"train": TRAIN, **COMMANDS}
    lines = [
        "usage: bridle COMMAND ...",
        "",
        "Constrained reinforcement learning on JAX: as much reward as possible while the cost of an episode stays",
        "under a limit.",
        "",
        *("commands", *_table({name: command.about for name, command in commands.items()}), ""),
        *("examples", *(f"  {commands[name].examples[0]}" for name in ("train", "eval", "plot")), ""),
        "bridle COMMAND --help says more; exit codes: 0 done, 1 a run failed, 2 a wrong name or value.",
    ]
    return "\n".join(lines)


def _examples(command: Command) -> list[str]:
    return ["examples", *(f"  {line}" for line in command.examples)]


def _table(rows: dict[str, str]) -> list[str]:
    column = max(map(len, rows), default=0) + 4
    lines = []
    for name, text in rows.items():
        first, *others = textwrap.wrap(text, WIDTH - column) or [""]
        lines.append(f"  {name:{column - 2}}{first}")
        lines += [" " * column + line for line in others]
    return lines
