"""SafetyPointGoal1-v0 behind a pipe: a command is a line of JSON, and so is its answer, which ends with the processor time that it
took. Runs in OmniSafe's environment."""

import json
import sys
import time

import array_defaults  # noqa: F401 (before what imports it)

answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer

import safety_gymnasium

env = safety_gymnasium.make("SafetyPointGoal1-v0")
for line in sys.stdin:
    begin = time.process_time()
    command, value = json.loads(line)
    if command == "reset":
        answer = [env.reset(seed=value)[0].tolist()]
    else:
        obs, *rest, _ = env.step(value)
        answer = [obs.tolist(), *map(float, rest)]
    print(json.dumps([*answer, time.process_time() - begin]), file=answers, flush=True)
