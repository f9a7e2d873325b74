"""Tiny random models of every known architecture, against `mlx_lm.convert` of the same."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import safetensors_file
from families import FAMILIES, QWEN3_MOE, Tiny, save
from models import write_json
from programs import (
    Pair,
    assert_same_config,
    assert_same_index,
    assert_same_tensors,
    converted,
    logits,
    mlx_convert,
    read_json,
    read_tensors,
)

QUANTIZE = [
    ("-q", "--q-group-size", "64"),
    ("-q", "--q-group-size", "32"),
    ("-q", "--q-mode", "mxfp4"),
    ("-q", "--q-mode", "nvfp4"),
    ("-q", "--q-mode", "mxfp8"),
]
TOKENS = list(range(2, 42))


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory):
    """Makes each model once."""
    made: dict[str, Path] = {}

    def look_up(tiny: Tiny, spelling: str = "hub") -> Path:
        if tiny.name not in made:
            made[tiny.name] = tmp_path_factory.mktemp(tiny.name)
            save(tiny, made[tiny.name])
        return made[tiny.name] / spelling

    return look_up


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest, directory):
    tiny, flags = request.param
    with converted(directory(tiny), flags) as made:
        yield made


def label(case: tuple[Tiny, tuple[str, ...]]) -> str:
    tiny, flags = case
    return " ".join([tiny.name, *flags])


def family(name: str) -> Tiny:
    return next(tiny for tiny in FAMILIES if tiny.name == name)


CASES = [(tiny, flags) for tiny in FAMILIES for flags in [(), *QUANTIZE]]
each_case = pytest.mark.parametrize("pair", CASES, indirect=True, ids=label, scope="module")
each_family = pytest.mark.parametrize("tiny", FAMILIES, ids=lambda tiny: tiny.name)


@each_case
def test_tensors(pair: Pair) -> None:
    assert_same_tensors(pair.ours, pair.theirs)


@each_case
def test_index(pair: Pair) -> None:
    assert_same_index(pair.ours, pair.theirs)


@each_case
def test_config(pair: Pair) -> None:
    assert_same_config(pair.ours, pair.theirs)


@pytest.mark.parametrize("spelling", ["hub", "tf5"])
@each_family
def test_mlx_lm_computes_the_same(tiny: Tiny, spelling: str, directory) -> None:
    """Of a config of transformers 5 too, from which mlx_lm itself makes models that do not load, or compute wrongly."""
    float32 = ("--dtype", "float32")  # MLX on a CPU runs experts in no other
    with converted(directory(tiny, spelling), float32, their_source=directory(tiny)) as pair:
        assert_same_tensors(pair.ours, pair.theirs)
        assert logits(pair.ours, TOKENS) == logits(pair.theirs, TOKENS)


@pytest.mark.parametrize("flags", [(), QUANTIZE[0], QUANTIZE[2]], ids=" ".join)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", None])
@pytest.mark.parametrize("name", ["llama", "qwen2-tied"])
def test_the_config_says_the_dtype(name: str, dtype: str | None, flags: tuple[str, ...], directory, tmp_path: Path) -> None:
    """Checkpoints are often saved in another dtype than their config says; mlx_lm casts to what it says."""
    source = tmp_path / "source"
    shutil.copytree(directory(family(name)), source)
    write_json(source / "config.json", read_json(source / "config.json") | {"torch_dtype": dtype})
    with converted(source, flags) as pair:
        assert_same_tensors(pair.ours, pair.theirs)
        assert_same_index(pair.ours, pair.theirs)


@pytest.mark.parametrize("flags", [(), QUANTIZE[0], QUANTIZE[2]], ids=" ".join)
@pytest.mark.parametrize("name", ["llama-tied", "qwen3_moe"])
def test_torch_files_give_the_same(name: str, flags: tuple[str, ...], directory, tmp_path: Path) -> None:
    """`pytorch_model.bin` as older models have it: with the tied head, which shares the embedding's storage."""
    tiny = family(name)
    source, bin_source = directory(tiny), tmp_path / "bin"
    shutil.copytree(source, bin_source, ignore=shutil.ignore_patterns("*.safetensors"))
    state = load_file(source / "model.safetensors")
    if tiny.tied:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    torch.save(state, bin_source / "pytorch_model.bin")
    with converted(bin_source, flags, their_source=source) as pair:
        assert_same_tensors(pair.ours, pair.theirs)
        assert_same_index(pair.ours, pair.theirs)
        assert_same_config(pair.ours, pair.theirs)


@each_family
def test_mlx_lm_loads_small_shards(tiny: Tiny, directory) -> None:
    with converted(directory(tiny), ("--dtype", "float32"), also_ours=("--max-shard-size", "300KB")) as pair:
        shards = list(pair.ours.glob("model-*.safetensors"))
        assert len(shards) > 2
        assert_same_tensors(pair.ours, pair.theirs)
        weight_map = read_json(pair.ours / "model.safetensors.index.json")["weight_map"]
        found = {(name, file.name) for file in shards for name in safetensors_file.read(file).tensors}
        assert set(weight_map.items()) == found
        assert logits(pair.ours, TOKENS) == logits(pair.theirs, TOKENS)


def test_router_keeps_eight_bits(directory) -> None:
    """mlx_lm's own rule for this architecture, so that the comparison above is known to have met it."""
    with converted(directory(family("qwen3_moe")), QUANTIZE[1]) as pair:
        quantization = read_json(pair.ours / "config.json")["quantization"]
    router = {"group_size": 64, "bits": 8}
    gates = {f"model.layers.{layer}.mlp.gate": router for layer in (0, 2)}
    assert quantization == {"group_size": 32, "bits": 4, "mode": "affine", **gates}


INDIVISIBLE = [
    Tiny("llama-96", "llama", fields={"hidden_size": 96, "num_attention_heads": 3, "num_key_value_heads": 1}),
    Tiny("qwen3_moe-96", "qwen3_moe", fields=QWEN3_MOE | {"hidden_size": 96}),
]
each_indivisible = pytest.mark.parametrize("tiny", INDIVISIBLE, ids=lambda tiny: tiny.name)


@each_indivisible
def test_indivisible_is_kept_on_request(tiny: Tiny, directory) -> None:
    """mlx_lm skips such layers silently."""
    with converted(directory(tiny), QUANTIZE[0], also_ours=("--on-indivisible", "keep")) as pair:
        assert_same_tensors(pair.ours, pair.theirs)
        assert_same_index(pair.ours, pair.theirs)
        assert_same_config(pair.ours, pair.theirs)
        names = read_tensors(pair.ours)
        assert "model.embed_tokens.scales" not in names
        assert "model.layers.1.mlp.down_proj.scales" in names


@each_indivisible
def test_indivisible_is_an_error(tiny: Tiny, directory, tmp_path: Path) -> None:
    done = mlx_convert("convert", directory(tiny), "-o", tmp_path / "out", *QUANTIZE[0])
    assert done.returncode == 1
    assert "The last dimension of the matrix needs to be divisible by the quantization group size 64." in done.stderr
    assert "--on-indivisible keep" in done.stderr
    assert list(tmp_path.iterdir()) == []
