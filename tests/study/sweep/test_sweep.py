"""A study survives whatever happens to its driver, its trials and its folder."""

import fcntl
import importlib.util
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from bridle.cli import main
from bridle.run import log
from bridle.run.cores import held
from bridle.study import curves
from bridle.study.sweep import job, plan
from bridle.study.sweep.board import Board, duration
from bridle.study.sweep.manifest import Manifest
from bridle.study.sweep.process import Place

FAKE = Path(__file__).with_name("fake_train.py")
SMALL = """
algorithms = ["sac-lag"]
envs = ["toy/Corridor-v0"]
seeds = {seeds}
cost_limits = {limits}
folder = "{folder}"
[options]
steps = {steps}
num_envs = 4
eval_every = 1_000
eval_episodes = 2
log_every = 200
checkpoint_every = 400
[config]
hidden = [8]
batch = 16
memory = 1_000
"""


def needs(*modules):
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} is not installed: pip install 'bridle[ray]'")


@pytest.fixture
def study(tmp_path):
    """Writes a study file; its path and its folder."""

    def write(seeds=(0, 1, 2), limits=(3,), steps=1_000, more=""):
        file, folder = tmp_path / "study.toml", tmp_path / "runs"
        text = SMALL.format(seeds=list(seeds), limits=list(limits), steps=steps, folder=folder)
        file.write_text(text + more)
        return file, folder

    return write


@pytest.fixture
def fake(monkeypatch):
    """Trials are played by `fake_train.py`: `fake["seed-1"] = "crash"` says how."""
    how = {}
    command = Place.command

    def played(self):
        kind = next((how[end] for end in how if self.run.name.endswith(end)), "complete")
        return [sys.executable, str(FAKE), str(self.run), kind, command(self)[3]]

    monkeypatch.setattr(Place, "command", played)
    return how


def states(folder):
    trials = json.loads((folder / "study.json").read_text())["trials"]
    return {name.rpartition("_")[2]: trial["state"] for name, trial in trials.items()}


def calls(folder):
    return (folder / "toy-Corridor-v0" / "sac-lag" / "calls.txt").read_text().splitlines()


def test_a_finished_study_is_never_trained_again(study, fake, capsys):
    file, folder = study()
    assert main(["sweep", str(file)]) == 0
    out = capsys.readouterr().out
    assert "3 of 3 done, 0 failed, 0 left" in out and "return 1.0, cost 2.0, which meets the limit 3" in out
    assert main(["sweep", str(file)]) == 0
    assert len(calls(folder)) == 3
    assert "3 done before" in capsys.readouterr().out
    study(seeds=(0, 1, 2, 3))
    assert main(["sweep", str(file)]) == 0
    assert len(calls(folder)) == 4 and set(states(folder).values()) == {"done"}


def test_a_study_may_grow_longer_and_goes_on_from_where_it_was(study, fake, monkeypatch):
    file, folder = study(seeds=[0])
    assert main(["sweep", str(file)]) == 0
    monkeypatch.undo()
    study(seeds=[0], steps=2_000)
    trials = plan.trials(plan.read(file))
    assert Manifest(folder, plan.read(file), trials)[trials[0].name]["state"] == "waiting"
    place = Place(folder, trials[0])
    assert not place.is_complete() and place.command()[3:] == ["resume", str(place.run), "--steps", "2000"]
    study(seeds=[0], steps=500)
    with pytest.raises(ValueError, match="steps was 1000, the study file says 500"):
        Manifest(folder, plan.read(file), plan.trials(plan.read(file)))


def test_a_trial_that_crashes_is_listed_with_its_error_and_log_and_the_others_go_on(study, fake, capsys):
    file, folder = study()
    fake["seed-1"] = "crash"
    assert main(["sweep", str(file), "--workers", "1"]) == 1
    out = capsys.readouterr().out
    assert "2 of 3 done, 1 failed" in out and "--retry-failed" in out
    (where,) = {line.partition("log: ")[2] for line in out.splitlines() if "log: " in line}
    assert "failed    toy-Corridor-v0/sac-lag/limit-3_seed-1: update 'policy' diverged" in out
    assert "update 'policy' diverged" in Path(where).read_text()
    fake.clear()
    assert main(["sweep", str(file)]) == 1
    assert len(calls(folder)) == 3
    assert main(["sweep", str(file), "--retry-failed"]) == 0
    assert len(calls(folder)) == 4 and states(folder)["seed-1"] == "done"


def test_max_minutes_lets_all_save_and_says_how_to_go_on(study, fake, capsys):
    file, folder = study()
    fake["seed-0"] = "slow"
    begun = time.monotonic()
    assert main(["sweep", str(file), "--workers", "1", "--max-minutes", "0.05"]) == 0
    assert time.monotonic() - begun < 15
    out = capsys.readouterr().out
    assert f"go on with: bridle sweep {file} --workers 1 --max-minutes 0.05" in out
    assert states(folder) == {"seed-0": "waiting", "seed-1": "waiting", "seed-2": "waiting"}
    fake.clear()
    assert main(["sweep", str(file)]) == 0
    assert "resumed   toy-Corridor-v0/sac-lag/limit-3_seed-0 at step 500" in capsys.readouterr().out


def test_a_signal_lets_all_save(study, fake, capsys):
    file, folder = study()
    fake["seed-"] = fake["seed-0"] = "slow"

    def interrupt():
        while not list(folder.glob("**/ready")):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert main(["sweep", str(file), "--workers", "1"]) == 143
    thread.join()
    assert "stopped   toy-Corridor-v0/sac-lag/limit-3_seed-0 at step 500" in capsys.readouterr().out
    assert states(folder)["seed-0"] == "waiting"


def test_an_orphan_is_waited_for_and_never_doubled(study, fake, capsys):
    file, folder = study()
    (trial, *_) = plan.trials(plan.read(file))
    orphan = Place(folder, trial).start(1)
    assert main(["sweep", str(file)]) == 0
    orphan.wait()
    out = capsys.readouterr().out
    assert "seed-0: another process trains it, it is waited for" in out and "3 of 3 done" in out
    assert sorted(calls(folder)) == [f"limit-3_seed-{i} complete" for i in range(3)]


def test_a_run_that_somebody_trains_by_hand_is_left_alone_at_a_stop(study, fake, capsys, monkeypatch):
    monkeypatch.setattr("bridle.study.sweep.local.PATIENCE", 0.5)
    file, folder = study(seeds=[0])
    run = Place(folder, plan.trials(plan.read(file))[0]).run
    run.mkdir(parents=True)
    with open(run / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(["sweep", str(file), "--max-minutes", "0.005"]) == 0
    assert "another process trains it still, and is left alone" in capsys.readouterr().out


def test_half_a_run_folder_is_set_aside_and_not_deleted(study, fake, capsys):
    file, folder = study(seeds=[0])
    run = folder / "toy-Corridor-v0" / "sac-lag" / "limit-3_seed-0"
    run.mkdir(parents=True)
    (run / "versions.json").write_text("mine")
    assert main(["sweep", str(file)]) == 0
    assert (run.with_name("limit-3_seed-0.set-aside-1") / "versions.json").read_text() == "mine"
    assert "set aside" in capsys.readouterr().out


def test_what_was_set_aside_is_no_run_any_more(study, fake):
    file, folder = study(seeds=[0])
    run = folder / "toy-Corridor-v0" / "sac-lag" / "limit-3_seed-0"
    run.mkdir(parents=True)
    (run / "config.json").write_text("{}")  # killed before its first checkpoint
    assert main(["sweep", str(file)]) == 0
    assert (run.with_name("limit-3_seed-0.set-aside-1") / "config.json").exists()
    assert curves.find([folder]) == [run]


def test_a_trial_that_somebody_resumes_by_hand_meanwhile_is_waited_for(study, fake, capsys):
    file, folder = study(seeds=[0, 1])
    fake["seed-0"] = "slow"
    first, second = (Place(folder, trial) for trial in plan.trials(plan.read(file)))
    second.run.mkdir(parents=True)
    told: list[int] = []

    def by_hand():
        while not (first.run / "ready").exists():
            time.sleep(0.01)
        with open(second.run / ".lock", "a") as mine:
            fcntl.flock(mine, fcntl.LOCK_EX)
            os.kill(
                Manifest(folder, plan.read(file), plan.trials(plan.read(file)))[first.trial.name]["pid"], signal.SIGTERM
            )
            time.sleep(0.5)
            told.extend(calls(folder))

    hand = threading.Thread(target=by_hand)
    hand.start()
    assert main(["sweep", str(file), "--workers", "1"]) == 0
    hand.join()
    assert len(told) == 1, "the second was not begun while somebody had it"
    assert "another process trains it, it is waited for" in capsys.readouterr().out
    assert sorted(states(folder).values()) == ["done", "waiting"]


@pytest.mark.parametrize("seen", ["by a trial", "by us"])
def test_a_full_disk_stops_the_study_and_nothing_is_marked_as_failed(study, fake, capsys, monkeypatch, seen):
    file, folder = study()
    fake["seed-0"] = "full" if seen == "by a trial" else "crash"
    if seen == "by us":
        begin = job.Job.begin
        monkeypatch.setattr(job.Job, "begin", lambda *a: (begin(*a), monkeypatch.setattr(job, "ROOM", float("inf")))[0])
    assert main(["sweep", str(file), "--workers", "1"]) == 1
    out = capsys.readouterr().out
    assert f"the disk of {folder} is full" in out and "go on with" in out
    assert set(states(folder).values()) == {"waiting"} and len(calls(folder)) == 1


def test_a_folder_of_another_study_or_of_other_settings_is_refused(study, fake, capsys):
    file, folder = study(seeds=[0])
    assert main(["sweep", str(file)]) == 0
    file.rename(other := file.with_name("other.toml"))
    assert main(["sweep", str(other)]) == 2
    assert "holds the study 'study', not 'other'" in capsys.readouterr().err
    file, _ = study(seeds=[0], steps=500)
    assert main(["sweep", str(file)]) == 2
    assert "steps was 1000, the study file says 500" in capsys.readouterr().err
    (folder / "study.json").write_text('{"trials": 3')
    assert main(["sweep", str(file)]) == 2
    assert "study.json cannot be read" in capsys.readouterr().err


def test_a_lost_manifest_is_made_anew_from_the_run_folders_but_a_strangers_run_is_refused(study, fake, capsys):
    file, folder = study(seeds=[0])
    assert main(["sweep", str(file)]) == 0
    (folder / "study.json").unlink()
    study(seeds=[0], steps=2_000)
    assert main(["sweep", str(file)]) == 2
    assert "holds a run that is none of this study: its steps is 1000, not 2000" in capsys.readouterr().err
    study(seeds=[0])
    assert main(["sweep", str(file)]) == 0
    assert "0 to train, 1 done before" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_told_before_anything_starts(study, capsys):
    file, folder = study()
    folder.write_text("a file")
    assert main(["sweep", str(file)]) == 2
    assert f"folder {folder} cannot be written" in capsys.readouterr().err


def test_two_drivers_do_not_run_one_study(study, fake, capsys):
    file, folder = study()
    folder.mkdir()
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(["sweep", str(file)]) == 1
    assert "is being trained by another process" in capsys.readouterr().err


def test_a_dry_run_lists_and_leaves_nothing(study, capsys):
    file, folder = study()
    assert main(["sweep", str(file), "--dry-run", "--workers", "3"]) == 0
    out = capsys.readouterr().out
    assert "limit-3_seed-2  waiting" in out and "3 waiting; 3 to train, 3 at once, 1 core each" in out
    assert not folder.exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--wrokers", "2"], "no option --wrokers; did you mean '--workers'"),
        (["--workers", "0"], "allowed: an integer > 0"),
        (["--max-minutes", "nan"], "allowed: a number > 0"),
        (["--address", "auto"], "add --engine ray"),
    ],
)
def test_a_wrong_flag_is_told(study, words, told, capsys):
    file, _ = study()
    assert main(["sweep", str(file), *words]) == 2
    assert told in capsys.readouterr().err


def test_help_and_wrong_names_load_no_jax(study):
    file, _ = study(more="[grid]\ndiscuont = [1]\n")
    code = (
        "import sys; from bridle.cli import main; code = main(sys.argv[1:]); "
        "assert 'jax' not in sys.modules and 'numpy' not in sys.modules; sys.exit(code)"
    )
    for words, expected in ((["--help"], 0), ([str(file)], 2)):
        done = subprocess.run(
            [sys.executable, "-c", code, "sweep", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == expected, done.stderr


@pytest.fixture
def two_cores(tmp_path, monkeypatch):
    """Two cores, and nobody else on them."""
    if not hasattr(os, "sched_setaffinity") or len(all_cores := os.sched_getaffinity(0)) < 2:
        pytest.skip("takes two cores, on a system that pins processes to them")
    monkeypatch.setattr("bridle.run.cores.HOME", tmp_path / "cores")
    os.sched_setaffinity(0, two := set(sorted(all_cores)[:2]))
    yield two
    os.sched_setaffinity(0, all_cores)


def test_each_trial_has_cores_of_its_own_until_it_ends(study, fake, two_cores):
    file, folder = study(seeds=range(4))
    fake |= {f"seed-{i}": "slow" for i in range(4)}
    places = [Place(folder, trial) for trial in plan.trials(plan.read(file))]
    _, second, _ = processes = [place.start(1) for place in places[:3]]
    try:
        own = [os.sched_getaffinity(process.pid) for process in processes]
        assert len(own[0]) == len(own[1]) == 1 and own[0] | own[1] == own[2] == two_cores
        assert os.sched_getaffinity(0) == two_cores
        second.kill()
        second.wait()
        processes.append(places[3].start(1))
        assert os.sched_getaffinity(processes[-1].pid) == own[1]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_cores_that_one_training_holds_are_no_others_be_they_all(two_cores):
    with held(2) as both:
        assert len(both) == 2
        with held(1) as none:
            assert none == ()
    with held(1) as one:
        assert len(one) == 1


def test_a_terminal_shows_the_running_trials_and_how_far_they_are(study, monkeypatch):
    monkeypatch.setattr("bridle.study.sweep.board.PICTURE", 0.0)
    file, folder = study(seeds=[0, 1])
    told = plan.read(file)
    trials = plan.trials(told)
    for trial in trials:
        (folder / trial.name).mkdir(parents=True)
    manifest = Manifest(folder, told, trials)
    work = job.Job(folder, told, manifest, trials, {trial.name: 1_000 for trial in trials}, workers=1)
    stream = io.StringIO()
    with Board(work, stream, live=True) as board:
        manifest.set(trials[0].name, "running")
        (folder / trials[0].name / "metrics.csv").write_text("step,eval/return\n400,1.0\n")
        board.say("started   [it]")
        board.show([trials[0].name])
    out = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", stream.getvalue())
    assert "started   [it]" in out and "400 of 1,000" in out and "0 of 2 done, 1 running, about" in out


def test_durations_are_told_in_words():
    assert [duration(x) for x in (12.3, 119.9, 11_400)] == ["12 s", "2 min", "3 h 10 min"]


@pytest.mark.parametrize("engine", ["local", pytest.param("ray", marks=needs("ray"))])
def test_twelve_trials_whose_driver_is_killed_twice_are_trained_once_each(study, engine):
    """The real thing: processes that train, SIGKILL and SIGTERM to the driver while trials are half done."""
    file, folder = study(seeds=range(6), limits=(3, 5), steps=3_000)
    command = [sys.executable, "-m", "bridle", "sweep", str(file), "--workers", "2", "--engine", engine]

    def drive(until: int) -> subprocess.Popen:
        """A driver, once so many trials are done and another is in the middle."""
        driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        while True:
            assert driver.poll() is None, driver.communicate()
            found = trials_in(folder)
            running = [t["run"] for t in found.values() if t["state"] == "running"]
            halfway = [run for run in running if len(list(Path(run, "checkpoints").glob("step-*"))) > 1]
            if sum(t["state"] == "done" for t in found.values()) >= until and halfway:
                return driver
            time.sleep(0.02)

    driver = drive(2)
    driver.kill()
    driver.communicate()
    first = finished(folder)
    driver = drive(6)
    driver.send_signal(signal.SIGTERM)
    out, _ = driver.communicate(timeout=30)
    assert driver.returncode == 143
    assert "go on with: bridle sweep" in out
    second = finished(folder)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 of 12 done, 0 failed, 0 left" in done.stdout
    last = finished(folder)
    assert len(last) == 12 and first.items() <= last.items() and second.items() <= last.items()
    for trial in trials_in(folder).values():
        run = Path(trial["run"])
        steps = log.read(run / "metrics.csv")["step"]
        assert np.array_equal(np.unique(steps), steps) and steps[-1] == 3_000
        begun = [line for line in (run / "log.txt").read_text().splitlines() if line.startswith("training ")]
        assert len(begun) == 1, f"{run} was begun more than once"


@needs("ray", "optuna")
def test_optuna_chooses_samples_and_goes_on_where_a_driver_has_stopped(study, capsys):
    more = """
[random]
samples = 4
discount = {uniform = [0.9, 0.99]}
[search]
metric = "eval/return at feasibility"
"""
    file, folder = study(seeds=(0, 1), steps=600, more=more)
    command = [sys.executable, "-m", "bridle", "sweep", str(file), "--workers", "1", "--engine", "ray"]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while sum(trial["state"] == "done" for trial in trials_in(folder).values()) < 2:
        assert driver.poll() is None, driver.communicate()
        time.sleep(0.05)
    driver.kill()
    driver.communicate()
    before = {name: trial for name, trial in trials_in(folder).items() if trial["state"] == "done"}
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    after = trials_in(folder)
    assert len(after) == 8 and {trial["state"] for trial in after.values()} == {"done"}
    assert all(after[name] == trial for name, trial in before.items())
    drawn = {name.rpartition("_seed")[0]: trial["drawn"]["discount"] for name, trial in after.items()}
    assert len(set(drawn.values())) == 4 and all(0.9 <= x <= 0.99 for x in drawn.values())
    for trial in after.values():
        config = json.loads(Path(trial["run"], "config.json").read_text())["config"]
        assert config["discount"] == trial["drawn"]["discount"] == trial["settings"]["discount"]


def test_an_engine_that_is_not_installed_is_told(study, capsys, monkeypatch):
    monkeypatch.setattr("bridle.study.sweep.importlib.util.find_spec", lambda name: None)
    file, _ = study()
    assert main(["sweep", str(file), "--engine", "ray"]) == 2
    assert "--engine ray needs ray: pip install 'bridle[ray]'" in capsys.readouterr().err


def trials_in(folder: Path) -> dict:
    path = folder / "study.json"
    return json.loads(path.read_text())["trials"] if path.exists() else {}


def finished(folder: Path) -> dict[str, int]:
    """When the rows of each trial that is done were last touched."""
    done = {name: trial for name, trial in trials_in(folder).items() if trial["state"] == "done"}
    return {name: Path(trial["run"], "metrics.csv").stat().st_mtime_ns for name, trial in done.items()}
