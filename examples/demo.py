"""`make demo`: CVPO learns to drive a car round a circle without leaving its lane; fails loudly if it did not.

Nothing here that the command line does not do: each command is printed before it runs.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from pathlib import Path

SETTINGS = ["--preset", "demo"]
"""What the training is shortened by; `bridle list presets` says what is in it."""
ENV, COST_LIMIT, LEAST_RETURN, EPISODES = "SafetyCarCircle-v0", 10, 300, 20
MINUTES = 6
"""What it should take on two cores."""


def main() -> int:
    """Train, evaluate, draw, judge; 0 if the policy is good enough and meets the limit."""
    run = free(Path("demo") / time.strftime("car-circle-%Y%m%d-%H%M%S"))
    begin = time.monotonic()
    command("train", "cvpo", "--env", ENV, "--cost-limit", str(COST_LIMIT), *SETTINGS, "--run", str(run))
    seconds = time.monotonic() - begin
    command("eval", str(run), "--best", "--episodes", str(EPISODES), "--video")
    command("plot", str(run))
    return verdict(run, seconds)


def command(*words: str) -> None:
    """Run a command as a user would; leave with its exit code if it fails."""
    print(f"\n$ bridle {shlex.join(words)}", flush=True)
    code = subprocess.run([sys.executable, "-m", "bridle", *words], check=False).returncode
    if code:
        sys.exit(fail(f"`bridle {words[0]}` ended with exit code {code}", code))


def verdict(run: Path, seconds: float) -> int:
    """Judge by the same episodes that `bridle eval` has just played."""
    import bridle

    result = bridle.evaluate(run, EPISODES, best=True, say=lambda text: None)
    returns, cost = result.returns.mean(), result.cost.mean()
    pictures = [*sorted(run.glob("curves.*")), *sorted((run / "videos").glob("*"))]
    print("\nin Python:  import bridle")
    print(f'            policy = bridle.load("{run}", best=True)')
    print("            action = policy.predict(obs)")
    print(f"\npictures    {', '.join(map(str, pictures))}")
    print(f"training    {seconds / 60:.1f} minutes")
    told = f"return {returns:.1f} (at least {LEAST_RETURN}), cost {cost:.2f} (at most {COST_LIMIT}), mean of {EPISODES} episodes"
    if returns < LEAST_RETURN or cost > COST_LIMIT:
        return fail(f"the policy is not good enough: {told}")
    if seconds > 60 * MINUTES:
        return fail(f"training took {seconds / 60:.1f} minutes; on two free cores it takes less than {MINUTES}")
    if len(pictures) < 3:
        return fail("curves or video are missing")
    print(f"demo passed {told}")
    return 0


def free(path: Path) -> Path:
    """`path`, or one beside it that nobody has."""
    number = 1
    while (found := path if number == 1 else path.with_name(f"{path.name}-{number}")).exists():
        number += 1
    return found


def fail(why: str, code: int = 1) -> int:
    """Say so, loudly; the exit code."""
    print(f"\nDEMO FAILED: {why}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
