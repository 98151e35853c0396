"""The page of a report: what stands on it, that nothing breaks out of it, and that it needs nothing from elsewhere."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import hashlib
import html
import json
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from bridle import cli
from bridle.study import compare, curves, results, series
from bridle.study.report import gathered, report
from bridle.study.report.learning import learning
from bridle.study.report.outcomes import box, plane
from bridle.study.report.settings import settings
from bridle.study.report.videos import videos
from bridle.study.seeds import final, met, summaries


class Page(HTMLParser):
    """Tags with their attributes, the text between them, and scripts by their type."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.words, self.scripts, self._in = [], "", {}, None
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._in = dict(attrs).get("type", "javascript") if tag == "script" else tag

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] == "script" and data.strip():
            self.scripts.setdefault(self._in, []).append(data)
        elif self._in != "style":
            self.words += data

    def figures(self):
        return [json.loads(text) for text in self.scripts.get("application/json", [])]


def test_every_number_of_the_tables_stands_on_the_page(study):
    page = Page(report([study]))
    tables = compare.compare(results.results([study]))
    assert len(tables) == 2
    for table in tables:
        assert table.title in page.words
        for cell in [*table.header, *(cell for row in table.rows for cell in row)]:
            assert cell.replace(" [", "[") in page.words.replace(" [", "[")
        assert all(note in page.words for note in table.notes)


def test_the_head_tells_what_the_runs_are(study):
    page = Page(report([study]))
    words = " ".join(page.words.split())
    assert "2 methods on SafetyCarCircle-v0" in words
    for name, value in {"Runs": 6, "Methods": 2, "Seeds of a method": 3, "Cost limit of an episode": 10}.items():
        assert f"{name}{value}" in words.replace(" ", "").replace(name.replace(" ", ""), name)
    assert "300 env steps an episode" in words and "dialect fsrl" in words
    assert [f["layout"]["yaxis"].get("title", {}).get("text") for f in page.figures()] == ["return", None, "return"]


def test_curves_are_the_means_and_bands_of_bridle_plot_along_every_axis(study):
    found = gathered([study])
    methods = found.envs[0].methods
    figure = learning(methods, found.looks)
    for x in series.AXES:
        for name, group in methods.items():
            summed = summaries(group, x)
            mine = [
                t for t in figure.data if t["meta"]["method"] == found.looks[name].number and t["meta"]["axis"] == x
            ]
            means, bands = ([t for t in mine if t["meta"]["part"] == part] for part in ("mean", "band"))
            assert len([t for t in mine if t["meta"]["part"] == "seed"]) == 3 * 2
            assert len([t for t in mine if t["meta"]["part"] == "training"]) == 2
            for i, summary in enumerate(summed):
                np.testing.assert_allclose(means[2 * i]["y"], summary.mean)
                np.testing.assert_allclose(np.isfinite(means[2 * i + 1]["y"]), met(summed, (10.0,)))
                np.testing.assert_allclose(bands[i]["y"], np.concatenate([summary.high, summary.low[::-1]]))
    shown = {(t["meta"]["axis"], t["meta"]["part"]) for t in figure.data if t["visible"]}
    assert shown == {("step", part) for part in ("mean", "band", "seed")}
    limit = [shape for shape in figure.layout["shapes"] if shape["type"] == "line"]
    assert [(shape["yref"], shape["y0"], shape["y1"]) for shape in limit] == [("y2", 10, 10)]


def test_boxes_and_planes_are_of_the_last_tenth(study):
    found = gathered([study])
    methods = found.envs[0].methods
    pool = np.concatenate([curve.cost[-2:, 0] for curve in methods["cvpo"]])
    box_trace, points, mean = box(methods, found.looks).data[:3]
    assert [box_trace[key][0] for key in ("q1", "median", "q3")] == list(np.percentile(pool, [25, 50, 75]))
    assert (box_trace["lowerfence"], box_trace["upperfence"], mean["x"]) == ([pool.min()], [pool.max()], [pool.mean()])
    np.testing.assert_allclose(points["x"], pool)
    each, great = plane(methods, found.looks).data[:2]
    np.testing.assert_allclose(each["y"], [final(curve)[0] for curve in methods["cvpo"]])
    np.testing.assert_allclose(great["x"], [np.mean([final(curve)[1] for curve in methods["cvpo"]])])


def test_a_method_has_one_colour_everywhere_also_where_others_are_missing(study, make_run, two_costs):
    make_run(study / "toy", algorithm="sac-lag", spec=two_costs, limit=(10.0, 20.0))
    found = gathered([study])
    colours = set()
    for place in found.envs:
        drawn = [
            learning(place.methods, found.looks),
            box(place.methods, found.looks),
            plane(place.methods, found.looks),
        ]
        mine = found.looks["sac-lag"]
        for trace in (t for figure in drawn for t in figure.data if t["meta"]["method"] == mine.number):
            told = json.dumps(trace.get("line", {})) + json.dumps(trace.get("marker", {}))
            colours |= set(re.findall(r"#[0-9A-Fa-f]{6}", told))
    assert list(place.methods) == ["sac-lag"]
    assert colours - {found.looks["sac-lag"].colour} == set() != colours - {found.looks["cvpo"].colour}


def test_one_method_under_two_limits_has_one_colour_two_symbols_and_the_same_marks_in_tables(make_run, tmp_path):
    for limit in (10.0, 20.0):
        make_run(tmp_path / f"cvpo-{limit}", limit=(limit,))
        make_run(tmp_path / f"sac-{limit}", limit=(limit,), algorithm="sac")
    found = gathered([tmp_path])
    low, high = found.looks["cvpo, limit 10"], found.looks["cvpo, limit 20"]
    assert low.colour == high.colour != found.looks["sac, limit 10"].colour
    assert low.symbol != high.symbol and low.dash(2) != high.dash(2)
    marks = {table.title: looks for table, looks in found.envs[0].tables}
    assert marks["SafetyCarCircle-v0, dialect fsrl, limit 10"]["cvpo"] == low
    assert marks["SafetyCarCircle-v0, dialect fsrl, limit 20"]["cvpo"] == high
    page = Page(report([tmp_path]))
    assert "Methods2" in page.words
    glyphs = [f'--c:{look.colour}" data-glyph="{look.glyph}"' for look in (low, high)]
    assert [page.source.count(glyph) for glyph in glyphs] == [4, 3], "legend, two tables of each limit, one over both"


def test_a_name_tells_the_limit_only_where_its_environment_has_several(make_run, two_costs, tmp_path):
    for limit in (10.0, 20.0):
        make_run(tmp_path / f"car-{limit}", limit=(limit,))
    make_run(tmp_path / "toy", spec=two_costs, limit=(10.0, 20.0))
    assert [list(place.methods) for place in gathered([tmp_path]).envs] == [
        ["cvpo, limit 10", "cvpo, limit 20"], ["cvpo"],
    ]  # fmt: skip


def test_a_run_that_ended_before_its_first_evaluation_is_told_once(make_run, tmp_path):
    make_run(tmp_path / "whole")
    (make_run(tmp_path / "crashed", 1, rows=0) / "log.txt").write_text(
        "Traceback (most recent call last):\n  x\nRuntimeError: motor on fire"
    )
    told = [text for text in gathered([tmp_path]).care if "crashed" in text]
    assert told == [
        f"{tmp_path / 'crashed'} ended with an error before its first evaluation: RuntimeError: motor on fire."
    ]


def test_one_evaluation_above_the_limit_is_a_ring(make_run, tmp_path):
    found = gathered([make_run(tmp_path / "run", rows=1, limit=(0.5,))])
    figure = learning(found.envs[0].methods, found.looks)
    rings = [t for t in figure.data if t["mode"] == "lines+markers" and t.get("marker", {}).get("color") == "white"]
    assert [(ring["yaxis"], len(ring["x"]), ring["visible"]) for ring in rings[:2]] == [("y", 1, True), ("y2", 1, True)]


def test_seeds_that_share_no_minutes_are_drawn_alone_and_told(make_run, tmp_path):
    for seed, seconds in enumerate((1.0, 90.0)):
        make_run(tmp_path / f"seed-{seed}", seed, rows=3, seconds=seconds)
    found = gathered([tmp_path])
    assert any("cvpo have no minutes of training in common" in text for text in found.care)
    figure = learning(found.envs[0].methods, found.looks)
    drawn = [t for t in figure.data if t["meta"]["axis"] == "minutes" and t["meta"]["part"] == "mean"]
    assert [len(trace["x"]) for trace in drawn] == [3, 3] * 2
    assert "have no minutes" in Page(report([tmp_path])).words


def test_a_box_far_above_the_limit_does_not_squash_the_others(make_run, tmp_path):
    good, bad = make_run(tmp_path / "good"), make_run(tmp_path / "bad", algorithm="sac")
    file = bad / "metrics.csv"
    head, *rows = [line.split(",") for line in file.read_text().splitlines()]
    for row in rows:
        row[head.index("eval/cost")] = "900.0" if row[head.index("eval/cost")] else ""
    file.write_text("\n".join(map(",".join, [head, *rows])) + "\n")
    found = gathered([good, bad])
    figure = box(found.envs[0].methods, found.looks)
    assert figure.layout["xaxis"]["range"][1] < 50
    assert any("median 900" in note["text"] for note in figure.layout["annotations"])
    assert all(max(t["x"], default=0) < 50 for t in figure.data if t["type"] == "scatter"), "points stay inside"


def test_evaluations_that_are_no_numbers_stand_on_the_page_as_they_are(make_run, spoil, tmp_path):
    spoil(make_run(tmp_path / "run"), last=20)
    make_run(tmp_path / "other", algorithm="sac")
    page = Page(report([tmp_path]))
    assert "its last 20 evaluations are not numbers" in page.words
    assert "0/1" in page.words and "not a number" in page.source


def test_nothing_is_loaded_and_only_our_scripts_run(study):
    page = Page(report([study]))
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "poster", "data", "action", "xlink:href", "background"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes)
        assert tag not in ("link", "base", "iframe", "object", "embed", "form")
    assert not re.search(r"url\(|@import", page.source.partition("</style>")[0])
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy and "connect-src" not in policy
    (packed,), (script,) = page.scripts["text/plain"], page.scripts["javascript"]
    plotly = gzip.decompress(base64.b64decode(packed))
    assert b"plotly.js v" in plotly[:200]
    for text in (plotly, script.encode()):
        assert base64.b64encode(hashlib.sha256(text).digest()).decode() in policy
    assert len(page.source) < 0.6 * len(plotly)
    assert "http://" not in page.source.replace("http://www.w3.org", "") and "https://" not in page.source


def test_no_text_of_a_run_folder_breaks_out(hostile):
    folder, text = hostile
    page = Page(report([folder]))
    assert text in page.words
    assert not {"img", "b"} & {tag for tag, a in page.tags if not a.get("src", "").startswith("data:image/gif")}
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]
    assert sum(tag == "script" for tag, _ in page.tags) == 3 + 2
    assert not any("<" in told for told in page.scripts["application/json"])
    names = {trace.get("name") for figure in page.figures() for trace in figure["data"]} - {None}
    assert names and not any("<" in name for name in names), "plotly reads tags in names"
    assert html.escape(text) in page.source


def test_settings_that_differ_stand_first_and_are_marked(make_run, tmp_path):
    runs = [make_run(tmp_path / f"run-{i}", i, algorithm="cvpo") for i in range(3)]
    told = [{"gain": 0.1, "rule": {"kind": "Log", "cap": 1000000}}, {"gain": 0.1, "rule": {"kind": "Log", "cap": 1000000}},
            {"gain": 0.2, "rule": {"kind": "Log", "cap": 1000000}, "own": True}]  # fmt: skip
    for run, config in zip(runs, told, strict=True):
        whole = json.loads((run / "config.json").read_text())
        (run / "config.json").write_text(json.dumps(whole | {"config": config}))
    found = settings(curves.read(runs))
    assert found.methods == ["cvpo, gain 0.1", "cvpo, gain 0.2, own True"]
    differing, some, shared = map(dict, (found.differing, found.some, found.shared))
    assert differing == {
        "environments": ["SafetyCarCircle-v0, dialect fsrl"] * 2, "seeds": ["0; 1", "2"], "gain": ["0.1", "0.2"],
    }  # fmt: skip
    assert some == {"own": ["", "yes"]}
    assert (shared["rule"], shared["rule.cap"], shared["cost_limit"]) == (["Log"] * 2, ["1,000,000"] * 2, ["10.0"] * 2)
    assert "version: numpy" in shared
    page = Page(report(runs))
    marked = re.findall(r"<mark>(.*?)</mark>", page.source)
    assert marked == ["2", "0.2"]


def test_runs_of_one_method_that_differ_are_told(make_run, tmp_path):
    runs = [make_run(tmp_path / "a", 0), make_run(tmp_path / "b", 1)]
    file = runs[1] / "config.json"
    file.write_text(file.read_text().replace('"eval_every": 1000', '"eval_every": 2000'))
    assert dict(settings(curves.read(runs)).differing)["eval_every"] == ["1,000; 2,000"]


def test_videos_lie_in_the_page_as_far_as_there_is_room(make_run, tmp_path):
    runs = [make_run(tmp_path / name, s) for s, name in enumerate("ab")]
    for run in runs:
        (run / "videos" / "best.mp4").write_bytes(b"m" * 400_000)
        (run / "videos" / "last.gif").write_bytes(b"g" * 300_000)
        (run / "videos" / "empty.mp4").touch()
        (run / "videos" / "notes.txt").write_text("no video")
    page = Page(report([tmp_path], megabytes=1.2))
    sources = [a["src"] for tag, a in page.tags if tag in ("img", "video")]
    assert len(sources) == 3
    assert sum(len(base64.b64decode(source.partition(",")[2])) for source in sources) <= 1.2e6
    assert "0.4 MB; 0." in page.words or "0.3 MB; 0." in page.words
    assert page.words.count("empty.mp4: it is empty") == 2
    taken, left = videos(curves.read([tmp_path]), 0.0)
    assert taken == [] and len(left) == 6
    assert "videos" not in [a.get("id") for _, a in Page(report([make_run(tmp_path / "c")])).tags]


def test_the_first_videos_are_one_of_each_run(make_run, tmp_path):
    for name in "ab":
        for film in ("1.gif", "2.gif"):
            (make_run(tmp_path / name) if film == "1.gif" else tmp_path / name).joinpath("videos", film).write_bytes(
                b"GIF"
            )
    taken, _ = videos(curves.read([tmp_path]), 7e-6)
    assert [video.curve.path.name for video in taken] == ["a", "b"]


def test_what_to_take_care_of_stands_on_top(make_run, tmp_path):
    runs = [make_run(tmp_path / name, 3) for name in ("one", "copy")]
    (runs[0] / "log.txt").write_text(
        "Traceback (most recent call last):\n  x\nbridle.run.diverged.Diverged: update 'a' diverged"
    )
    make_run(tmp_path / "fresh", 4, rows=0)
    make_run(tmp_path / "torn").joinpath("config.json").write_text("{")
    make_run(tmp_path / "odd").joinpath("metrics.csv").write_text("step,eval/return\n10,1.5\n")
    page = Page(report([tmp_path]))
    care = page.source.partition('<section class="care">')[2].partition("</section>")[0]
    for words in (
        "cvpo has seed 3 more than once", "2 runs have not come to the end", "Diverged: update 'a' diverged",
        "fresh has no evaluations yet; the first one is due at step 1,000", "torn", "lacks the columns eval/cost",
    ):  # fmt: skip
        assert words in html.unescape(care)
    assert "no evaluations yet" in page.words.partition("9")[2]


def test_a_run_before_its_first_evaluation_shows_its_training(make_run, tmp_path):
    run = make_run(tmp_path / "run", rows=3)
    rows = [line.split(",") for line in (run / "metrics.csv").read_text().splitlines()]
    blank = [rows[0].index(name) for name in rows[0] if name.startswith("eval/")]
    lines = [[("" if i in blank else cell) for i, cell in enumerate(row)] for row in rows[1:]]
    (run / "metrics.csv").write_text("\n".join(map(",".join, [rows[0], *lines])) + "\n")
    page = Page(report([run]))
    (figure,) = page.figures()
    assert {trace["meta"]["part"] for trace in figure["data"] if trace["visible"]} == {"training"}
    assert "no evaluations yet" in page.words
    (run / "metrics.csv").unlink()
    assert "Nothing has been logged yet." in Page(report([run])).words


def test_a_world_without_costs_has_its_curve_and_no_limit(make_run, two_costs, tmp_path):
    make_run(tmp_path / "run", spec=dataclasses.replace(two_costs, constraints=()))
    page = Page(report([tmp_path]))
    (figure,) = page.figures()
    assert "shapes" not in figure["layout"] and "yaxis2" not in figure["layout"]
    assert "Cost limit of an episodenone" in page.words
    assert "limit" not in page.words.partition("Learning curves")[2].partition("setting")[0]


def test_each_constraint_and_each_limit_has_its_place(make_run, two_costs, tmp_path):
    for limit in (10.0, 15.0):
        make_run(tmp_path / f"run-{limit}", spec=two_costs, limit=(limit, 20.0), rows=1)
    page = Page(report([tmp_path]))
    curve, boxes, planes = (figure["layout"] for figure in page.figures())
    for layout in (curve, boxes, planes):
        lines = [shape for shape in layout["shapes"] if shape["type"] == "line"]
        assert sorted(shape.get("y0") if layout is curve else shape["x0"] for shape in lines) == [10, 15, 20]
    assert [curve[f"yaxis{i}"]["title"]["text"] for i in (2, 3)] == ["cost: speed", "cost: crowding"]
    assert [boxes[name]["title"]["text"] for name in ("xaxis", "xaxis2")] == ["cost: speed", "cost: crowding"]
    assert "speed 10, crowding 20; speed 15, crowding 20" in page.words


def test_tables_of_other_tools_and_folders_of_studies_are_taken(study, tmp_path):
    (study / "study.json").write_text("{}")
    theirs = study / "theirs"
    theirs.mkdir()
    rows = "".join(f"{k},{10 * k},{60 - k},300,{900 * k},{30 * k}\n" for k in range(1, 21))
    header = "Train/Epoch,Metrics/EpRet,Metrics/EpCost,Metrics/EpLen,TotalEnvSteps,Time/Total\n"
    (theirs / "progress.csv").write_text(header + rows)
    (theirs / "config.json").write_text(json.dumps({"algo": "PPOLag", "env_id": "SafetyCarCircle-v0", "seed": 0}))
    page = Page(report([study]))
    assert "PPOLag of OmniSafe" in page.words
    assert "updates" not in [a.get("data-axis") for _, a in page.tags], "the other tool does not tell gradient steps"
    assert "minutes" in [a.get("data-axis") for _, a in page.tags]


def test_one_path_is_enough(study):
    assert report(str(study)) == report(study) == study / "report.html"


def test_the_command_writes_where_it_is_told_and_replaces_a_page(study, tmp_path, capsys):
    assert cli.main(["report", str(study)]) == 0
    assert capsys.readouterr().out.strip() == str(study / "report.html")
    for out, path in (
        (tmp_path / "a" / "b.html", tmp_path / "a" / "b.html"),
        (tmp_path / "c", tmp_path / "c" / "report.html"),
    ):
        words = ["report", str(study), "--out", str(out), "--reference", "sac-lag", "--select", "runs", "--videos", "0"]
        assert cli.main(words) == cli.main(words) == 0
        assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert "beats one of sac-lag" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere is no run folder: nothing lies there"),
        (["{study}", "--select", "dreamer"], "no run is left by --select dreamer; there are: cvpo, sac-lag"),
        (["{study}", "--reference", "cpvo"], "no method 'cpvo'; did you mean 'cvpo'?"),
        (["{study}", "--videos", "-1"], "videos = -1 MB; allowed: a number >= 0"),
        (["{study}", "--out", "page.pdf"], "a page cannot be written as .pdf; allowed: .html, .htm, or a folder"),
        (["{study}", "--out", "{torn}/config.json/a.html"], "cannot be written"),
        (["{study}", "--vidoes", "1"], "no option --vidoes; did you mean '--videos'?"),
        (["{torn}"], "config.json cannot be read"),
    ],
)
def test_mistakes_are_told(study, make_run, tmp_path, capsys, words, said):
    make_run(tmp_path / "torn").joinpath("config.json").write_text("{")
    assert cli.main(["report", *(word.format(study=study, torn=tmp_path / "torn") for word in words)]) in (1, 2)
    assert said in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.html"))


def test_without_plotly_the_extra_is_named(study, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "plotly", None)
    monkeypatch.delitem(sys.modules, "plotly.offline", raising=False)
    assert cli.main(["report", str(study)]) == 1
    assert "pip install 'bridle[report]'" in capsys.readouterr().err
