import { availableParallelism } from "node:os";
import type { ModelConfig } from "../architectures/config.ts";
import type { Weights } from "../architectures/apply.ts";
import type { Architecture } from "../architectures/rules.ts";
import type { Quantization } from "../quantization/modes.ts";
import type { Checkpoint } from "../readers/checkpoint.ts";
import { isCastable, isFloatDType } from "../tensor/dtype.ts";
import { tensorBytes } from "../tensor/size.ts";
import { elementCount } from "../tensor/shape.ts";
import { version } from "../version.ts";
import { arrange } from "./arrange.ts";
import { layerOf, makeChooser } from "./choose.ts";
import { cast, sourcesOf } from "../expressions/expression.ts";
import { fitMemory } from "./memory.ts";
import type { PlanOptions } from "./options.ts";
import type { LayerQuantization, Plan } from "./plan.ts";
import { refuseQuantized } from "./quantized-source.ts";
import { placeInShards, shardName, type Unplaced } from "./shards.ts";
import { dtypeRule, plainWeight, quantizedWeight, requireOneOfEachName } from "./weights.ts";

const defaultShardBytes = 5 * 2 ** 30;

/**
 * Decides what becomes of every tensor of a checkpoint. Reads nothing and writes nothing.
 * @param sourceConfig the source's config.json, where it has one
 * @throws MlxConvertError for whatever would go wrong later
 */
export function makePlan(
  checkpoint: Checkpoint,
  sourceConfig: ModelConfig | undefined,
  options: PlanOptions = {},
): Plan {
  refuseQuantized(checkpoint, sourceConfig, options);
  const { architecture, config, weights: named, dropped } = arrange(checkpoint, sourceConfig, options);
  const chooser = makeChooser(named, architecture, options);
  const dtypeOf = dtypeRule(architecture, config, options);

  const weights: Unplaced[] = [];
  const keptFloat: { name: string; reason: string }[] = [];
  const layerQuantization = new Map<string, LayerQuantization>();
  for (const [name, value] of named) {
    const choice = chooser.choose(name, value);
    if ("quantization" in choice) {
      const dtype = dtypeOf(name, value.dtype);
      const floating = isFloatDType(dtype) ? dtype : "float32";
      weights.push(quantizedWeight(name, cast(value, floating), floating, choice.quantization));
      if (choice.entry !== undefined) layerQuantization.set(layerOf(name), choice.entry);
    } else {
      const asked = isCastable(value.dtype) ? choice.dtype : undefined;
      weights.push(plainWeight(name, value, asked ?? dtypeOf(name, value.dtype)));
      if (options.quantization !== undefined && isCastable(value.dtype))
        keptFloat.push({ name, reason: choice.keep });
    }
  }
  const warnings = [
    ...checkpoint.warnings,
    ...chooser.finish(),
    ...layoutWarnings(named, architecture, options),
  ];

  requireOneOfEachName(weights);
  const { singleFile } = options;
  const placed = placeInShards(
    weights,
    singleFile === undefined ? (options.maxShardBytes ?? defaultShardBytes) : Infinity,
    singleFile === undefined ? shardName : () => singleFile,
    {
      format: "mlx",
      mlx_convert: version,
      ...(singleFile !== undefined &&
        options.quantization && { quantization: headerEntry(options.quantization, layerQuantization) }),
    },
  );
  const parameters = sum(weights, ({ expression }) => elementCount(expression.shape));
  const bytes = sum(placed.shards, ({ dataBytes }) => dataBytes);
  return {
    source: checkpoint.source,
    format: checkpoint.format,
    architecture: architecture?.modelType,
    config,
    quantization: options.quantization,
    layerQuantization,
    ...placed,
    dropped,
    keptFloat,
    warnings,
    parameters,
    bytes,
    bitsPerWeight: (bytes * 8) / Math.max(parameters, 1),
    diskBytes: sum(placed.shards, ({ header, dataBytes }) => header.length + dataBytes),
    readBytes: sum(placed.weights, ({ expression }) => sum(sourcesOf(expression), tensorBytes)),
    workBytes: sum(placed.weights, ({ expression }) => tensorBytes(expression)),
    ...fitMemory(placed.weights, options.threads ?? availableParallelism(), options.maxMemoryBytes),
  };
}

/** One file has no config.json beside it: its header says how it is quantized, in the same words. */
function headerEntry(general: Quantization, layers: ReadonlyMap<string, LayerQuantization>): string {
  const entry = ({ groupSize, bits, mode }: LayerQuantization): object => ({
    group_size: groupSize,
    bits,
    mode,
  });
  const own = Object.fromEntries([...layers].map(([layer, how]) => [layer, entry(how)]));
  return JSON.stringify({ ...entry(general), ...own });
}

/** Without an architecture nothing says what a kernel of three or more dimensions belongs to. */
function layoutWarnings(
  named: Weights,
  architecture: Architecture | undefined,
  options: PlanOptions,
): string[] {
  if (architecture !== undefined || options.layout === "keep") return [];
  const kernels = [...named].filter(([name, { shape }]) => shape.length > 2 && /(^|\.)weight$/.test(name));
  const [first] = kernels;
  if (first === undefined) return [];
  return [
    `${kernels.length} weights with three or more dimensions (${first[0]}, …) keep PyTorch's axis order; ` +
      "MLX convolutions want the input channels last",
  ];
}

const sum = <T>(items: readonly T[], of: (item: T) => number): number =>
  items.reduce((total, item) => total + of(item), 0);
