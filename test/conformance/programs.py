"""Runs mlx-convert and mlx_lm with the same words, and holds the two outputs against each other."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx
import numpy as np
from mlx_lm.convert import configure_parser
from mlx_lm.convert import convert as mlx_lm_convert
from mlx_lm.utils import load_model

import safetensors_file

REPOSITORY = Path(__file__).parents[2]

Flags = tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    source: Path
    ours: Path
    theirs: Path


@contextmanager
def converted(source: Path, flags: Flags = (), *, also_ours: Flags = (), their_source: Path | None = None) -> Iterator[Pair]:
    """What both programs make of a source, until the block ends.

    `flags` are mlx_lm's names, which mlx-convert understands too; `also_ours` are flags that mlx_lm does not have. The two may
    start from different directories of the same model: mlx_lm reads fewer kinds.
    """
    with tempfile.TemporaryDirectory() as tmp:
        pair = Pair(source, Path(tmp, "ours"), Path(tmp, "theirs"))
        convert(source, pair.ours, *flags, *also_ours)
        convert_with_mlx_lm(their_source or source, pair.theirs, *flags)
        yield pair


def mlx_convert(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["node", REPOSITORY / "bin/mlx-convert.js", *arguments]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)


def convert(source: Path, out: Path, *flags: str) -> None:
    done = mlx_convert("convert", source, "-o", out, *flags)
    assert done.returncode == 0, f"mlx-convert convert {source} {' '.join(flags)}\n{done.stderr}"


def convert_with_mlx_lm(source: Path, out: Path, *flags: str) -> None:
    """`mlx_lm.convert` as its command line calls it, without starting Python again each time."""
    arguments = configure_parser().parse_args(["--hf-path", str(source), "--mlx-path", str(out), *flags])
    mlx_lm_convert(**vars(arguments))


def read_json(file: Path) -> dict:
    return json.loads(file.read_text())


def read_tensors(directory: Path) -> dict[str, safetensors_file.Tensor]:
    """The tensors of all shards."""
    shards = [safetensors_file.read(file).tensors for file in sorted(directory.glob("model*.safetensors"))]
    assert shards, f"no safetensors in {directory}"
    tensors = {name: tensor for shard in shards for name, tensor in shard.items()}
    assert len(tensors) == sum(map(len, shards)), "two shards have the same tensor"
    return tensors


def assert_same_tensors(ours: Path, theirs: Path) -> None:
    """Names, dtypes, shapes and every byte."""
    got, expected = read_tensors(ours), read_tensors(theirs)
    assert got.keys() == expected.keys()
    different = [name for name in got if got[name] != expected[name]]
    assert not different, "\n".join(describe_difference(name, got[name], expected[name]) for name in different[:10])


def describe_difference(name: str, got: safetensors_file.Tensor, expected: safetensors_file.Tensor) -> str:
    if (got.dtype, got.shape) != (expected.dtype, expected.shape):
        return f"{name}: {got.dtype} {got.shape} instead of {expected.dtype} {expected.shape}"
    at = np.flatnonzero(np.frombuffer(got.data, np.uint8) != np.frombuffer(expected.data, np.uint8))
    return f"{name} {got.dtype} {got.shape}: {len(at)} of {len(got.data)} bytes differ, the first at {at[0]}"


def assert_same_index(ours: Path, theirs: Path) -> None:
    got, expected = (read_json(path / "model.safetensors.index.json") for path in (ours, theirs))
    assert got["weight_map"] == expected["weight_map"]
    for count in ("total_size", "total_parameters"):
        assert got["metadata"][count] == expected["metadata"][count], count


# What mlx-convert makes right where mlx_lm copies the source: both spellings of dtype and rotary embedding, and the dtype that
# the weights have. mlx_lm takes eos_token_id from generation_config.json.
OURS = {"dtype", "torch_dtype", "rope_parameters", "rope_theta", "rope_scaling", "partial_rotary_factor", "eos_token_id"}


def assert_same_config(ours: Path, theirs: Path) -> None:
    """The quantization, and every other field that mlx_lm copies."""
    got, expected = (read_json(path / "config.json") for path in (ours, theirs))
    assert got.get("quantization") == expected.get("quantization")
    assert got.get("quantization_config") == expected.get("quantization_config")
    assert {**got, **{key: value for key, value in expected.items() if key not in OURS}} == got


def logits(directory: Path, tokens: list[int]) -> tuple[str, bytes]:
    """The dtype and bits of what the model says after each token; mlx_lm loads it strictly, with nothing missing or left."""
    model, _ = load_model(directory, strict=True)
    result = model(mx.array([tokens]))
    assert mx.isfinite(result).all().item(), "logits that prove nothing"
    return str(result.dtype), np.array(result.view(mx.uint8)).tobytes()
