/** The only file that loads the addon. */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { MlxConvertError } from "./errors.ts";
import type { NativeJob } from "./plan/jobs.ts";

export interface Comparison {
  readonly maxError: number;
  readonly errorEnergy: number;
  readonly expectedEnergy: number;
  readonly differing: number;
  readonly nonFinite: number;
}

export interface Addon {
  /**
   * Runs the jobs on `threads` threads. `control[0]` counts finished bytes; a `control[1]` other than 0 stops the run soon,
   * which `finished: false` says. What the system refuses rejects with its `errno` and the `path`.
   */
  execute(
    files: readonly { readonly fd: number; readonly path: string }[],
    jobs: readonly NativeJob[],
    threads: number,
    control: BigInt64Array,
  ): Promise<{ finished: boolean; comparisons: Comparison[] }>;
  /** Gives a new file its size and claims the space. */
  allocate(fd: number, path: string, bytes: number): void;
  /** Swaps two paths in one step; false where the system cannot. */
  exchange(a: string, b: string): boolean;
  /** What the kernels run on: `avx512`, `avx2`, `neon` or `portable`. */
  readonly instructionSet: string;
  /** `mx.quantize` on the bytes of a row-major array; numbers as in `src/tensor/dtype.ts` and `src/quantization/modes.ts`. */
  quantize(
    bytes: Uint8Array,
    dtype: number,
    mode: number,
    bits: number,
    groupSize: number,
    instructionSet?: string,
  ): { packed: Uint8Array; scales: Uint8Array; biases?: Uint8Array };
  dequantize(
    packed: Uint8Array,
    scales: Uint8Array,
    biases: Uint8Array | undefined,
    scalesDtype: number,
    dtype: number,
    mode: number,
    bits: number,
    groupSize: number,
    count: number,
    instructionSet?: string,
  ): Uint8Array;
  cast(bytes: Uint8Array, from: number, to: number, instructionSet?: string): Uint8Array;
}

let loaded: Addon | undefined;

/** @throws MlxConvertError where there is no addon for this machine */
export function addon(): Addon {
  loaded ??= load();
  return loaded;
}

function load(): Addon {
  const path = fileURLToPath(new URL("../native/build/Release/convert.node", import.meta.url));
  try {
    return createRequire(import.meta.url)(path) as Addon;
  } catch (cause) {
    throw new MlxConvertError(
      `the native addon cannot be loaded: ${(cause as Error).message.split("\n")[0]}`,
      {
        hint: "npm run build:native",
        cause,
      },
    );
  }
}
