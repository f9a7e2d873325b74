"""npm run bench:quantize: our kernels against `mx.quantize` on the CPU, the same arrays, one thread each.

Both have the array in memory; MLX takes its output from its cache of buffers, ours goes into buffers that are there.
Environment: ROUNDS (default 5).
"""

import json
import os
import subprocess
import tempfile
import time

import mlx.core as mx
import numpy as np

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
PROGRAM = os.path.join(ROOT, "native", "test", "build", "bench", "bench_file")
ROUNDS = int(os.environ.get("ROUNDS", "5"))
# The numbers of src/tensor/dtype.ts and src/quantization/modes.ts.
DTYPES = {"bfloat16": (2, mx.bfloat16), "float16": (1, mx.float16), "float32": (0, mx.float32)}
MODES = {"affine": 0, "mxfp4": 1, "mxfp8": 2, "nvfp4": 3}
CASES = [
    ("affine", 4, 64, 4096, 8),
    ("affine", 2, 64, 4096, None),
    ("affine", 3, 64, 4096, None),
    ("affine", 5, 64, 4096, None),
    ("affine", 6, 64, 4096, None),
    ("affine", 8, 64, 4096, None),
    ("affine", 4, 32, 4096, None),
    ("mxfp4", 4, 32, 512, 200),
    ("mxfp8", 8, 32, 1024, None),
    ("nvfp4", 4, 16, 512, None),
]


def peer(weights, mode, bits, group_size):
    """Seconds of mx.quantize, best of a few; the slow modes get fewer rounds."""
    best = float("inf")
    for _ in range(2 if mode != "affine" else ROUNDS):
        started = time.perf_counter()
        mx.eval(mx.quantize(weights, group_size=group_size, bits=bits, mode=mode))
        best = min(best, time.perf_counter() - started)
    return best


def ours(path, dtype, mode, bits, group_size):
    """Seconds of our kernel on the array in the file, best of a few, and the instruction set it ran on."""
    numbers = [ROUNDS * 4, dtype, MODES[mode], bits, group_size]
    result = json.loads(subprocess.run([PROGRAM, path, *map(str, numbers)], check=True, capture_output=True).stdout)
    return result["seconds"], result["instruction_set"]


def main():
    mx.set_default_device(mx.cpu)
    subprocess.run(["make", "-s", "-C", os.path.join(ROOT, "native", "test"), "bench-file"], check=True)
    results = []
    print("dtype     mode   bits group     MLX GB/s    ours GB/s      ratio", flush=True)
    for name, (number, dtype) in DTYPES.items():
        for mode, bits, group_size, rows, target in CASES:
            values = np.random.default_rng(0).standard_normal((rows, 4096), dtype=np.float32) * 0.02
            weights = mx.array(values).astype(dtype)
            mx.eval(weights)
            with tempfile.NamedTemporaryFile() as file:
                raw = weights.view(mx.uint16 if weights.itemsize == 2 else mx.uint32)
                file.write(memoryview(np.array(raw)))
                file.flush()
                seconds, instruction_set = ours(file.name, number, mode, bits, group_size)
            theirs = peer(weights, mode, bits, group_size)
            size = weights.nbytes / 1e9
            row = {
                "dtype": name, "mode": mode, "bits": bits, "group_size": group_size, "instruction_set": instruction_set,
                "mlx_gb_per_s": size / theirs, "gb_per_s": size / seconds, "ratio": theirs / seconds,
                "target": target if name == "bfloat16" else None,
            }
            results.append(row)
            wanted = f"   (target: >= {target})" if row["target"] else ""
            print(
                f"{name:9s} {mode:6s} {bits:4d} {group_size:5d} {row['mlx_gb_per_s']:12.3f} {row['gb_per_s']:12.2f} "
                f"{row['ratio']:10.1f}{wanted}",
                flush=True,
            )
    path = os.path.join(ROOT, "bench-quantize.json")
    with open(path, "w") as file:
        json.dump(results, file, indent=2)
    print(f"written: {path}")


main()
