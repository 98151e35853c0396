"""What a report tells of a model and of the steps of a trust region, out of the metrics of run folders."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from bridle.study.looks import COLOURS as OF_METHODS
from bridle.study.report import gathered, report
from bridle.study.report.cases import COLOURS, cases
from bridle.study.report.trust import trust


def figures(*runs):
    """The figures of trust in the first environment, by name."""
    found = gathered(runs)
    return {told.name: told.figure for told in trust(found.envs[0].methods, found.looks)}


def lines(figure, panel="y"):
    """The traces of a panel by name."""
    return {trace["name"]: trace for trace in figure.data if trace["yaxis"] == panel and "name" in trace}


def both(name, real, imagined):
    return {f"policy/real_{name}": real, f"policy/imagined_{name}": imagined}


def ahead(h, error, doubt, rank=0.5):
    """What is told of a model `h` steps ahead."""
    told = {f"model/error_{h}": error, f"model/doubt_{h}": doubt, f"model/rank_{h}": [rank] * len(error)}
    for name in ("real_return", "imagined_return", "real_cost", "imagined_cost"):
        told[f"model/{name}_{h}"] = [float(h) if x else 0.0 for x in error]
    return told


def test_real_and_imagined_stand_beside_each_other_as_means_over_seeds(make_run, tell, tmp_path):
    for seed, shift in enumerate((0.0, 2.0)):
        run = make_run(tmp_path / f"seed-{seed}", seed, algorithm="cmbpo")
        tell(run, both("reward", [1.0, 2.0 + shift], [3.0, 4.0]) | both("cost", [0.1, 0.2], [0.3, 0.4 + shift]))
    told = figures(tmp_path)
    assert list(told) == ["steps"]
    reward, cost = lines(told["steps"]), lines(told["steps"], "y2")
    np.testing.assert_allclose(reward["cmbpo, real"]["y"], [1.0, 3.0])
    np.testing.assert_allclose(reward["cmbpo, imagined"]["y"], [3.0, 4.0])
    np.testing.assert_allclose(cost["cmbpo, imagined"]["y"], [0.3, 1.4])
    np.testing.assert_allclose(reward["cmbpo, real"]["x"], [11_000, 12_000])
    dashes = {name: trace["line"]["dash"] for name, trace in reward.items()}
    assert dashes["cmbpo, real"] == "solid" != dashes["cmbpo, imagined"]


def test_a_model_update_is_read_like_a_policy_update(make_run, tell, tmp_path):
    run = make_run(tmp_path / "run", algorithm="mbpo")
    tell(run, {"model/real_reward": [1.0], "model/imagined_reward": [2.0], "model/horizon": [1.0]})
    told = figures(run)
    assert lines(told["steps"])["mbpo, imagined"]["y"] == [2.0]
    assert list(lines(told["horizons"])) == ["mbpo, mean"], "no quartiles are told"


def test_paths_are_the_longest_that_all_models_tell(make_run, tell, tmp_path):
    tell(make_run(tmp_path / "a", algorithm="cmbpo"), ahead(1, [0.1], [1.0]) | ahead(4, [0.2], [2.0]))
    tell(make_run(tmp_path / "b", algorithm="mbpo"), ahead(1, [0.1], [1.0]) | ahead(4, [0.0], [0.0]))
    make_run(tmp_path / "c", algorithm="sac")
    told = figures(tmp_path)
    assert told["paths"].layout["yaxis"]["title"]["text"] == "reward over 1 step"
    assert {trace["name"].partition(",")[0] for trace in told["paths"].data} == {"cmbpo", "mbpo"}
    alone = figures(tmp_path / "a", tmp_path / "c")["paths"]
    assert alone.layout["yaxis2"]["title"]["text"] == "cost over 4 steps"
    assert lines(alone)["cmbpo, real"]["y"] == [4.0]


def test_calibration_is_of_the_last_tenth_of_the_rows_with_a_whole_stretch(make_run, tell, tmp_path):
    error = [*np.linspace(1.0, 2.0, 20), 0.0, 0.0]
    doubt = [*np.linspace(5.0, 6.0, 20), 0.0, 0.0]
    run = tell(
        make_run(tmp_path / "run", algorithm="cmbpo"), ahead(1, error, doubt, -0.2) | ahead(8, error, doubt, 0.3)
    )
    figure = figures(run)["calibration"]
    panels = [lines(figure, panel)["cmbpo"] for panel in ("y", "y2", "y3")]
    assert [list(trace["x"]) for trace in panels] == [[1, 8]] * 3
    np.testing.assert_allclose(panels[0]["y"], [np.mean(error[18:20])] * 2)
    np.testing.assert_allclose(panels[1]["y"], [np.mean(doubt[18:20])] * 2)
    np.testing.assert_allclose(panels[2]["y"], [-0.2, 0.3])
    assert figure.layout["yaxis3"]["range"][0] < -0.2, "a rank correlation below 0 is seen"
    assert figure.layout["xaxis"]["tickvals"] == [1, 8]


def test_horizons_have_a_band_of_the_middle_half(make_run, tell, tmp_path):
    quartiles = {f"policy/horizon_q{k}": [float(k), k + 1.0] for k in range(5)}
    run = tell(make_run(tmp_path / "run", algorithm="cmbpo"), quartiles | {"policy/horizon": [2.5, 3.5]})
    figure = figures(run)["horizons"]
    band = next(trace for trace in figure.data if trace.get("fill") == "toself")
    np.testing.assert_allclose(band["y"], [3.0, 4.0, 2.0, 1.0])
    told = lines(figure)
    np.testing.assert_allclose(told["cmbpo, median"]["y"], [2.0, 3.0])
    np.testing.assert_allclose(told["cmbpo, mean"]["y"], [2.5, 3.5])
    assert "middle half 1 to 3, all 0 to 4" in told["cmbpo, median"]["customdata"][0]


def test_shares_of_cases_add_up_and_are_smoothed_over_a_twentieth(make_run, tell, tmp_path):
    met = [0] * 20 + [3] * 20
    for seed in range(2):
        run = make_run(tmp_path / f"seed-{seed}", seed, algorithm="cpo")
        tell(run, {f"policy/case_{k}": [float(case == k) for case in met] for k in range(5)})
    make_run(tmp_path / "other")
    found = gathered([tmp_path])
    told = cases(found.envs[0].methods, found.looks)
    assert list(told) == ["cpo"]
    shares = np.array([trace["y"] for trace in told["cpo"].data])
    np.testing.assert_allclose(shares.sum(0), 1.0)
    np.testing.assert_allclose(shares[0], [1.0] * 19 + [0.5] + [0.0] * 20)
    np.testing.assert_allclose(shares[[1, 2, 4]], 0.0)
    assert not set(COLOURS) & set(OF_METHODS)


def test_where_nothing_is_limited_there_is_no_panel_of_cost(make_run, tell, two_costs, tmp_path):
    free = dataclasses.replace(two_costs, constraints=())
    run = make_run(tmp_path / "run", spec=free, algorithm="cmbpo")
    tell(run, both("reward", [1.0], [2.0]) | both("cost", [0.0], [0.0]))
    assert {trace["yaxis"] for trace in figures(run)["steps"].data} == {"y"}


@pytest.mark.parametrize(
    ("metrics", "headings"),
    [
        ({"policy/loss": [1.0]}, []),
        ({f"policy/case_{k}": [0.2] for k in range(5)}, ["How free do the limits leave the policy?"]),
        (both("reward", [1.0], [2.0]), ["Does the model deserve trust?"]),
    ],
)
def test_a_page_has_the_sections_that_its_runs_tell_of(make_run, tell, tmp_path, metrics, headings):
    source = report([tell(make_run(tmp_path / "run"), metrics)]).read_text()
    assert re.findall("<h3>(.*?)</h3>", source) == headings
    assert ("<b>infeasible</b>: no step" in source) == ("policy/case_0" in metrics)


def test_the_name_of_a_method_does_not_break_out_of_these_sections(hostile, tell):
    folder, _ = hostile
    metrics = {f"policy/case_{k}": [0.2] for k in range(5)} | both("reward", [1.0], [2.0]) | ahead(1, [0.1], [1.0])
    tell(folder / "x&amp;", metrics)
    source = report([folder]).read_text()
    assert source.count("<h3>") == 2
    assert "<img src=x" not in source and "<script>pwned" not in source
    names = [name for figure in figures(folder).values() for trace in figure.data if (name := trace.get("name"))]
    assert names and not any("<" in name for name in names), "plotly reads tags in names"
