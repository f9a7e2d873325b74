"""npm run bench:convert: whole conversions, side by side.

1. SmolLM2-135M against `mlx_lm.convert`: affine 4-bit and mxfp4.
2. A made bf16 llama checkpoint in shards against the floor: a program that reads all bytes of the source, then writes and
   fsyncs as many as the output has. Its size does not change the memory that a conversion takes.

Environment: MODELS (made by test/conformance/models.py), RUNS (default 3), SIZES in GiB (default "1 4 8"), WORK (scratch
directory on the disk that is measured).
"""

import json
import os
import struct
import sys
import tempfile

import numpy as np
from measure import Contest, remove

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
CLI = ["node", os.path.join(ROOT, "bin", "mlx-convert.js"), "convert"]
RUNS = int(os.environ.get("RUNS", "3"))
FLOOR = r"""
import os, sys
sources, target, size = sys.argv[2:], sys.argv[1].split(":")[0], int(sys.argv[1].split(":")[1])
buffer = bytearray(8 << 20)
for source in sources:
    with open(source, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
with open(target, "wb", buffering=0) as file:
    left = size
    while left > 0:
        left -= file.write(memoryview(buffer)[: min(left, len(buffer))])
    os.fsync(file.fileno())
"""


def against_mlx_lm(contest, work):
    source = os.path.join(os.environ["MODELS"], "bf16")
    out = os.path.join(work, "out")
    for title, flags, peer, target in [
        ("affine 4-bit", ["--bits", "4"], ["--q-bits", "4"], ">= 10"),
        ("mxfp4", ["--mode", "mxfp4"], ["--q-mode", "mxfp4"], ">= 20"),
    ]:
        ours, theirs = f"SmolLM2 {title}: mlx-convert", f"SmolLM2 {title}: mlx_lm.convert"
        best = contest.measure(
            {
                ours: [*CLI, source, "-o", out, "-q", *flags, "--quiet"],
                theirs: [sys.executable, "-m", "mlx_lm", "convert", "--hf-path", source, "--mlx-path", out, "-q", *peer],
            },
            prepare=lambda: remove(out),
        )
        contest.ratio(f"SmolLM2 {title}: times faster", theirs, ours, best, target)


def against_floor(contest, work, gib):
    source, out = os.path.join(work, f"source-{gib}"), os.path.join(work, "out")
    make_checkpoint(source, gib)
    files = sorted(os.path.join(source, f) for f in os.listdir(source) if f.endswith(".safetensors"))
    bits = 4 + 2 * 16 / 64
    size = int(sum(os.path.getsize(f) for f in files) * bits / 16)
    ours, floor = f"{gib} GiB bf16 affine 4-bit: mlx-convert", f"{gib} GiB: read, write and fsync"
    best = contest.measure(
        {
            ours: [*CLI, source, "-o", out, "-q", "--bits", "4", "--quiet"],
            floor: [sys.executable, "-c", FLOOR, f"{os.path.join(work, 'floor')}:{size}", *files],
        },
        prepare=lambda: remove(out),
    )
    contest.ratio(f"{gib} GiB: times the floor", ours, floor, best, "<= 2.0")
    remove(source)
    remove(out)


def make_checkpoint(path, gib):
    """Shards of about 1 GiB; weights as normal numbers of the usual size, each block of rows random."""
    os.makedirs(path)
    hidden, inner, vocabulary = 4096, 11008, 32000
    layer = {
        **{f"self_attn.{p}_proj.weight": (hidden, hidden) for p in "qkvo"},
        **{f"mlp.{p}_proj.weight": (inner, hidden) for p in ("gate", "up")},
        "mlp.down_proj.weight": (hidden, inner),
        "input_layernorm.weight": (hidden,),
        "post_attention_layernorm.weight": (hidden,),
    }
    layer_bytes = 2 * sum(int(np.prod(shape)) for shape in layer.values())
    layers = max(1, round((gib * 2**30 - 4 * vocabulary * hidden) / layer_bytes))
    tensors = {"model.embed_tokens.weight": (vocabulary, hidden)}
    for i in range(layers):
        tensors.update({f"model.layers.{i}.{name}": shape for name, shape in layer.items()})
    tensors.update({"model.norm.weight": (hidden,), "lm_head.weight": (vocabulary, hidden)})
    shards, filled = [{}], 0
    for name, shape in tensors.items():
        size = 2 * int(np.prod(shape))
        if filled + size > 2**30:
            shards.append({})
            filled = 0
        shards[-1][name] = shape
        filled += size
    block = to_bf16(np.random.default_rng(0).standard_normal(4 << 20, dtype=np.float32) * 0.02)
    for i, shard in enumerate(shards):
        header, at = {}, 0
        for name, shape in shard.items():
            size = 2 * int(np.prod(shape))
            header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
            at += size
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(os.path.join(path, f"model-{i + 1:05d}-of-{len(shards):05d}.safetensors"), "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            while at > 0:
                file.write(block[: min(at, len(block))])
                at -= min(at, len(block))
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": hidden, "intermediate_size": inner,
        "num_hidden_layers": layers, "num_attention_heads": 32, "num_key_value_heads": 32, "vocab_size": vocabulary,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": False, "torch_dtype": "bfloat16",
    }
    with open(os.path.join(path, "config.json"), "w") as file:
        json.dump(config, file)


def to_bf16(values):
    return (values.view(np.uint32) >> 16).astype(np.uint16).tobytes()


def main():
    contest = Contest(RUNS)
    with tempfile.TemporaryDirectory(dir=os.environ.get("WORK")) as work:
        if os.environ.get("MODELS"):
            against_mlx_lm(contest, work)
        for gib in os.environ.get("SIZES", "1 4 8").split():
            against_floor(contest, work, float(gib) if "." in gib else int(gib))
    contest.write(os.path.join(ROOT, "bench-convert.json"))


main()
