"""Times whole processes: wall seconds and the peak resident memory of the process, several runs in turn."""

import json
import shutil
import subprocess
import sys


# A process starts with its parent's peak, so the parent is a small one of its own.
LAUNCHER = """
import os, sys, time
started = time.perf_counter()
pid = os.fork()
if pid == 0:
    os.dup2(2, 1)
    os.execvp(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(pid, 0)
print(time.perf_counter() - started, usage.ru_maxrss / 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def run(command):
    """One run: (seconds, peak resident MiB). What it says is shown only when it fails."""
    process = subprocess.run([sys.executable, "-S", "-c", LAUNCHER, *command], capture_output=True)
    if process.returncode != 0:
        sys.exit(f"{command} failed:\n{process.stderr.decode(errors='replace')}")
    seconds, peak = process.stdout.split()
    return float(seconds), float(peak)


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
