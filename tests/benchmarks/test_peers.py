"""The driver of the comparison with other libraries: what it installs, in which order it runs, what it makes of the numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PEERS = Path(__file__).parents[2] / "benchmarks" / "peers"


@pytest.fixture(scope="module")
def run():
    sys.path[:0] = [str(PEERS), str(PEERS.parent)]
    import run

    yield run
    del sys.path[:2]
    for name in [name for name in sys.modules if name.partition(".")[0] in ("run", "recipes", "timing")]:
        del sys.modules[name]


def test_every_peer_has_a_recipe_and_a_side_and_all_is_pinned(run):
    recipes = sys.modules["recipes"].RECIPES
    assert recipes.keys() == {peer.home or name for name, peer in run.PEERS.items()}
    assert all((PEERS / f"peer_{name}.py").exists() for name in run.PEERS)
    for calls in recipes.values():
        words = [word for call in calls for word in call if not word.startswith("--")]
        assert all("==" in word for word in words)


def test_an_unknown_peer_is_refused_by_name(run, capsys):
    with pytest.raises(SystemExit):
        run.arguments(["sbc"])
    assert "no peer 'sbc'; allowed: fsrl, sbx, sb3, omnisafe" in capsys.readouterr().err


def test_ratios_are_of_neighbours_and_sides_run_in_turns(run, monkeypatch):
    asked = []

    def measure(side, seconds, threads):
        asked.append(Path(side[1]).name)
        count = {"peer_sbx.py": 10, "ours.py": 20}[asked[-1]] * (1 + (len(asked) > 6))  # faster in the second round
        return {"count": count, "seconds": 1.0, "cpu": 2.0 if asked[-1] == "ours.py" else 1.0, "versions": {"a": "1"}}

    monkeypatch.setattr(run, "measure", measure)
    monkeypatch.setattr(run, "environment", lambda *_: Path("python"))
    rows, versions = run.compare("sbx", run.arguments(["sbx", "--rounds", "2"]), Path())
    assert asked == ["peer_sbx.py", "peer_sbx.py", "ours.py"] + ["ours.py", "peer_sbx.py", "peer_sbx.py"] + asked[:3]
    assert len(rows) == 2 and versions == ["- a 1"] * 3
    assert "**2.00** (2.00-2.00) | 1.25 | met | **1.00** (1.00-1.00) |" in rows[0]
    assert (
        rows[1].count("|") == rows[0].count("|") == run.heading(run.arguments([]), ["sbx"]).splitlines()[-1].count("|")
    )


def test_a_peer_that_fails_is_a_line_of_the_table_and_the_next_one_is_compared(run, monkeypatch, capsys):
    def environment(peer, *_):
        if peer == "fsrl":
            raise subprocess.CalledProcessError(1, ["pip"])
        return Path("python")

    monkeypatch.setattr(run, "pin", lambda cores: None)
    monkeypatch.setattr(run, "environment", environment)
    monkeypatch.setattr(run, "measure", lambda *_: {"count": 2, "seconds": 1.0, "cpu": 1.0, "versions": {}})
    assert run.main(["fsrl", "sb3", "--rounds", "1"]) == 0
    head, _, fsrl, sb3 = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert "failed: Command '['pip']'" in fsrl and "**1.00** (1.00-1.00) | 1.8 | **missed**" in sb3
    assert head.count("|") == fsrl.count("|") == sb3.count("|")


def test_a_window_counts_between_its_first_and_its_last_note():
    code = "from window import Window; w = Window(0.0); w.wanted = 1e-9; w.note(5); w.note(12); w.tell('numpy')"
    done = subprocess.run([sys.executable, "-c", code], cwd=PEERS, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert told["count"] == 7 and told["seconds"] > 0 and "numpy" in told["versions"]
