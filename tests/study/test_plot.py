"""Pictures of run folders."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree

import numpy as np
import pytest
from scipy import stats

from bridle.study.curves import find, read, summarise
from bridle.study.plot import plot


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
    code = "import sys, bridle.study.plot; sys.exit('matplotlib' in sys.modules or 'jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
