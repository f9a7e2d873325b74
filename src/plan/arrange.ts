import { applyArchitecture, type Arranged } from "../architectures/apply.ts";
import type { ModelConfig } from "../architectures/config.ts";
import { architectureOf } from "../architectures/index.ts";
import type { Architecture } from "../architectures/rules.ts";
import { MlxConvertError } from "../errors.ts";
import type { Checkpoint } from "../readers/checkpoint.ts";
import { source } from "../expressions/expression.ts";
import type { PlanOptions } from "./options.ts";

export interface ArrangedModel extends Arranged {
  readonly architecture: Architecture | undefined;
  /** With the names that the architecture's models read. */
  readonly config: ModelConfig | undefined;
}

/** The tensors of the model under their names in MLX, by the rules of its architecture, or as they are where it has none. */
export function arrange(
  checkpoint: Checkpoint,
  sourceConfig: ModelConfig | undefined,
  options: Pick<PlanOptions, "architecture" | "layout">,
): ArrangedModel {
  const architecture = chooseArchitecture(sourceConfig, options);
  const config = sourceConfig?.withNames(architecture?.configNames ?? {});
  const arranged =
    architecture !== undefined && config !== undefined
      ? applyArchitecture(checkpoint, architecture, config)
      : {
          weights: new Map([...checkpoint.tensors].map(([name, tensor]) => [name, source(tensor)])),
          dropped: [],
        };
  if (arranged.weights.size === 0)
    throw new MlxConvertError("there is no tensor in it", {
      file: checkpoint.source,
      hint: "give the file or directory that holds the weights",
    });
  return { architecture, config, ...arranged };
}

function chooseArchitecture(
  config: ModelConfig | undefined,
  options: Pick<PlanOptions, "architecture" | "layout">,
): Architecture | undefined {
  const asked = options.architecture ?? "auto";
  if (options.layout === "keep" || asked === "none") return undefined;
  if (asked !== "auto") {
    const architecture = architectureOf(asked, "--architecture");
    if (config === undefined) {
      throw new MlxConvertError(`--architecture ${asked} needs the model's config.json beside its weights`, {
        hint: "--architecture none keeps the names as they are",
      });
    }
    return architecture;
  }
  return config?.modelType === undefined ? undefined : architectureOf(config.modelType, config.file);
}
