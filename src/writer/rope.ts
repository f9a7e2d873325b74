/**
 * Rotary embeddings in a config are spelled in two ways: transformers 5 writes `rope_parameters`; transformers 4 wrote
 * `rope_theta`, `partial_rotary_factor` and `rope_scaling`, which most of mlx-lm's models still read, computing silently with
 * default values where they are missing. A written config has both.
 * https://github.com/huggingface/transformers/blob/main/src/transformers/modeling_rope_utils.py
 * https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/models/rope_utils.py
 */
import { isObject, JsonNumber, type SpelledJson, type SpelledObject } from "../formats/spelled-json.ts";

/** Adds the spelling that is missing; a config whose layers rotate differently has only one, and stays as it is. */
export function spellRopeBothWays(config: Map<string, SpelledJson>): void {
  const parameters = config.get("rope_parameters") ?? null;
  if (isObject(parameters)) {
    if (!isPerLayer(parameters)) addOldSpelling(config, parameters);
  } else if (parameters === null && !mayRotatePerLayer(config)) {
    addNewSpelling(config);
  }
}

/** `{"full_attention": {…}, "sliding_attention": {…}}` instead of one set of parameters. */
const isPerLayer = (parameters: SpelledObject): boolean =>
  [...parameters.values()].some((value) => isObject(value) || value === null);

/**
 * transformers 5 gives each kind of layer its own parameters where a model has several (gemma3, olmo3, modernbert), and takes
 * one set for all of them as an error. It reads the old spelling as well, so nothing is lost.
 */
function mayRotatePerLayer(config: SpelledObject): boolean {
  const windows =
    config.get("sliding_window") instanceof JsonNumber && config.get("use_sliding_window") !== false;
  const types = config.get("layer_types");
  const mixed = Array.isArray(types) && new Set(types).size > 1;
  // `rope_local_base_freq`, `local_rope_theta`, `swa_rope_theta`, `compress_rope_theta`
  return (
    windows || mixed || [...config.keys()].some((key) => /^rope_local_base_freq$|._rope_theta$/.test(key))
  );
}

function addOldSpelling(config: Map<string, SpelledJson>, parameters: SpelledObject): void {
  const addMissing = (key: string, value: SpelledJson | undefined): void => {
    if (value !== undefined && (config.get(key) ?? null) === null) config.set(key, value);
  };
  addMissing("rope_theta", parameters.get("rope_theta"));
  addMissing("partial_rotary_factor", parameters.get("partial_rotary_factor"));
  addMissing("rope_scaling", scalingOf(parameters));
}

/** Null where nothing is scaled, as transformers 4 wrote it: some of mlx-lm's models insist on the key. */
function scalingOf(parameters: SpelledObject): SpelledJson {
  const type = ropeType(parameters);
  if (type === "default") return null;
  const scaling = [...parameters].filter(([key]) => key !== "rope_theta");
  return new Map([...scaling, ["rope_type", type], ["type", type]]);
}

function addNewSpelling(config: Map<string, SpelledJson>): void {
  const theta = config.get("rope_theta");
  const scaling = config.get("rope_scaling") ?? null;
  if (!(theta instanceof JsonNumber) || !(scaling === null || isObject(scaling))) return;
  const parameters = new Map<string, SpelledJson>([
    ["rope_theta", theta],
    ["rope_type", "default"],
  ]);
  if (scaling !== null) {
    for (const [key, value] of scaling) if (key !== "type") parameters.set(key, value);
    parameters.set("rope_type", ropeType(scaling));
  }
  const partial = config.get("partial_rotary_factor");
  if (partial instanceof JsonNumber) parameters.set("partial_rotary_factor", partial);
  config.set("rope_parameters", parameters);
}

const ropeType = (parameters: SpelledObject): SpelledJson =>
  parameters.get("rope_type") ?? parameters.get("type") ?? "default";
