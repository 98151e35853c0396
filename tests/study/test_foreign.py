"""Tables of other tools, written as these write them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bridle import cli
from bridle.study import foreign, results
from bridle.study.care import cares
from bridle.study.curves import evaluated, grouped, read
from bridle.study.plot import plot

pytestmark = pytest.mark.filterwarnings("ignore:take care")


@pytest.fixture
def omnisafe(tmp_path):
    folder = tmp_path / "PPOLag-{SafetyCarCircle-v0}" / "seed-003-2026-01-01-12-00-00"
    folder.mkdir(parents=True)
    rows = "".join(f"{k},{10 * k},{60 - k},300,{2000 * k},{30 * k}\n" for k in range(1, 21))
    header = "Train/Epoch,Metrics/EpRet,Metrics/EpCost,Metrics/EpLen,TotalEnvSteps,Time/Total\n"
    (folder / "progress.csv").write_text(header + rows + "21,3")
    config = {"seed": 3, "algo": "PPOLag", "env_id": "SafetyCarCircle-v0", "lagrange_cfgs": {"cost_limit": 25.0}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def cvpo_safe_rl(tmp_path):
    folder = tmp_path / "SafetyCarCircle-v0_cost_10" / "cvpo_epoch_10" / "cvpo_epoch_10_s11"
    folder.mkdir(parents=True)
    header = ["CostLimit", "Epoch", "TotalEnvInteracts", "worker/EpRet", "worker/EpCost", "eval/TestEpRet",
              "eval/TestEpCost", "eval/TestEpLen", "Time"]  # fmt: skip
    rows = [[10, k, 3000 * k, 1, 2, 20 * k, 30 - k, 300, 60 * k] for k in range(1, 11)]
    (folder / "progress.txt").write_text("\n".join("\t".join(map(str, row)) for row in [header, *rows]) + "\n")
    (folder / "config.json").write_text(json.dumps({"policy": "cvpo", "env": "SafetyCarCircle-v0", "seed": 11}))
    return folder


def test_omnisafe_is_read_with_its_limit_and_without_a_row_cut_short(omnisafe):
    table = foreign.read(omnisafe / "progress.csv")
    assert (table.label, table.env, table.seed, table.limit) == ("PPOLag of OmniSafe", "SafetyCarCircle-v0", 3, 25.0)
    assert table.acting == "OmniSafe's training episodes"
    np.testing.assert_allclose(table.step, 2000 * np.arange(1, 21))
    np.testing.assert_allclose(table.cost[-1], 40)
    np.testing.assert_allclose(table.seconds[0], 30)


def test_omnisafe_without_its_config_is_known_by_its_folder(omnisafe):
    (omnisafe / "config.json").unlink()
    table = foreign.read(omnisafe / "progress.csv")
    assert (table.label, table.env, table.seed, table.limit) == ("PPOLag of OmniSafe", "SafetyCarCircle-v0", 3, None)


def test_cvpo_safe_rl_is_read_by_its_evaluations_and_tells_its_limit(cvpo_safe_rl):
    table = foreign.read(cvpo_safe_rl / "progress.txt")
    assert (table.label, table.seed, table.limit) == ("cvpo of cvpo-safe-rl", 11, 10.0)
    np.testing.assert_allclose(table.returns, 20 * np.arange(1, 11))
    np.testing.assert_allclose(table.length, 300)


def test_curves_of_other_tools_lie_beside_ours_of_the_same_environment(make_run, omnisafe, cvpo_safe_rl, tmp_path):
    ours = make_run(tmp_path / "ours")
    curves = read([ours, omnisafe, cvpo_safe_rl / "progress.txt"])
    assert {curve.env for curve in curves} == {"SafetyCarCircle-v0, dialect fsrl"}
    assert [curve.limit for curve in curves] == [(10.0,), (25.0,), (10.0,)]
    assert curves[1].minutes[0] == 0.5
    for x in ("step", "minutes"):
        assert plot([tmp_path], tmp_path / f"{x}.png", x=x) == [tmp_path / f"{x}.png", tmp_path / f"{x}.svg"]
    with pytest.raises(ValueError, match=r"progress\.csv tells no gradient steps"):
        plot([ours, omnisafe], x="updates")


def test_a_tool_that_tells_no_limit_takes_that_of_the_runs_beside_it(make_run, omnisafe, tmp_path):
    (omnisafe / "config.json").unlink()
    assert read([make_run(tmp_path / "ours"), omnisafe])[1].limit == (10.0,)
    with pytest.raises(ValueError, match="tells no cost limit"):
        read([omnisafe])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rollout/ep_rew_mean,time/total_timesteps\n1,2\n", "no tool's that is known here"),
        ("TotalEnvSteps,Metrics/EpRet,Metrics/EpCost\n", "has no rows with numbers yet"),
        ("", "is no table: it is empty"),
    ],
)
def test_a_table_that_cannot_be_read_is_told(tmp_path, text, message):
    (tmp_path / "progress.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        foreign.read(tmp_path / "progress.csv")


HEAD = "Metrics/EpRet,Metrics/EpCost,TotalEnvSteps\n"


@pytest.mark.parametrize("row", ["nan,nan,2000", "14,nan,2000", "nan,3,2000", "inf,3,2000", "words,3,2000"])
def test_a_run_whose_last_evaluations_are_no_numbers_is_not_feasible(tmp_path, row):
    (tmp_path / "progress.csv").write_text(HEAD + "10,3,1000\n" + row + "\n" + row.replace("2", "3") + "\n")
    curves, _ = evaluated([tmp_path], cost_limit=[5])
    assert len(curves[0].step) == 3
    (found,) = results.worlds_of(grouped(curves))[0].methods["OmniSafe"]
    assert found.excess > 0 and found.met == 0
    assert (
        "its last 2 evaluations are not numbers, so it has no final result and counts as infeasible"
        in cares({"OmniSafe": curves})[0]
    )


def test_rows_that_are_cut_short_or_hold_words_are_told_but_for_the_last_one(tmp_path):
    rows = ["10,3,1000", "11,3", "12,three,3000", "13,3,4000", "14,3"]
    (tmp_path / "progress.csv").write_text(HEAD + "\n".join(rows))
    (curve,) = evaluated([tmp_path], cost_limit=[5])[0]
    assert list(curve.step) == [1000, 3000, 4000]
    told = cares({"a": [curve]})
    assert f"{tmp_path / 'progress.csv'}: 1 of its evaluations is not a number." in told
    assert f"{tmp_path / 'progress.csv'}: 2 of its rows are cut short or hold words where numbers should stand." in told


def test_blanks_where_a_tool_did_not_evaluate_are_no_evaluations(tmp_path):
    (tmp_path / "progress.csv").write_text(HEAD + "10,3,1000\n,,2000\n12,4,3000\n,,4000\n")
    (curve,) = evaluated([tmp_path], cost_limit=[5])[0]
    assert list(curve.step) == [1000, 3000] and curve.sane.all() and curve.unread == 0


@pytest.mark.parametrize("command", ["compare", "plot", "report"])
def test_a_limit_can_be_said_for_tables_that_tell_none(tmp_path, capsys, command):
    (tmp_path / "progress.csv").write_text(HEAD + "10,3,1000\n12,4,2000\n")
    assert cli.main([command, str(tmp_path)]) == 2
    assert "tells no cost limit; say it (--cost-limit X)" in capsys.readouterr().err
    assert cli.main([command, str(tmp_path), "--cost-limit", "5"]) == 0
    assert cli.main([command, str(tmp_path), "--cost-limit", "-5"]) == 2
    assert "cost_limit = -5; allowed: one number >= 0" in capsys.readouterr().err


def test_a_table_with_a_limit_of_its_own_makes_all_names_tell_theirs(make_run, omnisafe, tmp_path):
    curves = read([make_run(tmp_path / "ours"), omnisafe])
    assert [curve.label for curve in curves] == ["cvpo, limit 10", "PPOLag of OmniSafe, limit 25"]
    assert [curve.method for curve in curves] == ["cvpo", "PPOLag of OmniSafe"]
