"""Several runs on one screen."""

import io

from bridle.run.together import Together


def test_each_line_of_progress_is_told_once_behind_the_runs_name(tmp_path):
    stream = io.StringIO()
    runs = {"seed 0": tmp_path / "a", "seed 10": tmp_path / "b"}
    with Together(runs, stream) as board:
        board.look()
        runs["seed 0"].mkdir()
        with open(runs["seed 0"] / "log.txt", "w") as log:
            log.write("bridle 0.1.0\nstep 100/200  return 1.0\nTraceback\nstep 20")
            log.flush()
            board.look()
            log.write("0/200  return 2.0\ndone: return 2.0\n")
            log.flush()
            board.look()
            board.look()
    assert stream.getvalue().splitlines() == [
        "seed 0   step 100/200  return 1.0",
        "seed 0   step 200/200  return 2.0",
        "seed 0   done: return 2.0",
    ]


def test_a_terminal_shows_the_newest_line_of_every_run(tmp_path):
    stream = io.StringIO()
    (tmp_path / "log.txt").write_text("step 100/200  return 1.0\n")
    with Together({"seed 0": tmp_path, "seed 1": tmp_path / "none"}, stream, live=True) as board:
        board.look()
    shown = stream.getvalue()
    assert "seed 0  step 100/200  return 1.0" in shown
    assert "seed 1  begins" in shown
