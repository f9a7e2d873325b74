/**
 * The one table of dtypes: what each is called by MLX, safetensors and torch, and how many bits an element takes.
 * A reader maps its own names through this table; nothing else in the project lists dtypes.
 */

interface Row {
  /** Bits an element takes on disk (4 and 6 for the sub-byte types). */
  readonly bits: number;
  /** The name in a safetensors header. https://github.com/huggingface/safetensors/blob/main/safetensors/src/tensor.rs */
  readonly safetensors?: string;
  /** `torch.<name>`, as a pickle and `str(dtype)` spell it. */
  readonly torch?: string;
  /** The class of a typed torch storage, e.g. `torch.FloatStorage`. */
  readonly storage?: string;
  /** Whether an MLX array can have this dtype. */
  readonly mlx: boolean;
  /** The number of this dtype in `native/kernels/dtype.h`; absent where the kernels only copy bytes. */
  readonly native?: number;
}

const table = {
  bool: { bits: 8, safetensors: "BOOL", torch: "bool", storage: "BoolStorage", mlx: true },
  uint8: { bits: 8, safetensors: "U8", torch: "uint8", storage: "ByteStorage", mlx: true },
  uint16: { bits: 16, safetensors: "U16", torch: "uint16", mlx: true },
  uint32: { bits: 32, safetensors: "U32", torch: "uint32", mlx: true },
  uint64: { bits: 64, safetensors: "U64", torch: "uint64", mlx: true },
  int8: { bits: 8, safetensors: "I8", torch: "int8", storage: "CharStorage", mlx: true },
  int16: { bits: 16, safetensors: "I16", torch: "int16", storage: "ShortStorage", mlx: true },
  int32: { bits: 32, safetensors: "I32", torch: "int32", storage: "IntStorage", mlx: true },
  int64: { bits: 64, safetensors: "I64", torch: "int64", storage: "LongStorage", mlx: true },
  float16: {
    bits: 16,
    safetensors: "F16",
    torch: "float16",
    storage: "HalfStorage",
    mlx: true,
    native: 1,
  },
  bfloat16: {
    bits: 16,
    safetensors: "BF16",
    torch: "bfloat16",
    storage: "BFloat16Storage",
    mlx: true,
    native: 2,
  },
  float32: {
    bits: 32,
    safetensors: "F32",
    torch: "float32",
    storage: "FloatStorage",
    mlx: true,
    native: 0,
  },
  float64: {
    bits: 64,
    safetensors: "F64",
    torch: "float64",
    storage: "DoubleStorage",
    mlx: false,
    native: 3,
  },
  float8_e4m3fn: { bits: 8, safetensors: "F8_E4M3", torch: "float8_e4m3fn", mlx: false },
  float8_e4m3fnuz: {
    bits: 8,
    safetensors: "F8_E4M3FNUZ",
    torch: "float8_e4m3fnuz",
    mlx: false,
  },
  float8_e5m2: { bits: 8, safetensors: "F8_E5M2", torch: "float8_e5m2", mlx: false },
  float8_e5m2fnuz: {
    bits: 8,
    safetensors: "F8_E5M2FNUZ",
    torch: "float8_e5m2fnuz",
    mlx: false,
  },
  float8_e8m0fnu: { bits: 8, safetensors: "F8_E8M0", torch: "float8_e8m0fnu", mlx: false },
  float6_e2m3: { bits: 6, safetensors: "F6_E2M3", mlx: false },
  float6_e3m2: { bits: 6, safetensors: "F6_E3M2", mlx: false },
  float4_e2m1: { bits: 4, safetensors: "F4", mlx: false },
  complex32: { bits: 32, torch: "complex32", storage: "ComplexHalfStorage", mlx: false },
  complex64: {
    bits: 64,
    safetensors: "C64",
    torch: "complex64",
    storage: "ComplexFloatStorage",
    mlx: true,
  },
  complex128: {
    bits: 128,
    torch: "complex128",
    storage: "ComplexDoubleStorage",
    mlx: false,
  },
} as const satisfies Record<string, Row>;

export type DType = keyof typeof table;

/** The three dtypes that MLX quantizes from and that a model's weights can have. */
export type FloatDType = "float16" | "bfloat16" | "float32";

const rows: Readonly<Record<DType, Row>> = table;
const all = Object.keys(table) as DType[];

export const floatDTypes: readonly FloatDType[] = ["float16", "bfloat16", "float32"];

export const dtypeBits = (dtype: DType): number => rows[dtype].bits;
export const isMlxDType = (dtype: DType): boolean => rows[dtype].mlx;
export const nativeDType = (dtype: DType): number | undefined => rows[dtype].native;
export const safetensorsName = (dtype: DType): string | undefined => rows[dtype].safetensors;
export const isFloatDType = (dtype: DType | undefined): dtype is FloatDType =>
  (floatDTypes as readonly (DType | undefined)[]).includes(dtype);

/** What `mx.issubdtype(dtype, mx.floating)` says: the dtypes that a cast of the model touches. */
export const isCastable = (dtype: DType): boolean => rows[dtype].native !== undefined;

const index = (field: "safetensors" | "torch" | "storage"): ReadonlyMap<string, DType> =>
  new Map(all.flatMap((dtype) => (rows[dtype][field] === undefined ? [] : [[rows[dtype][field], dtype]])));

/** `F32` → `float32`. */
export const dtypeBySafetensorsName = index("safetensors");
/** `float32` (as in `torch.float32`) → `float32`. */
export const dtypeByTorchName = index("torch");
/** `FloatStorage` → `float32`. */
export const dtypeByTorchStorage = index("storage");
