"""Tables of other tools, written as these write them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bridle.study import foreign
from bridle.study.curves import read
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
        ("", "is no table"),
    ],
)
def test_a_table_that_cannot_be_read_is_told(tmp_path, text, message):
    (tmp_path / "progress.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        foreign.read(tmp_path / "progress.csv")
