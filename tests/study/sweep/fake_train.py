"""Stands for `bridle train` and `bridle resume`: leaves a run folder within milliseconds, crashes, or waits for a signal."""

import json
import signal
import sys
import time
from pathlib import Path

from bridle.run.disk import write_manifest
from bridle.run.folder import create, open_run

STEPS = 1_000


def save(run: Path, step: int) -> None:
    path = run / "checkpoints" / f"step-{step:09d}"
    path.mkdir(exist_ok=True)
    write_manifest(path / "manifest.json", {"step": step, "serial": step})


def main(run: Path, how: str) -> int:
    run.parent.mkdir(parents=True, exist_ok=True)
    with open(run.parent / "calls.txt", "a") as file:
        file.write(f"{run.name} {how}\n")
    if not (run / "config.json").exists():
        parts = {"algorithm": "sac-lag", "class": "", "config": {}, "options": {"steps": STEPS}, "spec": {}}
        create(run, parts)
        save(run, 0)
    if how == "crash":
        print("bridle: update 'policy' diverged\nbridle: the traceback lies in log.txt")
        return 1
    if how == "full":
        print("bridle: [Errno 28] the disk of here is full (60 MB free): step 0 could not be saved")
        return 1
    with open_run(run).lock():
        if how == "slow":
            stopped = []
            signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
            (run / "ready").touch()
            while not stopped:
                time.sleep(0.01)
            save(run, 500)
            return 143
        save(run, STEPS)
    print(json.dumps("done: return 1.0, cost 2.0, which meets the limit 3 (last evaluation: 3 episodes)")[1:-1])
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
