"""Files that torch itself saves: every dtype, views of every kind, against `torch.load` of the same file."""

import os
import random
from collections import OrderedDict
from pathlib import Path

import mlx.core as mx
import mlx.nn
import pytest
import torch
from mlx.utils import tree_flatten
from safetensors.torch import load_file

import safetensors_file
from programs import convert, mlx_convert

# https://github.com/huggingface/safetensors/blob/v0.8.0/safetensors/src/tensor.rs
DTYPES = {
    torch.bool: "BOOL",
    torch.uint8: "U8",
    torch.uint16: "U16",
    torch.uint32: "U32",
    torch.uint64: "U64",
    torch.int8: "I8",
    torch.int16: "I16",
    torch.int32: "I32",
    torch.int64: "I64",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float32: "F32",
    torch.float64: "F64",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e4m3fnuz: "F8_E4M3FNUZ",
    torch.float8_e5m2: "F8_E5M2",
    torch.float8_e5m2fnuz: "F8_E5M2FNUZ",
    torch.float8_e8m0fnu: "F8_E8M0",
    torch.complex64: "C64",
}

# A new one each run; it is part of each test's name, and MLX_CONVERT_SEED runs a failure again.
SEED = int(os.environ.get("MLX_CONVERT_SEED", random.randrange(10**6)))


class Maker:
    """Random tensors, among them views of each other's storages."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.generator = torch.Generator().manual_seed(seed)

    def state_dict(self) -> dict[str, torch.Tensor]:
        tensors: list[torch.Tensor] = []
        for _ in range(self.random.randint(1, 25)):
            seen = tensors and self.random.random() < 0.6
            tensors.append(self.view(self.random.choice(tensors).detach()) if seen else self.fresh())
        return {f"{self.random.choice(('weight', 'größe.0', 'a b/c'))}.{i}": tensor for i, tensor in enumerate(tensors)}

    def fresh(self) -> torch.Tensor:
        dtype = self.random.choice(list(DTYPES))
        shape = [self.random.choice((0, 1, 1, 2, 3, 7, 16, 65)) for _ in range(self.random.randint(0, 4))]
        count = torch.Size(shape).numel() * dtype.itemsize
        # Every pattern of bits, so every kind of NaN too; a bool is 0 or 1.
        below = 2 if dtype == torch.bool else 256
        return torch.randint(below, (count,), dtype=torch.uint8, generator=self.generator).view(dtype).reshape(shape)

    def view(self, tensor: torch.Tensor) -> torch.Tensor:
        kind = self.random.choice(("same", "permuted", "narrowed", "stepped", "selected", "expanded", "flat", "parameter"))
        axis = self.random.randrange(tensor.ndim) if tensor.ndim else 0
        if kind == "permuted":
            return tensor.permute(self.random.sample(range(tensor.ndim), tensor.ndim))
        if kind == "expanded":
            return tensor.unsqueeze(0).expand(3, *tensor.shape)
        if kind == "flat":
            storage = torch.empty(0, dtype=tensor.dtype).set_(tensor.untyped_storage())
            start = self.random.randint(0, storage.numel())
            return storage[start : self.random.randint(start, storage.numel())]
        if kind == "parameter":
            return torch.nn.Parameter(tensor, requires_grad=tensor.dtype.is_floating_point and self.random.random() < 0.5)
        if tensor.ndim and tensor.shape[axis]:
            size = tensor.shape[axis]
            if kind == "narrowed":
                return tensor.narrow(axis, start := self.random.randrange(size), self.random.randint(0, size - start))
            if kind == "stepped":
                return tensor[(slice(None),) * axis + (slice(self.random.randrange(size), None, 2),)]
            if kind == "selected":
                return tensor.select(axis, self.random.randrange(size))
        return tensor


def bits(tensor: torch.Tensor) -> bytes:
    return tensor.detach().clone(memory_format=torch.contiguous_format).reshape(-1).view(torch.uint8).numpy().tobytes()


def assert_same(out: Path, expected: dict[str, torch.Tensor]) -> None:
    tensors = safetensors_file.read(out).tensors
    assert tensors.keys() == expected.keys()
    for name, tensor in expected.items():
        got = tensors[name]
        assert (got.dtype, got.shape) == (DTYPES[tensor.dtype], tuple(tensor.shape)), name
        assert bytes(got.data) == bits(tensor), name
    for name, tensor in load_file(out).items():
        assert tensor.dtype == expected[name].dtype
        assert bits(tensor) == bits(expected[name]), name


@pytest.mark.parametrize("seed", [SEED + i for i in range(40)])
def test_random_state_dicts(seed: int, tmp_path: Path) -> None:
    maker = Maker(seed)
    state = maker.state_dict()
    content = maker.random.choice((state, OrderedDict(state), {"state_dict": state, "epoch": 3, "history": [0.5, None]}))
    file, out = tmp_path / "x.pt", tmp_path / "x.safetensors"
    torch.save(content, file, pickle_protocol=maker.random.randint(2, 5))
    loaded = torch.load(file, weights_only=False)
    convert(file, out, "--layout", "keep")
    assert_same(out, loaded.get("state_dict", loaded))


def test_every_dtype(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(1)
    state = {
        str(dtype): torch.randint(2, (6 * dtype.itemsize,), dtype=torch.uint8, generator=generator).view(dtype).reshape(2, 3)
        for dtype in DTYPES
    }
    torch.save(state, tmp_path / "x.pt")
    convert(tmp_path / "x.pt", tmp_path / "x.safetensors", "--layout", "keep")
    assert_same(tmp_path / "x.safetensors", state)


@pytest.mark.parametrize("dtype", [torch.complex32, torch.complex128, torch.float4_e2m1fn_x2], ids=str)
def test_dtypes_that_safetensors_lacks(dtype: torch.dtype, tmp_path: Path) -> None:
    torch.save({"odd": torch.empty(4, dtype=dtype)}, tmp_path / "x.pt")
    done = mlx_convert("convert", tmp_path / "x.pt", "-o", tmp_path / "x.safetensors", "--layout", "keep")
    assert done.returncode == 1
    assert '"odd"' in done.stderr
    assert not (tmp_path / "x.safetensors").exists()


@pytest.mark.parametrize("mode", ["affine", "mxfp4", "mxfp8", "nvfp4"])
def test_without_a_config_each_linear_and_embedding_is_quantized(mode: str, tmp_path: Path) -> None:
    """As MLX itself quantizes a model of the same layers."""
    layers = [("Embedding", 50, 128), ("Linear", 128, 64), ("LayerNorm", 64), ("Linear", 64, 96)]
    model = torch.nn.Sequential(*(getattr(torch.nn, kind)(*sizes) for kind, *sizes in layers))
    torch.save(model.state_dict(), tmp_path / "x.pt")
    convert(tmp_path / "x.pt", tmp_path / "x.safetensors", "-q", "--mode", mode)

    expected = mlx.nn.Sequential(*(getattr(mlx.nn, kind)(*sizes) for kind, *sizes in layers))
    expected.load_weights([(f"layers.{name}", mx.array(tensor.numpy())) for name, tensor in model.state_dict().items()])
    mlx.nn.quantize(expected, mode=mode)
    parameters = {name.removeprefix("layers."): array for name, array in tree_flatten(expected.parameters())}
    got = mx.load(str(tmp_path / "x.safetensors"))
    assert got.keys() == parameters.keys()
    for name, array in parameters.items():
        assert (got[name].dtype, got[name].shape) == (array.dtype, array.shape), name
        assert (got[name].view(mx.uint8) == array.view(mx.uint8)).all().item(), name
