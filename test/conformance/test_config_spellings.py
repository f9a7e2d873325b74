"""Each config that transformers and mlx-lm both know, as transformers 5 and as transformers 4 spell it, with the rotary embedding
scaled in every way, is written by the converter. transformers must read from the result what it reads from the source, and
mlx-lm what it reads from the old spelling, which is the one that it knows."""

import copy
import importlib
import json
import pkgutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import mlx_lm.models
import pytest
import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from programs import REPOSITORY

transformers.logging.set_verbosity_error()

WRITE = """
import { readFileSync, writeFileSync } from "node:fs";
const [dist, file] = process.argv.slice(1);
const { parseConfig } = await import(dist + "/architectures/config.js");
const { outputConfig } = await import(dist + "/writer/config.js");
const write = (source) => outputConfig(parseConfig(Buffer.from(source), "source"));
writeFileSync(file, JSON.stringify(JSON.parse(readFileSync(file, "utf8")).map(write)));
"""

LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 512}
ROPES = {
    "default": {"rope_type": "default"},
    "partial": {"rope_type": "default", "partial_rotary_factor": 0.25},
    "linear": {"rope_type": "linear", "factor": 2.0},
    "yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512},
    "llama3": {"rope_type": "llama3", **LLAMA3},
}

SKIPPED = {
    "olmo": "the module needs a package of its own",
    "glm_moe_dsa": "mlx-lm does not take the config that transformers makes",
    "muse_spark": "mlx-lm reads only the new spelling",
    # What stands in no config of these: the class fills in a theta or scaling of its own where the old spelling has none.
    "apertus": "scaled unless rope_scaling says otherwise",
    "ministral3": "scaled unless rope_scaling says otherwise",
    "mistral4": "scaled unless rope_scaling says otherwise",
    "gpt_neox": "its old spelling was rotary_emb_base",
    "bailing_hybrid": "has rope_theta in the new spelling too",
    "qwen2_vl": "its old spelling has no partial_rotary_factor",
}


def old_spelling(config: dict, rope: dict) -> None:
    del config["rope_parameters"]
    config["rope_theta"] = rope["rope_theta"]
    if "partial_rotary_factor" in rope:
        config["partial_rotary_factor"] = rope["partial_rotary_factor"]
    scaling = {key: value for key, value in rope.items() if key != "rope_theta"}
    config["rope_scaling"] = None if rope["rope_type"] == "default" else {**scaling, "type": rope["rope_type"]}


def text_part(config: dict) -> dict:
    return config["text_config"] if isinstance(config.get("text_config"), dict) else config


def configs(model_type: str) -> dict[str, tuple[dict, dict]]:
    """The new and the old spelling of each rope; none where a model has no rotary embedding or one for each kind of layer."""
    new = json.loads(json.dumps(CONFIG_MAPPING[model_type]().to_dict(), default=str))
    own = text_part(new).get("rope_parameters")
    if not isinstance(own, dict) or any(isinstance(value, dict) for value in own.values()):
        return {}
    found = {}
    partial = {key: value for key, value in own.items() if key == "partial_rotary_factor"}
    for name, rope in ROPES.items():
        new = copy.deepcopy(new)
        new["dtype"] = "bfloat16"
        text_part(new)["rope_parameters"] = {"rope_theta": 54321.0, **partial, **rope}
        old = copy.deepcopy(new)
        old["torch_dtype"] = old.pop("dtype")
        old_spelling(text_part(old), text_part(new)["rope_parameters"])
        found[name] = new, old
    return found


MODEL_TYPES = sorted({module.name for module in pkgutil.iter_modules(mlx_lm.models.__path__)} & CONFIG_MAPPING.keys() - SKIPPED.keys())


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, dict, dict, dict]]:
    """(model type, what it is, source, old spelling of the source, what the converter wrote)"""
    made = [
        (model_type, f"{model_type} {rope} {spelling}", source, old)
        for model_type in MODEL_TYPES
        for rope, (new, old) in configs(model_type).items()
        for spelling, source in (("new", new), ("old", old))
    ]
    file = tmp_path_factory.mktemp("configs") / "configs.json"
    file.write_text(json.dumps([json.dumps(source) for _, _, source, _ in made]))
    subprocess.run(["node", "--input-type=module", "-e", WRITE, REPOSITORY / "dist", file], check=True)
    written = [json.loads(text) for text in json.loads(file.read_text())]
    assert len(made) > 500
    return [(*case, output) for case, output in zip(made, written, strict=True)]


def scaling(rope: dict | None) -> dict | None:
    """What rope parameters compute, whatever their spelling; None where nothing is scaled."""
    kind = (rope or {}).get("rope_type", (rope or {}).get("type", "default"))
    if kind == "default":
        return None
    return {"kind": kind, **{key: value for key, value in rope.items() if key not in ("rope_type", "type", "rope_theta")}}


def refusals_too(read: Callable) -> Callable:
    """Not every class takes every scaling: then it must refuse what was written as it refuses the source."""

    def read_or_refusal(*arguments: object) -> tuple | str:
        try:
            return read(*arguments)
        except Exception as error:
            return type(error).__name__

    return read_or_refusal


@refusals_too
def as_transformers_reads(config: dict, directory: Path) -> tuple:
    (directory / "config.json").write_text(json.dumps(config))
    read = transformers.AutoConfig.from_pretrained(directory)
    rope = (getattr(read, "text_config", None) or read).rope_parameters
    return str(read.dtype), rope["rope_theta"], rope.get("partial_rotary_factor", 1.0), scaling(rope)


@refusals_too
def as_mlx_lm_reads(model_type: str, config: dict) -> tuple:
    module = importlib.import_module(f"mlx_lm.models.{model_type}")
    fields = dict(vars(module.ModelArgs.from_dict(copy.deepcopy(config))))
    if isinstance(fields.get("text_config"), dict):
        fields.update({key: value for key, value in fields["text_config"].items() if "rope_" in key or "rotary" in key})
    return fields.get("rope_theta"), fields.get("partial_rotary_factor"), scaling(fields.get("rope_scaling"))


def test_transformers_reads_the_same(cases, tmp_path):
    read = [as_transformers_reads(source, tmp_path) for _, _, source, _, _ in cases]
    assert sum(isinstance(result, tuple) for result in read) > len(read) * 0.75
    for expected, (_, name, _, _, output) in zip(read, cases, strict=True):
        assert as_transformers_reads(output, tmp_path) == expected, name


def test_mlx_lm_reads_the_old_spelling_from_either(cases):
    read = [as_mlx_lm_reads(model_type, old) for model_type, _, _, old, _ in cases]
    assert sum(isinstance(result, tuple) for result in read) > len(read) * 0.75
    for expected, (model_type, name, _, _, output) in zip(read, cases, strict=True):
        assert as_mlx_lm_reads(model_type, output) == expected, name


def test_mlx_lm_would_read_something_else_from_most_new_configs(cases):
    """Else the test above proves nothing."""
    new = [(model_type, source, old) for model_type, name, source, old, _ in cases if name.endswith(" new")]
    differing = [case for case in new if as_mlx_lm_reads(case[0], case[1]) != as_mlx_lm_reads(case[0], case[2])]
    assert len(differing) > len(new) / 2
