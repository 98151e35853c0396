"""Pictures of run folders."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import warnings
import xml.etree.ElementTree

import numpy as np
import pytest
from scipy import stats

from bridle import cli
from bridle.study.axes import spread, wrapped
from bridle.study.curves import find, grouped, read
from bridle.study.looks import looks_of
from bridle.study.plot import plot
from bridle.study.seeds import smoothed, summarise

pytestmark = pytest.mark.filterwarnings("error:constrained_layout", "ignore:take care")
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


def tell(run, config=None, **others):
    """Write other settings into a run's config."""
    file = run / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | ({"config": config} if config else {}) | others))
    return run


def names(runs):
    return [curve.label for curve in read(runs)]


def test_nested_settings_are_told_flat_and_only_where_they_differ(make_run, tmp_path):
    rules = [{"kind": "Lagrange", "rate": rate, "cap": 100.0} for rate in (0.1, 0.2)]
    runs = [tell(make_run(tmp_path / str(i), i), {"lagrange": rule}) for i, rule in enumerate(rules)]
    assert names(runs) == ["cvpo, lagrange.rate 0.1", "cvpo, lagrange.rate 0.2"]


def test_a_part_of_another_kind_and_a_multiplier_that_is_idle_are_not_told_in_all_their_settings(make_run, tmp_path):
    told = [
        {"constraint": "lagrange", "lagrange": {"kind": "Lagrange", "rate": 0.1}, "pid": {"kind": "PID", "kp": 1.0}},
        {"constraint": "pid", "lagrange": {"kind": "Lagrange", "rate": 0.3}, "pid": {"kind": "PID", "kp": 2.0}},
        {"constraint": "pid", "lagrange": {"kind": "Lagrange", "rate": 0.4}, "pid": {"kind": "PID", "kp": 3.0}},
    ]
    runs = [tell(make_run(tmp_path / str(i), i, algorithm="sac"), config) for i, config in enumerate(told)]
    assert names(runs) == [
        "sac, constraint lagrange",
        "sac, constraint pid, pid.kp 2.0",
        "sac, constraint pid, pid.kp 3.0",
    ]
    rules = [{"rule": {"kind": "Log", "cap": 1.0}}, {"rule": {"kind": "Power", "exponent": 2.0}}, {"rule": None}]
    runs = [tell(make_run(tmp_path / f"rule-{i}", i), config) for i, config in enumerate(rules)]
    assert names(runs) == ["cvpo, rule Log", "cvpo, rule Power", "cvpo"]


def test_what_is_off_needs_no_word_unless_two_ways_of_being_off_would_look_alike(make_run, tmp_path):
    runs = [tell(make_run(tmp_path / str(x), i), {"subset": x}) for i, x in enumerate((None, 2))]
    assert names(runs) == ["cvpo", "cvpo, subset 2"]
    runs = [tell(make_run(tmp_path / f"b-{x}", i), {"subset": x}) for i, x in enumerate((None, False, 2))]
    assert names(runs) == ["cvpo, subset None", "cvpo, subset False", "cvpo, subset 2"]


def test_names_do_not_depend_on_other_environments_in_the_call(make_run, two_costs, tmp_path):
    for i, discount in enumerate((0.98, 0.99)):
        tell(make_run(tmp_path / "car" / str(i), algorithm="sac"), {"discount": discount}, preset=None)
    tell(make_run(tmp_path / "toy" / "sac", algorithm="sac", spec=two_costs), {"discount": 0.98})
    tell(make_run(tmp_path / "toy" / "ddpg", algorithm="ddpg", spec=two_costs), {"discount": 0.98})
    together = {curve.path: curve.label for curve in read(tmp_path)}
    for folder in ("car", "toy"):
        for curve in read(tmp_path / folder):
            assert together[curve.path] == curve.label
    assert {label for path, label in together.items() if path.parent.name == "toy"} == {"sac", "ddpg"}


def test_one_evaluation_above_the_limit_has_a_ring(make_run, tmp_path):
    def rings(limit):
        svg = plot(make_run(tmp_path / f"run-{limit:g}", rows=1, limit=(limit,)))[1].read_text()
        return svg.count("fill: #ffffff; stroke: #0072b2")

    assert rings(0.5) > 0
    with_points = plot(make_run(tmp_path / "many", rows=3, limit=(0.5,)))[1].read_text()
    assert "fill: #ffffff; stroke: #0072b2" not in with_points


def test_a_ninth_method_shares_its_colour_but_neither_dash_nor_point(make_run, tmp_path):
    for i in range(9):
        make_run(tmp_path / str(i), algorithm=f"m{i}")
    first, *_, ninth = looks_of(read(tmp_path)).values()
    assert first.colour == ninth.colour
    assert first.marker != ninth.marker and first.line != ninth.line
    assert len(plot(tmp_path)) == len(plot(tmp_path, kind="plane")) == 2


@pytest.mark.parametrize("count", [9, 24])
def test_many_methods_with_long_names_leave_room_for_what_is_drawn(make_run, tmp_path, count):
    for i in range(count):
        make_run(tmp_path / str(i), algorithm=f"a-long-name-of-method-{i}", rows=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        plot(tmp_path, say=print)
        plot(tmp_path, kind="box", say=print)


def test_seeds_that_share_no_minutes_are_drawn_each_alone_and_told(make_run, tmp_path, capsys):
    for seed, seconds in enumerate((1.0, 90.0)):
        make_run(tmp_path / f"seed-{seed}", seed, rows=3, seconds=seconds)
    assert cli.main(["plot", str(tmp_path), "--x", "minutes"]) == 0
    told = "take care: the seeds of cvpo have no minutes of training in common, so each is drawn alone, without a mean."
    assert told in capsys.readouterr().err
    assert cli.main(["plot", str(tmp_path)]) == 0
    assert "in common" not in capsys.readouterr().err
    assert len(summarise([np.array([1.0, 2.0]), np.array([3.0, 4.0])], [np.zeros(2)] * 2).x) == 0


def test_a_row_without_env_steps_does_not_hide_the_gradient_steps(make_run, edit, tmp_path):
    def resumed(row, k):
        if k == 2:
            row["time/steps_per_s"] = "0.0"
            row["step"] = str(int(row["step"]) - 500)

    curve = read(edit(make_run(tmp_path / "run", rows=3), resumed))[0]
    np.testing.assert_allclose(curve.along("updates"), [100, 200, 350])


@pytest.mark.parametrize("kind", ["curves", "box", "plane"])
@pytest.mark.parametrize("last", [1, 20])
def test_evaluations_that_are_no_numbers_can_be_drawn(make_run, spoil, tmp_path, kind, last):
    for s in range(2):
        spoil(make_run(tmp_path / f"odd-{s}", s), last)
        make_run(tmp_path / f"sac-{s}", s, algorithm="sac")
    said = []
    plot(tmp_path, kind=kind, say=said.append)
    assert sum("not a number" in text or "not numbers" in text for text in said) == 2
    assert plot(tmp_path / "odd-0", kind=kind, say=said.append)


def test_a_box_far_above_the_limit_is_told_at_the_edge(make_run, edit, tmp_path):
    make_run(tmp_path / "good")
    worse = {"eval/cost": "900.0"}
    edit(make_run(tmp_path / "bad", algorithm="sac"), lambda row, _: row["eval/return"] and row.update(worse))
    assert "median 900" in plot(tmp_path, kind="box")[1].read_text()
    assert "median 900" not in plot(tmp_path / "bad", kind="box")[1].read_text()


def test_a_file_is_one_picture_and_other_endings_are_refused(make_run, two_costs, tmp_path):
    car, toy = make_run(tmp_path / "car"), make_run(tmp_path / "toy", spec=two_costs)
    assert plot(car, tmp_path / "pic.PNG")[0] == tmp_path / "pic.png"
    with pytest.raises(
        ValueError, match=r"pic\.png names one picture, but there are 2, one for each environment; name a fol"
    ):
        plot([car, toy], tmp_path / "pic.png")
    with pytest.raises(ValueError, match=r"a picture cannot be written as \.pdf; allowed: \.png, \.svg, or a folder"):
        plot(car, tmp_path / "pic.pdf")
    with pytest.raises(OSError, match=r"curves\.png cannot be written: .*; name another place with out"):
        plot(car, car / "config.json" / "curves.png")


def test_an_environment_without_costs_does_not_stop_the_boxes_of_others(make_run, two_costs, tmp_path):
    make_run(tmp_path / "car")
    free = make_run(tmp_path / "free", spec=dataclasses.replace(two_costs, constraints=()))
    said = []
    assert [path.suffix for path in plot(tmp_path, kind="box", say=said.append)] == [".png", ".svg"]
    assert any("toy/TwoCosts-v0 has no costs, so there is no box of them" in text for text in said)
    with pytest.raises(ValueError, match="has no costs, so there is no box"):
        plot(free, kind="box")


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
