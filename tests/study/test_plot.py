"""Pictures of run folders."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree

import numpy as np
import pytest
from scipy import stats

from bridle import cli
from bridle.study.axes import spread, wrapped
from bridle.study.curves import find, grouped, read
from bridle.study.plot import plot
from bridle.study.seeds import smoothed, summarise

pytestmark = pytest.mark.filterwarnings("ignore:take care")
LONG = "ddpg-pid, aim 0.8, noise 0.1, acts target"


def test_a_run_gives_a_png_and_an_svg_in_its_folder(make_run, tmp_path):
    run = make_run(tmp_path / "run")
    png, svg = plot([run])
    assert (png, svg) == (run / "curves.png", run / "curves.svg")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert xml.etree.ElementTree.parse(svg).getroot().tag.endswith("svg")


def test_seeds_lie_in_one_picture_in_the_folder_that_holds_them(make_run, tmp_path):
    runs = [make_run(tmp_path / f"seed-{s}", s) for s in range(3)]
    assert plot(runs) == [tmp_path / "curves.png", tmp_path / "curves.svg"]
    assert plot([tmp_path], tmp_path / "a" / "b.svg") == [tmp_path / "a" / "b.png", tmp_path / "a" / "b.svg"]


def test_each_environment_has_a_picture_of_its_own(make_run, two_costs, tmp_path):
    runs = [make_run(tmp_path / "car"), make_run(tmp_path / "toy", spec=two_costs, limit=(10.0, 20.0))]
    names = [path.name for path in plot(runs, tmp_path / "out")]
    assert names[0] == "curves-SafetyCarCircle-v0-dialect-fsrl.png"
    assert names[2] == "curves-toy-TwoCosts-v0.png"


@pytest.mark.parametrize("x", ["step", "updates", "minutes"])
def test_every_axis_can_be_drawn(make_run, tmp_path, x):
    assert all(path.stat().st_size > 1000 for path in plot([make_run(tmp_path / "run", rows=1)], x=x))


def test_many_methods_and_seeds_that_ended_early_are_drawn(make_run, tmp_path):
    runs = [make_run(tmp_path / f"a{s}", s, rows=10 + s) for s in range(3)]
    runs += [make_run(tmp_path / f"b{s}", s, algorithm="sac", limit=(20.0,)) for s in range(2)]
    assert len(plot(runs, tmp_path)) == 2
    assert {curve.label for curve in read(runs)} == {"cvpo, limit 10", "sac, limit 20"}


def test_presets_are_told_apart(make_run, tmp_path):
    runs = [make_run(tmp_path / "a"), make_run(tmp_path / "b", preset="fsrl-bullet")]
    assert [curve.label for curve in read(runs)] == ["cvpo, own settings", "cvpo, fsrl-bullet"]


def test_the_band_is_the_interval_of_the_mean_and_of_two_seeds_the_range():
    x, rng = np.arange(1.0, 6.0), np.random.default_rng(0)
    seeds = [rng.normal(size=5) for _ in range(4)]
    found = summarise([x] * 4, seeds)
    low, high = stats.t.interval(0.95, 3, np.mean(seeds, 0), stats.sem(seeds, 0))
    np.testing.assert_allclose([found.low, found.high], [low, high])
    two = summarise([x, x], seeds[:2])
    np.testing.assert_allclose(two.low, np.minimum(*seeds[:2]))


def test_seeds_meet_on_one_grid_where_all_of_them_have_come():
    found = summarise(
        [np.array([0.0, 10.0, 20.0]), np.array([5.0, 15.0])], [np.array([0.0, 1.0, 2.0]), np.array([3.0, 5.0])]
    )
    np.testing.assert_allclose(found.x, [5.0, 10.0, 15.0])
    np.testing.assert_allclose(found.mean, [(0.5 + 3) / 2, (1 + 4) / 2, (1.5 + 5) / 2])


@pytest.mark.parametrize("kind", ["box", "plane"])
def test_where_trainings_came_to_is_drawn_for_each_constraint(make_run, two_costs, tmp_path, kind):
    for name in ("cvpo", "sac"):
        for s in range(3):
            make_run(tmp_path / "runs" / f"{name}{s}", s, algorithm=name, spec=two_costs, limit=(10.0, 20.0))
    png, svg = plot([tmp_path / "runs"], kind=kind)
    assert (png.name, svg.name) == (f"{kind}.png", f"{kind}.svg")
    text = svg.read_text()
    assert all(f"<!-- {word} -->" in text for word in ("cost: speed", "cost: crowding", "sac"))


def test_one_evaluation_of_one_run_is_drawn_too(make_run, tmp_path):
    for kind in ("box", "plane"):
        assert plot([make_run(tmp_path / kind, rows=1)], kind=kind)[0].stat().st_size > 1000


def test_runs_are_chosen_by_their_path_or_label(make_run, tmp_path):
    for name, algorithm in (("old", "cvpo"), ("new", "cvpo"), ("other", "sac")):
        make_run(tmp_path / name, algorithm=algorithm)

    def left(**choice):
        return [curve.path.name for curve in read([tmp_path], **choice)]

    assert left(select=["sac", "/old"]) == ["old", "other"]
    assert left(exclude=["/new", "sac"]) == ["old"]
    assert left(select=["cvpo"], exclude=["/old"]) == ["new"]
    with pytest.raises(ValueError, match=r"no run is left by --select dreamer; there are: cvpo, sac"):
        left(select=["dreamer"])


def test_a_run_that_is_excluded_by_its_path_need_not_be_whole(make_run, tmp_path):
    make_run(tmp_path / "whole")
    make_run(tmp_path / "fresh", rows=0)
    assert len(read([tmp_path], exclude=["fresh"])) == 1


def test_a_legend_names_the_methods_in_their_order(make_run, tmp_path):
    curves = read([make_run(tmp_path / "a"), make_run(tmp_path / "b", algorithm="sac")])
    assert list(grouped(curves, ["Ours", "Theirs"])["SafetyCarCircle-v0, dialect fsrl"]) == ["Ours", "Theirs"]
    with pytest.raises(ValueError, match="1 names for 2 methods: cvpo; sac"):
        grouped(curves, ["Ours"])


def test_smoothing_is_the_mean_round_each_evaluation_of_what_there_is():
    y = np.array([1.0, 2.0, 6.0, 3.0])
    np.testing.assert_allclose(smoothed(y, 1), y)
    np.testing.assert_allclose(smoothed(y, 3), [1.5, 3.0, 11 / 3, 4.5])


def test_names_at_the_ends_are_apart_in_order_inside_and_as_near_as_can_be():
    np.testing.assert_allclose(spread([5.0, 1.0, 5.0], 2), [4, 1, 6])
    np.testing.assert_allclose(spread([0.0, 1.0, 9.0], 2, low=0), [0, 2, 9])
    np.testing.assert_allclose(spread([9.0, 9.5], 2, low=0, high=10), [8, 10])
    rng = np.random.default_rng(0)
    for _ in range(50):
        values = rng.uniform(0, 100, rng.integers(1, 8))
        places = spread(values, 10, 0, 100)
        assert (np.diff(places[np.argsort(values)]) > 10 - 1e-9).all()
        assert places.min() >= -1e-9 and places.max() <= 100 + 1e-9


@pytest.mark.parametrize("kind", ["curves", "box", "plane"])
def test_long_names_leave_room_for_what_is_drawn(make_run, tmp_path, kind, monkeypatch):
    runs = [make_run(tmp_path / algorithm, algorithm=algorithm) for algorithm in ("cvpo", "sac")]
    svg = plot(runs, kind=kind, legend=[LONG, LONG.upper()])[1].read_text()
    ground = re.search(r'id="axes_1">.*?d="(M .*?)"', svg, re.DOTALL)[1]
    left, *_, right = sorted(float(x) for x in re.findall(r"[ML] ([\d.]+)", ground))
    assert right - left > 0.65 * float(re.search(r'width="([\d.]+)pt"', svg)[1])


def test_a_name_is_wrapped_between_its_settings():
    assert wrapped("ddpg-pid, aim 0.8, noise 0.1").split("\n") == ["ddpg-pid, aim\xa00.8,", "noise\xa00.1"]


def test_seeds_that_stand_twice_and_runs_that_broke_off_are_told(make_run, tmp_path, capsys):
    runs = [make_run(tmp_path / name, 3) for name in ("one", "copy")]
    words = ["Traceback (most recent call last):", '  File "x.py", line 1, in f', "    1 / 0"]
    error = "bridle.run.diverged.Diverged: update 'policy' diverged at step 7: 'policy/q' is not finite"
    (runs[0] / "log.txt").write_text("\n".join([*words, error]))
    (runs[1] / "log.txt").write_text("\n".join([*words, error, "step 8/10  return 1.0"]))  # resumed
    assert cli.main(["plot", str(tmp_path)]) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "bridle: take care: cvpo has seed 3 more than once, as if these were independent."
    assert said[1].startswith("bridle: take care: 2 runs have not come to the end; the least far, ")
    assert said[2] == f"bridle: take care: {runs[0]} ended with an error: {error.partition('diverged.')[2]}"
    assert len(said) == 3
    assert "2 runs, not all of different seeds" in (tmp_path / "curves.svg").read_text()


def test_gradient_steps_are_counted_out_of_the_speeds(make_run, tmp_path):
    curve = read([make_run(tmp_path / "run", rows=3)])[0]
    np.testing.assert_allclose(curve.along("updates"), [100, 200, 300])
    np.testing.assert_allclose(curve.along("minutes"), np.array([2, 4, 6]) / 60)


def test_the_dialect_of_an_environment_is_not_told_twice(make_run, tmp_path):
    runs = [make_run(tmp_path / "a"), make_run(tmp_path / "b")]
    for run, words in zip(runs, (["dialect=cvpo"], []), strict=True):
        file = run / "config.json"
        file.write_text(file.read_text().replace('"env_args": []', f'"env_args": {json.dumps(words)}'))
    assert {curve.label for curve in read(runs)} == {"cvpo"}


def test_the_command_takes_every_flag(make_run, tmp_path, capsys):
    run = make_run(tmp_path / "run")
    words = f"plot {run} --kind curves --x minutes --smooth 3 --select run --exclude no --legend CVPO --out {tmp_path}"
    assert cli.main(words.split()) == 0
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "curves.png"), str(tmp_path / "curves.svg")]
    assert cli.main(["plot", str(run), "--kind", "pie"]) == 2
    assert "kind = 'pie'; allowed: curves, box, plane" in capsys.readouterr().err


def test_what_is_no_run_or_has_no_evaluation_is_told(make_run, tmp_path):
    with pytest.raises(FileNotFoundError, match="no run folder"):
        plot([tmp_path / "nothing"])
    with pytest.raises(ValueError, match=r"fresh has no evaluations yet; the first one is due at step 1,000"):
        plot([make_run(tmp_path / "fresh", rows=0)])
    with pytest.raises(ValueError, match="one or more run folders"):
        plot([])
    with pytest.raises(ValueError, match="step, updates, minutes"):
        plot([make_run(tmp_path / "run")], x="hours")


def test_a_run_named_twice_counts_once(make_run, tmp_path):
    run = make_run(tmp_path / "run")
    assert find([run, tmp_path]) == [tmp_path / "run"]


def test_drawing_needs_no_jax_before_it_starts():
    code = "import sys, bridle.study.plot, bridle.study.compare; sys.exit('matplotlib' in sys.modules or 'jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
