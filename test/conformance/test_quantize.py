"""`mx.quantize`, `mx.dequantize` and `astype` on random arrays, against the addon's kernels: no bit may differ."""

import json
import os
import random
import subprocess
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from safetensors.numpy import save_file

# A new one each run; it is part of the test's name, and MLX_CONVERT_SEED runs a failure again.
SEED = int(os.environ.get("MLX_CONVERT_SEED", random.randrange(10**6)))
QUANTIZED = 2500
CAST = 200

# Numbered as in native/kernels/kernels.h and dtype.h.
MODES = ["affine", "mxfp4", "mxfp8", "nvfp4"]
DTYPES = [mx.float32, mx.float16, mx.bfloat16, mx.float64]
UNSIGNED = {1: mx.uint8, 2: mx.uint16, 4: mx.uint32, 8: mx.uint64}
AFFINE = [("affine", bits, group) for bits in (1, 2, 3, 4, 5, 6, 8) for group in (32, 64, 128)]
MICROSCALING = [("mxfp4", 4, 32), ("mxfp8", 8, 32), ("nvfp4", 4, 16)]
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan, 1e-45, -1e-45, 6e-8, 1e-38, 3e38, -3e38, 65504.0, 1.0, -1.0]


def data(array: mx.array) -> np.ndarray:
    return np.frombuffer(np.array(array.view(UNSIGNED[array.itemsize])).tobytes(), np.uint8)


class Maker:
    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def bits(self, dtype: mx.Dtype, count: int) -> mx.array:
        return mx.array(self.random.integers(0, 256, count * dtype.size, dtype=np.uint8)).view(dtype)

    def held(self, count: int, values: np.ndarray) -> np.ndarray:
        """Each value for a stretch, so that groups have it alone or share two of them."""
        stretch = self.random.choice([16, 32, 48, 128])
        return np.resize(values.repeat(stretch), count)

    def near_fp4_ties(self, dtype: mx.Dtype, count: int) -> mx.array:
        """Groups of 16 whose quotients by a scale that nvfp4 has lie on and next to the ties between fp4 values."""
        groups = count // 16 + 1
        scales = np.exp2(self.random.integers(-6, 8, groups)) * self.random.integers(8, 16, groups) / 8
        ties = self.random.choice([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5, 6], count)
        ties[::16] = 6
        exact = mx.array((scales.repeat(16)[:count] * ties).astype(np.float32)).astype(dtype)
        units = self.random.integers(0, 5, count) * (np.arange(count) % 16 != 0)
        unsigned = UNSIGNED[dtype.size]
        return (exact.view(unsigned) + mx.array(units).astype(unsigned)).view(dtype)

    def weights(self, dtype: mx.Dtype, count: int) -> mx.array:
        normal = self.random.standard_normal(count)
        sizes = self.held(count, np.exp(self.random.standard_normal(64) * self.random.choice([1, 5, 30])))
        kind = self.random.integers(11)
        if kind == 0:
            return self.bits(dtype, count)
        if kind == 1:  # neighbours in one binade
            one = self.bits(dtype, 1).view(UNSIGNED[dtype.size])
            return (one ^ mx.array(self.random.integers(0, 1 << self.random.integers(1, 11), count)).astype(one.dtype)).view(dtype)
        if kind == 2:
            return self.near_fp4_ties(dtype, count)
        values = {
            3: lambda: normal * 0.02,
            4: lambda: normal * sizes,
            5: lambda: np.round(normal * 16) / 8,  # on ties
            6: lambda: sizes,  # groups of one value
            7: lambda: np.abs(normal) * self.random.choice([1, -1]) + self.random.choice([0, 5, -1000]),
            8: lambda: np.where(self.random.random(count) < 0.02, self.random.choice(SPECIAL, count), normal),
            9: lambda: self.random.choice(SPECIAL, count),
            10: lambda: self.held(count, self.random.choice(SPECIAL, 64)),
        }[int(kind)]()
        with np.errstate(over="ignore"):
            return mx.array(values.astype(np.float32)).astype(dtype)


def quantized(make: Maker, arrays: dict[str, np.ndarray], index: int) -> dict:
    """A weight, what it becomes, and what some packed numbers and scales, its own or any, become in some dtype."""
    choose = make.random
    mode, bits, group = [*AFFINE, *MICROSCALING * 5][choose.integers(len(AFFINE) + 5 * len(MICROSCALING))]
    number, out = (int(n) for n in choose.integers(0, 3, 2))
    # MLX itself wants a multiple of 32 elements for nvfp4.
    shape = (int(choose.integers(1, 5)), group * int(choose.integers(1, 6)) * (2 if mode == "nvfp4" else 1))
    w = make.weights(DTYPES[number], shape[0] * shape[1]).reshape(shape)
    packed, scales, *biases = mx.quantize(w, group, bits, mode)
    arrays |= {f"{index}.w": data(w), f"{index}.packed": data(packed), f"{index}.scales": data(scales)}
    arrays |= {f"{index}.biases": data(array) for array in biases}

    if choose.random() < 0.5:
        packed = make.bits(mx.uint32, packed.size).reshape(packed.shape)
        scales, *biases = (
            (make.weights(a.dtype, a.size) if mode == "affine" else make.bits(a.dtype, a.size)).reshape(a.shape)
            for a in (scales, *biases)
        )
    arrays |= {f"{index}.packed2": data(packed), f"{index}.scales2": data(scales)}
    arrays |= {f"{index}.biases2": data(array) for array in biases}
    values = mx.dequantize(packed, scales, biases[0] if biases else None, group, bits, mode, None, DTYPES[out])
    arrays[f"{index}.values"] = data(values)
    return {"mode": MODES.index(mode), "bits": bits, "group_size": group, "dtype": number, "out": out}


def cast(make: Maker, arrays: dict[str, np.ndarray], index: int) -> dict:
    start, end = (int(n) for n in make.random.integers(0, 4, 2))
    source = make.weights(DTYPES[start], int(make.random.integers(1, 300)))
    arrays |= {f"{index}.in": data(source), f"{index}.out": data(source.astype(DTYPES[end]))}
    return {"from": start, "to": end}


@pytest.mark.parametrize("seed", [SEED])
def test_kernels_give_the_bits_of_mlx(seed: int, tmp_path: Path) -> None:
    mx.set_default_device(mx.cpu)
    make = Maker(seed)
    arrays: dict[str, np.ndarray] = {}
    cases = [quantized(make, arrays, index) for index in range(QUANTIZED)]
    cases += [cast(make, arrays, index) for index in range(QUANTIZED, QUANTIZED + CAST)]
    file = tmp_path / "cases.safetensors"
    save_file(arrays, file, {"cases": json.dumps(cases)})

    program = Path(__file__).with_name("quantize.js")
    done = subprocess.run(["node", program, file], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["cases"] == len(cases)
    assert "portable" in report["instruction_sets"]
    assert report["differences"] == []
