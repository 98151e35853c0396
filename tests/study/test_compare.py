"""Tables of run folders: the numbers, what stands beside them, and how they are written."""

from __future__ import annotations

import csv
import dataclasses
import io
import re

import numpy as np
import pytest

from bridle import cli
from bridle.study import compare, curves, results, seeds, tables
from bridle.study.compare import main
from bridle.study.results import Result, World, normalised, overall, ranked


def curve(path="run", method="a", seed=0, **others):
    one = np.ones(1)
    told = {
        "path": path, "env": "env", "method": method, "label": method, "limit": (10.0,), "constraints": ("cost",),
        "acting": "the policy's mean", "episodes": 10, "seed": seed, "total": None, "step": 100 * one,
        "updates": one, "minutes": one, "length": 50 * one, "returns": one, "cost": np.ones((1, 1)),
        "training_rate": one,
    }  # fmt: skip
    return curves.Curve(**{**told, **others})


def run(returns, cost, **others):
    cost = np.array([cost], float)
    return Result(curve(**others), float(returns), cost, float(np.maximum(0, cost - 10).sum()), 1.0, cost / 50)


def world(env="env", **methods):
    return World(env, (10.0,), ("cost",), {name: [run(*x, seed=i) for i, x in enumerate(methods[name])]
                                           for name in methods})  # fmt: skip


def test_a_table_tells_final_means_seeds_and_how_runs_were_evaluated(make_run, tmp_path, capsys):
    paths = [make_run(tmp_path / f"s{s}", s) for s in range(3)]
    main(paths)
    text = capsys.readouterr().out
    finals = [seeds.final(c) for c in curves.read(paths)]
    assert text.startswith("SafetyCarCircle-v0, dialect fsrl, limit 10\n")
    assert f"{np.mean([r for r, _ in finals]):.1f} [" in text
    assert "3/3" in text
    assert "3 seeds a method; the last 2 evaluations of a run, 10 episodes each, not told how they act." in text
    assert "P(" not in text


def test_what_a_run_came_to_is_the_mean_of_its_last_tenth(make_run, tmp_path):
    found = results.results([make_run(tmp_path / "run", rows=30)])[0].methods["cvpo"][0]
    expected = curves.read([tmp_path / "run"])[0]
    assert found.returns == expected.returns[-3:].mean()
    np.testing.assert_allclose(found.rate, expected.cost[-3:].mean() / 300)
    np.testing.assert_allclose(expected.training_rate, [0.1])
    assert found.excess == 0
    assert found.met == (expected.cost[-3:] <= 10).mean()


def test_runs_are_ranked_feasible_first_then_by_return_then_by_excess():
    ours, theirs = ranked([run(5, 9), run(100, 12)], [run(6, 10), run(50, 11), run(5, 9)])
    assert list(ours) == [2, 0]
    assert list(theirs) == [3, 1, 2]


def test_return_counts_only_where_the_limit_is_met():
    found = normalised(world(safe=[(100, 5), (50, 9)], bold=[(400, 30), (80, 10)]))
    np.testing.assert_allclose(found["safe"], [1.0, 0.0])
    np.testing.assert_allclose(found["bold"], [0.0, 0.6])
    assert list(normalised(world(only=[(7, 5)]))["only"]) == [1.0]
    assert list(normalised(world(bad=[(7, 50)]))["bad"]) == [0.0]


def test_over_environments_each_one_is_held_against_itself():
    worlds = [world("x", a=[(10, 1)] * 3, b=[(20, 1)] * 3), world("y", a=[(900, 1)] * 3, b=[(800, 1)] * 3)]
    found = overall(worlds, "a")
    assert found["b"]["better"] == (0.5, 0.5, 0.5)
    assert found["a"]["normalised"].value == found["b"]["normalised"].value == 0.5
    assert "better" not in found["a"]


def test_a_world_where_a_method_is_missing_is_left_out_and_that_is_told():
    whole = [world(name, a=[(1, 1)] * 3, b=[(2, 1)] * 3) for name in "xy"]
    last = compare.compare([*whole, world("z", a=[(3, 1)] * 3)])[-1]
    assert last.title == "All 2 environments: x, limit 10; y, limit 10"
    assert last.notes[-1] == "Left out, since not every method stands there: z, limit 10."
    alone = compare.compare([whole[0], world("z", a=[(3, 1)])])
    assert alone[-1].notes[-1].startswith("No table over environments")


def test_a_method_is_held_against_the_reference():
    table = compare.compare([world(a=[(1, 1)] * 3, b=[(2, 11)] * 3)])[1]
    assert table.rows[1][-2:] == ("1.00 [1.00, 1.00]", "0.00 [0.00, 0.00]")
    table = compare.compare([world(a=[(1, 1)] * 3, b=[(2, 11)] * 3)], "b")[1]
    assert table.rows[0][-1] == "1.00 [1.00, 1.00]"
    assert table.rows[1][-1] == "-"
    with pytest.raises(ValueError, match="no method 'aa'; did you mean 'a'"):
        compare.compare([world(a=[(1, 1)])], "aa")


def test_limits_stand_in_tables_of_their_own_under_one_name_of_the_method(make_run, tmp_path):
    paths = [make_run(tmp_path / f"l{limit:g}", limit=(limit,)) for limit in (10.0, 20.0)]
    assert [(x.limit, list(x.methods)) for x in results.results(paths)] == [((10.0,), ["cvpo"]), ((20.0,), ["cvpo"])]


def test_runs_that_are_no_proper_seeds_are_told(make_run, tmp_path):
    paths = [make_run(tmp_path / name, 3) for name in ("one", "copy")]
    notes = " ".join(compare.compare(results.results(paths))[0].notes)
    assert "cvpo has seed 3 more than once" in notes
    assert "2 runs have not come to the end" in notes
    assert "20,000 of 1,500,000" in notes


def test_different_constraints_cannot_be_laid_beside_each_other(make_run, two_costs, tmp_path):
    one = dataclasses.replace(two_costs, constraints=("speed",))
    paths = [make_run(tmp_path / "a", spec=two_costs, limit=(10.0, 20.0)), make_run(tmp_path / "b", spec=one)]
    with pytest.raises(ValueError, match=r"a has the constraints speed, crowding and .*b speed, both on toy/TwoCosts"):
        results.results(paths)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda make_run, at: make_run(at / "fresh", rows=0), "no evaluations yet; the first one is due at step 1,000"),
        (lambda make_run, at: at, "is no run folder"),
    ],
)
def test_what_cannot_be_compared_is_told_by_the_command(make_run, tmp_path, capsys, make, message):
    assert cli.main(["compare", str(make(make_run, tmp_path))]) == 2
    assert message in capsys.readouterr().err


def test_csv_holds_every_number_of_every_constraint(make_run, two_costs, tmp_path, capsys):
    for name in ("cvpo", "sac"):
        for s in range(3):
            make_run(tmp_path / "toy" / f"{name}{s}", s, algorithm=name, spec=two_costs, limit=(10.0, 20.0))
            make_run(tmp_path / "car" / f"{name}{s}", s, algorithm=name)
    assert cli.main(["compare", str(tmp_path), "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["env"].partition(",")[0], row["method"]) for row in rows] == [
        (env, name) for env in ("SafetyCarCircle-v0", "toy/TwoCosts-v0", "all") for name in ("cvpo", "sac")
    ]
    toy = rows[3]
    assert toy["limit"] == "10 20"
    assert float(toy["cost_1_low"]) <= float(toy["cost_1"]) <= float(toy["cost_1_high"])
    assert float(toy["training_cost_rate_1"]) == pytest.approx(0.2)
    assert rows[0]["cost_1"] == ""
    assert 0 <= float(rows[-1]["normalised"]) <= 1


@pytest.mark.parametrize(("name", "word"), [("eval/", "nan"), ("eval/cost", "nan"), ("eval/return", "inf")])
def test_a_run_whose_last_evaluations_are_no_numbers_looks_worse_than_any_other(make_run, spoil, tmp_path, name, word):
    for s in range(3):
        spoil(make_run(tmp_path / f"odd{s}", s, level=900), last=1 + s, name=name, word=word)
        make_run(tmp_path / f"bad{s}", s, algorithm="sac", limit=(10.0,))
    (found,) = results.results(tmp_path)
    assert [run.excess for run in found.methods["cvpo"]] == [np.inf] * 3
    assert results.summary(found, "cvpo", "sac")["better"].value == 0
    first, second = compare.compare([found])
    (mine,) = [row for row in first.rows if row[0] == "cvpo"]
    (robust,) = [row for row in second.rows if row[0] == "cvpo"]
    cells = dict(zip(first.header, mine, strict=True))
    assert cells["feasible seeds"] == "0/3"
    assert cells["cost" if "cost" in name else "return"] == robust[3 if "cost" in name else 2] == "-"
    told = " ".join(first.notes)
    assert "odd0: its last evaluation is not a number, so it has no final result and counts as infeasible." in told
    assert "odd2: its last 3 evaluations are not numbers" in told
    assert list(normalised(found)["cvpo"]) == [0.0] * 3


def test_runs_without_evaluations_are_left_out_and_each_is_told_why(make_run, tmp_path, capsys):
    make_run(tmp_path / "whole")
    logs = {"fresh": "", "stopped": "x\nstopped at step 1,234 and saved; go on with: bridle resume x\n",
            "crashed": "Traceback (most recent call last):\n  x\nRuntimeError: motor on fire"}  # fmt: skip
    for name, text in logs.items():
        (make_run(tmp_path / name, rows=0) / "log.txt").write_text(text)
    make_run(tmp_path / "torn").joinpath("config.json").write_text("{")
    told = [
        "crashed ended with an error before its first evaluation: RuntimeError: motor on fire",
        "fresh has no evaluations yet; the first one is due at step 1,000",
        "stopped was stopped at step 1,234, before its first evaluation, which is due at step 1,000",
        "torn/config.json cannot be read",
    ]
    assert cli.main(["compare", str(tmp_path)]) == 0
    table = " ".join(capsys.readouterr().out.split())
    assert table.count("Take care: left out:") == 4
    for style in (["plot"], ["plot", "--kind", "box"], ["compare", "--format", "csv"]):
        assert cli.main([style[0], str(tmp_path), *style[1:]]) == 0
        said = capsys.readouterr().err
        assert all(f"take care: left out: {tmp_path}/{words}" in said for words in told)
    assert all(f"left out: {tmp_path}/{words}" in table for words in told)
    (tmp_path / "whole" / "metrics.csv").unlink()
    assert cli.main(["compare", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "there is nothing to show of 5 runs" in said and all(words in said for words in told)


def test_a_chance_is_not_told_of_fewer_than_three_seeds(make_run, tmp_path):
    few = compare.compare([world(a=[(1, 1)] * 3, b=[(2, 11)] * 2)])[1]
    assert few.rows[1][-2:] == ("-", "-")
    assert "It is not told (-) where a side has fewer than 3 seeds." in few.notes[-1]
    enough = compare.compare([world(a=[(1, 1)] * 3, b=[(2, 11)] * 3)])[1]
    assert "not told" not in enough.notes[-1]
    worlds = [world("x", a=[(1, 1)] * 3, b=[(2, 1)]), world("y", a=[(1, 1)] * 3, b=[(2, 1)] * 3)]
    assert compare.compare(worlds)[-1].rows[1][-1] == "-"


def test_runs_that_were_asked_for_different_steps_or_episodes_are_told(make_run, edit, tmp_path):
    runs = [make_run(tmp_path / str(s), s) for s in range(2)]
    file = runs[1] / "config.json"
    file.write_text(
        file.read_text().replace('"steps": 1500000', '"steps": 3000').replace('_episodes": 10', '_episodes": 5')
    )
    notes = " ".join(compare.compare(results.results(tmp_path))[0].notes)
    assert (
        "cvpo has runs that were asked for 3,000 and 1,500,000 env steps, as if these were seeds of one training."
        in notes
    )
    assert "cvpo has runs whose evaluations are of 5 and 10 episodes." in notes


def test_one_path_and_one_text_are_enough(make_run, tmp_path, capsys):
    make_run(tmp_path / "run")
    main(str(tmp_path))
    main(tmp_path / "run", select="run", exclude="other")
    assert capsys.readouterr().out.count("SafetyCarCircle-v0") == 2


def test_one_of_a_thing_is_said_as_one(make_run, tmp_path, capsys):
    file = make_run(tmp_path / "run", rows=1) / "config.json"
    file.write_text(file.read_text().replace('_episodes": 10', '_episodes": 1'))
    main(tmp_path)
    text = capsys.readouterr().out
    assert "1 seed a method; the last evaluation of a run, 1 episode each" in text


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--out", "{at}/t.docx"], 2, "tables cannot be written as .docx; allowed: .txt, .md, .tex, .csv"),
        (["--out", "{at}"], 1, "cannot be written: is a directory; name another place"),
        (["--out", "{at}/config.json/t.md"], 1, "cannot be written: "),
        (["--format", "docx"], 2, "format = 'docx'; allowed: text, markdown, latex, csv"),
    ],
)
def test_where_tables_cannot_be_written_is_told_in_words(make_run, tmp_path, capsys, words, code, message):
    run = make_run(tmp_path / "run")
    assert cli.main(["compare", str(run), *(word.format(at=run) for word in words)]) == code
    assert message in (said := capsys.readouterr().err)
    assert "Errno" not in said


@pytest.mark.parametrize(("name", "word"), [("md", "| method |"), ("tex", r"\toprule"), ("txt", "  method ")])
def test_an_ending_is_the_name_of_a_format_too(make_run, tmp_path, capsys, name, word):
    main(make_run(tmp_path / "run"), name)
    assert word in capsys.readouterr().out


@pytest.mark.parametrize(("suffix", "word"), [("md", "| method |"), ("tex", r"\toprule"), ("csv", "env,limit,method")])
def test_a_file_is_written_as_its_suffix_says(make_run, tmp_path, suffix, word):
    out = tmp_path / "deep" / f"table.{suffix}"
    assert cli.main(["compare", str(make_run(tmp_path / "run")), "--out", str(out)]) == 0
    assert word in out.read_text()


def test_latex_escapes_what_it_must():
    text = tables.written([tables.Table("a_b & 5 %", ("method",), [("x_1",)], ["P < 1."])], "latex")
    assert r"a\_b \& 5 \%" in text
    assert r"x\_1 \\" in text
    assert "$<$" in text
    assert text.startswith("% needs \\usepackage{booktabs}\n")
    assert r"\caption[{a\_b \& 5 \%}]{a\_b \& 5 \%. P $<$ 1.}" in text
    assert r"\label{tab:a-b-5}" in text


def test_a_column_has_one_number_of_decimals_and_a_dash_for_what_is_not_known():
    nan = float("nan")
    assert tables.column([tables.Estimate(1234.56, 1.0, 2.0), 3.14159, nan], 4) == ["1235 [1, 2]", "3", "-"]
    assert tables.column([0.01234, 0.0], 2) == ["0.012", "0.000"]


def test_markdown_has_as_many_cells_in_each_row(make_run, tmp_path, capsys):
    main([make_run(tmp_path / f"s{s}", s) for s in range(2)], "markdown")
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"\|", line)) for line in rows[:3]} == {11}
    assert rows[1].startswith("| --- | ---: |")
