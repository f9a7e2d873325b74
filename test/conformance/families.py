"""Tiny random checkpoints of each family, as transformers saves them."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from models import hub_spelling, write_json

# All divisible by 64; no two dimensions of a weight equal, so that nothing transposed goes unnoticed.
SIZES = {
    "hidden_size": 128,
    "intermediate_size": 192,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 320,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": None,
}
# Ten or more experts: their numbers do not sort as text.
QWEN3_MOE = {
    "head_dim": 64,
    "num_experts": 12,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 64,
    "num_hidden_layers": 3,
    "mlp_only_layers": [1],
}
LLAMA3_ROPE = {
    "rope_theta": 500000.0,
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
LONG_ROPE = {
    "rope_theta": 10000.0,
    "rope_type": "longrope",
    "short_factor": [1.0 + i / 16 for i in range(16)],
    "long_factor": [2.0 + i / 16 for i in range(16)],
    "original_max_position_embeddings": 64,
}


@dataclass(frozen=True)
class Tiny:
    name: str
    model_type: str
    tied: bool = False
    dtype: str = "bfloat16"
    sharded: bool = False
    fields: dict[str, Any] = field(default_factory=dict, hash=False)


FAMILIES = [
    Tiny("llama", "llama", dtype="float32", sharded=True),
    Tiny("llama-tied", "llama", tied=True, fields={"attention_bias": True, "rope_parameters": LLAMA3_ROPE}),
    Tiny("mistral", "mistral", sharded=True, fields={"head_dim": 64, "sliding_window": None}),
    Tiny("mistral-tied", "mistral", tied=True, dtype="float32"),
    Tiny("qwen2", "qwen2", dtype="float32"),
    Tiny("qwen2-tied", "qwen2", tied=True, sharded=True),
    Tiny("qwen3", "qwen3", sharded=True, fields={"head_dim": 64}),
    Tiny("qwen3-tied", "qwen3", tied=True, dtype="float32", fields={"head_dim": 64}),
    Tiny("gemma2-tied", "gemma2", tied=True, fields={"head_dim": 64}),
    Tiny("gemma2-tied-sharded", "gemma2", tied=True, dtype="float32", sharded=True, fields={"head_dim": 32}),
    Tiny("phi3", "phi3", fields={"rope_parameters": LONG_ROPE}),
    Tiny("phi3-tied", "phi3", tied=True, dtype="float32", sharded=True),
    Tiny("mixtral", "mixtral", sharded=True, fields={"num_local_experts": 11}),
    Tiny("mixtral-tied", "mixtral", tied=True, dtype="float32", fields={"num_local_experts": 4}),
    Tiny("qwen3_moe", "qwen3_moe", fields=QWEN3_MOE),
    Tiny("qwen3_moe-tied", "qwen3_moe", tied=True, dtype="float32", sharded=True, fields=QWEN3_MOE),
]


def save(tiny: Tiny, out: Path) -> None:
    """Makes `out`/tf5, as transformers 5 saves the model, and `out`/hub, the same with config.json in the older spelling."""
    torch.manual_seed(20)
    config = AutoConfig.for_model(tiny.model_type, **SIZES | tiny.fields, tie_word_embeddings=tiny.tied)
    model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, tiny.dtype))
    with torch.no_grad():
        for parameter in model.parameters():  # the norms and biases too
            parameter.normal_(mean=float(parameter.ndim == 1), std=0.1)
    for spelling in ("tf5", "hub"):
        model.save_pretrained(out / spelling, max_shard_size="200KB" if tiny.sharded else "1GB")
        tokenizer().save_pretrained(out / spelling)
    older = out / "hub/config.json"
    write_json(older, hub_spelling(json.loads(older.read_text()), tiny.dtype))
    if tiny.sharded:
        assert len(list((out / "hub").glob("*.safetensors"))) > 1


def tokenizer() -> PreTrainedTokenizerFast:
    """mlx_lm loads a model only with one."""
    words = {f"word{i}": i for i in range(SIZES["vocab_size"])}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel(words, unk_token="word0")), eos_token="word1")
