"""The run folder, and configs that come back from JSON as they were."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bridle
from bridle.run.folder import create, default_path, open_run
from bridle.run.options import Options
from bridle.run.records import from_json, from_toml, to_json


@dataclass(frozen=True)
class Fixed:
    weight: float = 1.0


@dataclass(frozen=True)
class Pid:
    gains: tuple[float, float, float] = (0.1, 0.0, 0.01)
    inner: Fixed | None = None


@dataclass(frozen=True)
class Net:
    hidden: tuple[int, ...] = (256, 256)


@dataclass(frozen=True)
class Config:
    constraint: Fixed | Pid = field(default_factory=Fixed)
    net: Net = field(default_factory=Net)
    discount: float = 0.99
    batch: int = 256
    target: float | None = None
    either: int | float = 1
    mode: Literal["rate", "sum"] = "sum"
    names: tuple[str, ...] = ()
    double: bool = True
    table: dict[str, tuple[int, ...]] = field(default_factory=dict)
    pairs: tuple[tuple[str, float], ...] = ()

    def __post_init__(self):
        if self.batch <= 0:
            raise ValueError(f"batch = {self.batch}; allowed: an integer > 0")


@dataclass(frozen=True)
class Needs:
    size: int


numbers = st.floats(allow_nan=False)
fixed = st.builds(Fixed, numbers)
configs = st.builds(
    Config,
    constraint=fixed | st.builds(Pid, st.tuples(numbers, numbers, numbers), st.none() | fixed),
    net=st.builds(Net, st.lists(st.integers()).map(tuple)),
    discount=numbers,
    batch=st.integers(1),
    target=st.none() | numbers,
    either=st.integers() | numbers,
    mode=st.sampled_from(["rate", "sum"]),
    names=st.lists(st.text()).map(tuple),
    double=st.booleans(),
    table=st.dictionaries(st.text(), st.lists(st.integers()).map(tuple)),
    pairs=st.lists(st.tuples(st.text(), numbers)).map(tuple),
)


@settings(deadline=None)
@given(configs)
def test_a_config_comes_back_from_json_as_it_was(config):
    back = from_json(Config, json.loads(json.dumps(to_json(config))))
    assert back == config
    for name in ("either", "discount", "net"):
        assert type(getattr(back, name)) is type(getattr(config, name))


def test_options_come_back_and_what_is_not_told_keeps_its_default():
    moving = {"cost_limit_start": (3.0, 4.0), "cost_limit_schedule": "linear", "cost_limit_steps": 10}
    options = Options(cost_limit=(1.0, 2.0), run="here", **moving)
    assert from_json(Options, json.loads(json.dumps(to_json(options)))) == options
    assert from_json(Options, {"steps": 5}) == Options(steps=5)


def test_a_whole_float_is_an_integer_where_one_is_wanted():
    found = from_json(Config, {"batch": 1e3, "net": {"hidden": [64.0, 8]}, "either": 2.0})
    assert [type(x) for x in (found.batch, *found.net.hidden, found.either)] == [int, int, int, float]
    assert (found.batch, found.net.hidden) == (1_000, (64, 8))
    assert type(from_json(Options, {"steps": 1e6, "horizon": 1e2}).horizon) is int
    with pytest.raises(ValueError, match="steps = 1.5; allowed: an integer"):
        from_json(Options, {"steps": 1.5})


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"discout": 1.0}, "no field 'discout' in Config; did you mean 'discount'?"),
        ({"net": {"hiden": [1]}}, "no field 'net.hiden' in Net; did you mean 'hidden'?"),
        ({"constraint": {"kind": "Pdi"}}, "constraint.kind = 'Pdi'; allowed: Fixed, Pid; did you mean 'Pid'?"),
        ({"constraint": {"weight": 1}}, "constraint.kind = None; allowed: Fixed, Pid"),
        ({"constraint": 3}, "constraint = 3; allowed: Fixed or Pid"),
        (
            {"constraint": {"kind": "Pid", "gains": [1, 2]}},
            "constraint.gains = [1, 2]; allowed: tuple[float, float, float]",
        ),
        ({"discount": "a"}, "discount = 'a'; allowed: a number"),
        ({"discount": True}, "discount = True; allowed: a number"),
        ({"batch": 2.5}, "batch = 2.5; allowed: an integer"),
        ({"batch": 0}, "batch = 0; allowed: an integer > 0"),
        ({"target": "x"}, "target = 'x'; allowed: a number or None"),
        ({"mode": "sums"}, "mode = 'sums'; allowed: 'rate', 'sum'"),
        ({"net": {"hidden": [1, "a"]}}, "net.hidden[1] = 'a'; allowed: an integer"),
        ({"net": 5}, "net = 5; allowed: Net"),
        ([1], "Config = [1]; allowed: a table of Config's fields"),
    ],
)
def test_a_wrong_key_or_value_is_told_with_what_is_allowed(data, told):
    with pytest.raises(ValueError, match="^" + re.escape(told)):
        from_json(Config, data)


def test_a_field_without_default_must_be_told():
    with pytest.raises(ValueError, match="size is missing; allowed: an integer"):
        from_json(Needs, {})


def test_what_json_cannot_hold_is_named():
    @dataclass(frozen=True)
    class Odd:
        call: Any

    with pytest.raises(ValueError, match=r"call = <built-in.*> cannot be saved"):
        to_json(Odd(print))
    assert to_json(Odd(np.float32(0.5))) == {"call": 0.5}
    with pytest.raises(ValueError, match="a config is a dataclass, not int"):
        to_json(3)


RECORD = {"algorithm": "sac", "class": "mine:Config", "config": {}, "options": {}, "spec": {}}
"""What `open_run` wants of a config.json."""


def test_a_created_run_opens_again(tmp_path):
    path = create(tmp_path / "a" / "run", {**RECORD, "settings": to_json(Config())})
    run = open_run(str(path))
    assert run.path == path
    assert run.config["algorithm"] == "sac"
    assert run.config["bridle"] == bridle.__version__
    assert from_json(Config, run.config["settings"]) == Config()
    told = json.loads((path / "versions.json").read_text())
    assert told["numpy"] == np.__version__
    assert told["commit"] is None or re.fullmatch(r"[0-9a-f]{7,40}(-dirty)?", told["commit"])
    assert told.keys() >= {"python", "jax", "jaxlib", "mujoco", "gymnasium", "equinox", "optax", "platform"}


def test_nothing_saved_is_ever_overwritten(tmp_path):
    (tmp_path / "empty").mkdir()
    path = create(tmp_path / "empty", {})
    (tmp_path / "file").touch()
    for taken in (path, tmp_path / "file"):
        with pytest.raises(FileExistsError, match="nothing saved is ever overwritten"):
            create(taken, {})


def test_a_folder_that_is_no_run_says_what_is_missing_and_what_is_near(tmp_path):
    create(tmp_path / "seed-1", {})
    with pytest.raises(FileNotFoundError, match=r"nothing lies there; run folders beside it: seed-1"):
        open_run(tmp_path / "sed-1")
    with pytest.raises(FileNotFoundError, match=r"it has no config.json; run folders below it: .*seed-1"):
        open_run(tmp_path)
    with pytest.raises(ValueError, match=r"no run folder of ours: its config.json has no algorithm, class"):
        open_run(tmp_path / "seed-1")
    (tmp_path / "seed-1" / "config.json").write_text("{")
    with pytest.raises(ValueError, match="cannot be read"):
        open_run(tmp_path / "seed-1")


def test_a_run_of_a_newer_bridle_says_to_upgrade(tmp_path):
    path = create(tmp_path / "run", {"format": 99, "bridle": "9.0"})
    with pytest.raises(ValueError, match=r"newer bridle, 9.0 \(format 99; .*upgrade bridle"):
        open_run(path)


def test_default_paths_are_harmless_and_free(tmp_path):
    path = default_path(tmp_path, "ALE/Pong-v5", "sac", 3)
    assert path.parent == tmp_path / "ALE-Pong-v5" / "sac"
    assert default_path(tmp_path, "my.module:make", "sac", 3).parent.parent.name == "my.module-make"
    assert default_path(tmp_path, "../..", "sac", 3).parent.parent == tmp_path / "unnamed"
    taken = [default_path(tmp_path, "e", "sac", 3) for _ in range(3)]
    assert len(set(taken)) == 3 and all(path.is_dir() for path in taken)
    create(taken[0], RECORD)


def test_a_run_is_trained_by_one_process_at_a_time(tmp_path):
    run = open_run(create(tmp_path / "run", RECORD))
    with run.lock(), pytest.raises(BlockingIOError, match="trained by another process"), run.lock():
        pass
    with run.lock():
        pass


def test_toml_is_read_and_its_errors_name_the_file_and_the_line(tmp_path):
    good = tmp_path / "sweep.toml"
    good.write_text('[a]\nb = [1, 2]\nc = "x"\n')
    assert from_toml(good) == {"a": {"b": [1, 2], "c": "x"}}
    with pytest.raises(FileNotFoundError, match=r"no file .*swep.toml; did you mean 'sweep.toml'"):
        from_toml(tmp_path / "swep.toml")
    good.write_text("a = \n")
    with pytest.raises(ValueError, match=r"sweep.toml is not valid TOML: .*line 1"):
        from_toml(good)


def test_opening_runs_loads_no_jax():
    code = "import sys, bridle.run.folder, bridle.run.stop, bridle.run.log; sys.exit('jax' in sys.modules or 'rich' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=Path(bridle.__file__).parents[1], check=False).returncode == 0
    )
