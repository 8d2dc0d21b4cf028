"""Poses as gpucheck/bench/worker.py: the same commands and answers, but the times are planted and nothing is computed.

PLAN (JSON, in the environment) says what is planted, all of it optional:

step       seconds a step, a number or one for each batch size ({"64": 0.01}); noise: relative; seed of it
floor      seconds of an empty step; lead: seconds that a step takes to be started, the least that any step lasts
cold       factors on the first windows of a network, the warm-up
inputs     factors on the step for other inputs than the one under test ({"host": 1.4})
sleep      true: let the time of the network under test pass, instead of only telling it
loss, error, losses, gflops, memory, parts, name: what it answers with
fault      {"do": command, "how": what happens, "model": of this network alone, "after": it went well so many times}
           how: hang, exit, close, noise, nonsense, the name of a signal, or a kind of failure that it tells (memory …)
"""

import json
import os
import random
import signal
import sys
import time

PLAN = json.loads(os.environ.get("PLAN", "{}"))
RANDOM = random.Random(PLAN.get("seed", 1))
MODELS = {}  # name -> [batch size, input, timed windows so far]
FAULT = dict({"do": None, "how": None, "model": None, "after": 0}, **PLAN.get("fault", {}))


def say(**line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main():
    for line in sys.stdin:
        command = json.loads(line)
        number, name = command.pop("number"), command.pop("do")
        if FAULT["do"] == name and FAULT["model"] in (None, command.get("model")):
            FAULT["after"] -= 1
            if FAULT["after"] < 0 and fail(number, FAULT["how"]):
                continue
        say(number=number, ok=True, **globals()["do_" + name](**command))


def fail(number, how):
    if how == "hang":
        time.sleep(1000)
    elif how == "exit":
        sys.stderr.write("the last word\n")
        sys.stderr.flush()
        os._exit(7)
    elif how == "close":
        os.close(1)
        time.sleep(1000)
    elif how == "noise":  # between answers, and then the answer
        sys.stdout.write('warming up\n[1, 2]\n{"number": 0, "ok": true}\n{}\n\x00\n' + "[" * 5000 + "\n\n")
        return False
    elif how == "nonsense":
        say(number=number, ok=True, seconds="soon")
    elif how.startswith("SIG"):
        os.kill(os.getpid(), getattr(signal, how))
        time.sleep(1000)
    else:
        say(number=number, ok=False, kind=how, error="planted: " + how)
    return True


def do_start():
    return {}


def do_open(**asked):
    if asked.get("simulate"):
        PLAN.update(asked["simulate"])
    return {"seconds": 0.5, "parts": PLAN.get("parts", {"framework": "1.0"}), "name": PLAN.get("name")}


def do_load(**asked):
    return {"seconds": 0.1, "sha256": {"x_train": "00"}, "images": 2560}


def do_build(model, batch_size, input, **asked):
    MODELS[model] = [batch_size, input, 0]
    say(event="begin", what="first-step")
    return {"parameters": 7, "seconds": 0.1, "first": 0.2}


def do_drop(model):
    MODELS.pop(model, None)
    return {}


def do_learn(**asked):
    return {"losses": [PLAN.get("loss", 0.2)] * 5, "error": PLAN.get("error", 0.05)}


def do_check(**asked):
    return {"losses": PLAN.get("losses", [2.3, 1.5, 1.0])}


def do_time(model, steps, singles=0, lead=0.0):
    one, passes = step_of(model), PLAN.get("sleep") and model == "main"
    say(event="begin", what="timed")
    if passes:
        time.sleep(one * steps)
    say(event="begin", what="untimed")
    if passes:
        time.sleep(one * singles)
    return {"steps": steps, "seconds": one * steps, "cpu": one * steps, "singles": [one] * singles, "after": 0.0}


def step_of(model):
    if model == "empty":
        return PLAN.get("floor", 1e-5)
    size, input, windows = MODELS[model]
    MODELS[model][2] += 1
    step = PLAN.get("step", 0.01)
    step = step[str(size)] if isinstance(step, dict) else step
    cold = PLAN.get("cold", [])
    factor = cold[windows] if windows < len(cold) and model == "main" else 1.0
    factor *= PLAN.get("inputs", {}).get(input, 1.0)
    return max(PLAN.get("lead", 0.0), step * factor * abs(1 + PLAN.get("noise", 0.0) * RANDOM.gauss(0, 1)))


def do_product(**asked):
    return {"gflops": PLAN.get("gflops", 100.0), "size": 512}


def do_memory():
    return {"bytes": PLAN.get("memory")}


def do_validation(**asked):
    return {"seconds": 80 * step_of("seed") / 3}


if __name__ == "__main__":
    main()
