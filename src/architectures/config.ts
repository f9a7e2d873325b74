/** A model's config.json, read with types. */
import { join } from "node:path";
import { MlxConvertError, quote } from "../errors.ts";
import { describeFile } from "../formats/sniff.ts";
import {
  isObject,
  JsonNumber,
  parseSpelledJson,
  type SpelledJson,
  type SpelledObject,
  spelledJsonText,
} from "../formats/spelled-json.ts";
import { withFile } from "../io/byte-source.ts";
import { statOf } from "../io/paths.ts";
import { type DType, type FloatDType, isFloatDType } from "../tensor/dtype.ts";

/** The largest known is some 5 MB: one entry for each of 46,000 quantized expert layers. */
const maxBytes = 32 * 2 ** 20;

/** `<dir>/config.json`, or undefined where there is none. */
export function readConfig(dir: string): ModelConfig | undefined {
  const file = join(dir, "config.json");
  if (statOf(file) === undefined) return undefined;
  return withFile(file, (source) => {
    // One byte more than allowed, so that the parser finds it too large.
    return parseConfig(source.read(0, Math.min(source.bytes, maxBytes + 1)), file);
  });
}

/** @throws MlxConvertError where the text is no JSON object */
export function parseConfig(bytes: Uint8Array, file: string): ModelConfig {
  const value = parse(bytes, file);
  if (isObject(value)) return new ModelConfig(value, file);
  throw new MlxConvertError(`expected a JSON object, got ${describe(value)}`, { file, hint });
}

const hint = "it must be the config.json that save_pretrained wrote beside the weights";

function parse(bytes: Uint8Array, file: string): SpelledJson {
  try {
    return parseSpelledJson(bytes, { file, what: "the config", maxBytes, hint });
  } catch (error) {
    const kind = describeFile(bytes.subarray(0, 512), file, bytes.length);
    // "plain text" and "JSON" say less than the place where it is broken.
    if (kind === undefined || /plain text|JSON/.test(kind.what)) throw error;
    throw new MlxConvertError(`this is ${kind.what}, not a config`, { file, hint: kind.hint });
  }
}

/** Immutable. A field that is absent or null is undefined; one of another type than asked for is an error. */
export class ModelConfig {
  /** Every field as it was spelled. */
  readonly raw: SpelledObject;
  /** The file, as the user would name it. */
  readonly file: string;
  /** Where in the file this object is: empty, or `text_config.`. */
  private readonly path: string;

  constructor(raw: SpelledObject, file = "config.json", path = "") {
    this.raw = raw;
    this.file = file;
    this.path = path;
  }

  /** The same with each missing field taken from the other name that some checkpoints have for it. */
  withNames(names: Readonly<Record<string, string>>): ModelConfig {
    const fields = new Map(this.raw);
    for (const [name, other] of Object.entries(names)) {
      const value = fields.get(other);
      if (value !== undefined && !fields.has(name)) fields.set(name, value);
    }
    return new ModelConfig(fields, this.file, this.path);
  }

  get modelType(): string | undefined {
    return this.string("model_type");
  }

  /**
   * The dtype that mlx-lm casts a model to: `torch_dtype`, else the text model's `dtype`, and not the `dtype` of
   * transformers 5. https://github.com/ml-explore/mlx-lm/blob/main/mlx_lm/convert.py
   */
  get dtype(): FloatDType | undefined {
    const torch = this.raw.get("torch_dtype") ?? null;
    const text = this.raw.get("text_config");
    const name = torch === null && isObject(text) ? text.get("dtype") : torch;
    return typeof name === "string" && isFloatDType(name as DType) ? (name as FloatDType) : undefined;
  }

  number(key: string): number | undefined {
    return this.field(key, "a number", (value) => (value instanceof JsonNumber ? value.value : undefined));
  }

  boolean(key: string): boolean | undefined {
    return this.field(key, "true or false", (value) => (typeof value === "boolean" ? value : undefined));
  }

  string(key: string): string | undefined {
    return this.field(key, "a string", (value) => (typeof value === "string" ? value : undefined));
  }

  strings(key: string): readonly string[] | undefined {
    return this.field(key, "a list of strings", (value) =>
      Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined,
    );
  }

  object(key: string): ModelConfig | undefined {
    return this.field(key, "an object", (value) =>
      isObject(value) ? new ModelConfig(value, this.file, `${this.path}${key}.`) : undefined,
    );
  }

  private field<T>(key: string, type: string, read: (value: SpelledJson) => T | undefined): T | undefined {
    const value = this.raw.get(key) ?? null;
    if (value === null) return undefined;
    const result = read(value);
    if (result !== undefined) return result;
    throw new MlxConvertError(`${this.path}${key}: expected ${type}, got ${describe(value)}`, {
      file: this.file,
      hint,
    });
  }
}

/** A value for an error: on one line, cut where it is long. */
function describe(value: SpelledJson): string {
  if (isObject(value)) return "an object";
  if (Array.isArray(value)) return "a list";
  return typeof value === "string" ? quote(value) : spelledJsonText(value);
}
