"""A real checkpoint: SmolLM2-135M, in every container, against `mlx_lm.convert` of the same."""

import filecmp
import os
from pathlib import Path

import pytest
from transformers import AutoConfig, AutoTokenizer

import safetensors_file
from programs import (
    Pair,
    assert_same_config,
    assert_same_index,
    assert_same_tensors,
    convert,
    converted,
    logits,
    read_json,
)

MODELS = Path(os.environ["MLX_CONVERT_MODELS"])

AFFINE = [("-q", "--q-bits", str(bits), "--q-group-size", str(size)) for bits in (2, 3, 4, 5, 6, 8) for size in (32, 64)]
MODES = [("-q", "--q-mode", mode) for mode in ("mxfp4", "mxfp8", "nvfp4")]
DTYPES = [("--dtype", dtype) for dtype in ("float16", "bfloat16", "float32")]
EVERY = [*AFFINE, *MODES, (), *DTYPES, ("-q", "--dtype", "float32")]
FEW = [("-q", "--q-bits", "4", "--q-group-size", "64"), ()]

CASES = [(name, flags) for name in ("f16", "bf16") for flags in EVERY]
CASES += [(name, flags) for name in ("sharded", "tf5") for flags in FEW]

# 8-bit formats and float16 say nothing more about loading, and their matrix products are slow on a CPU.
RUN = [("bf16", FEW[0]), ("bf16", MODES[0]), ("bf16", ())]
TOKENS = [504, 3575, 282, 4649]


def label(case: tuple[str, tuple[str, ...]]) -> str:
    name, flags = case
    return " ".join([name, *flags])


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest):
    name, flags = request.param
    with converted(MODELS / name, flags) as made:
        yield made


each_case = pytest.mark.parametrize("pair", CASES, indirect=True, ids=label, scope="module")


@each_case
def test_tensors(pair: Pair) -> None:
    assert_same_tensors(pair.ours, pair.theirs)


@each_case
def test_index(pair: Pair) -> None:
    assert_same_index(pair.ours, pair.theirs)


@each_case
def test_config(pair: Pair) -> None:
    assert_same_config(pair.ours, pair.theirs)


@each_case
def test_files_beside(pair: Pair) -> None:
    """Side files are the source's, byte for byte, and nothing is there that nobody asked for."""
    made = {"config.json", "model.safetensors", "model.safetensors.index.json", "README.md"}
    copied = {file.name for file in pair.source.iterdir() if "model" not in file.name} - {"config.json"}
    assert {"tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja"} <= copied
    assert {file.name for file in pair.ours.iterdir()} == made | copied
    assert set(filecmp.cmpfiles(pair.source, pair.ours, copied, shallow=False)[0]) == copied
    assert safetensors_file.read(pair.ours / "model.safetensors").metadata["format"] == "mlx"


@pytest.mark.parametrize("pair", RUN, indirect=True, ids=label, scope="module")
def test_mlx_lm_computes_the_same(pair: Pair) -> None:
    assert logits(pair.ours, TOKENS) == logits(pair.theirs, TOKENS)


def test_config_of_transformers_5_loses_nothing() -> None:
    """mlx_lm reads rope_theta, which transformers 5 no longer writes: its own output of tf5 computes with 10000."""
    with converted(MODELS / "tf5", their_source=MODELS / "f16") as pair:
        assert read_json(pair.ours / "config.json")["rope_theta"] == 100000
        assert logits(pair.ours, TOKENS) == logits(pair.theirs, TOKENS)


@pytest.mark.parametrize("name", ["f16", "tf5"])
def test_transformers_reads_it(name: str, tmp_path: Path) -> None:
    source, out = MODELS / name, tmp_path / "out"
    convert(source, out)
    ours, theirs = (AutoTokenizer.from_pretrained(path) for path in (out, source))
    text = "Ünïcode, 日本語 and  two spaces\n\tdef main(): return 42"
    assert ours.encode(text) == theirs.encode(text)
    chat = [{"role": "user", "content": text}]
    assert ours.apply_chat_template(chat, tokenize=False) == theirs.apply_chat_template(chat, tokenize=False)
    config = AutoConfig.from_pretrained(out)
    assert config.rope_parameters == AutoConfig.from_pretrained(source).rope_parameters
    assert config.rope_parameters["rope_theta"] == 100000


@pytest.mark.parametrize("name", ["bin", "bin-sharded"])
@pytest.mark.parametrize("flags", [*FEW, *MODES], ids=" ".join)
def test_torch_files_give_the_same(name: str, flags: tuple[str, ...], tmp_path: Path) -> None:
    """mlx_lm does not read them; of the safetensors file with the same weights we make what it makes (above)."""
    convert(MODELS / name, tmp_path / "ours", *flags)
    convert(MODELS / "f16", tmp_path / "f16", *flags)
    assert_same_tensors(tmp_path / "ours", tmp_path / "f16")
    assert_same_index(tmp_path / "ours", tmp_path / "f16")
    assert (tmp_path / "ours/config.json").read_bytes() == (tmp_path / "f16/config.json").read_bytes()


@pytest.mark.parametrize("flags", [*FEW, *MODES, ("--dtype", "float32")], ids=" ".join)
def test_threads_do_not_matter(flags: tuple[str, ...], tmp_path: Path) -> None:
    files = []
    for threads in ("1", "2"):
        convert(MODELS / "f16", tmp_path / threads, *flags, "--threads", threads)
        files.append(tmp_path / threads / "model.safetensors")
    assert filecmp.cmp(*files, shallow=False)
