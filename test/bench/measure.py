"""Times whole processes: wall seconds and the peak resident memory of the process, several runs in turn."""

import json
import os
import shutil
import subprocess
import sys
import time


def run(command, env=None):
    """One run: (seconds, peak resident MiB). Its output is shown only when it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}
    )
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command} failed:\n{output.decode(errors='replace')}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


class Contest:
    """Commands measured in turn, A B C A B C …, so that a change in the machine's speed meets all of them."""

    def __init__(self, runs):
        self.runs = runs
        self.results = {}

    def measure(self, commands, prepare=lambda: None):
        """`commands`: name -> argument list. Returns name -> best seconds."""
        seconds = {name: [] for name in commands}
        memory = {name: 0.0 for name in commands}
        for _ in range(self.runs):
            for name, command in commands.items():
                prepare()
                took, peak = run(command)
                seconds[name].append(took)
                memory[name] = max(memory[name], peak)
        for name in commands:
            self.results[name] = {
                "seconds": sorted(seconds[name]),
                "best": min(seconds[name]),
                "peak_mib": round(memory[name], 1),
            }
            shown = " ".join(f"{s:.3f}" for s in sorted(seconds[name]))
            print(f"{name:44s} best {min(seconds[name]):8.3f} s   peak {memory[name]:7.1f} MiB   ({shown})", flush=True)
        return {name: min(seconds[name]) for name in commands}

    def ratio(self, title, a, b, best, floor=None):
        value = best[a] / best[b]
        self.results[title] = {"ratio": value, "target": floor}
        target = "" if floor is None else f"   (target: {floor})"
        print(f"{title:44s} {value:8.2f}{target}", flush=True)

    def write(self, path):
        with open(path, "w") as file:
            json.dump(self.results, file, indent=2)
        print(f"written: {path}")


def remove(path):
    shutil.rmtree(path, ignore_errors=True)
