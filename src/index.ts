/** The public API. */
export { type ConvertOptions, convert, plan, verify } from "./convert.ts";
export { type ErrorPlace, type ExitStatus, MlxConvertError } from "./errors.ts";
export type { Progress, RunOptions } from "./execute.ts";
export { inspect, type InspectReport } from "./inspect.ts";
export type { Override, PlanOptions } from "./plan/options.ts";
export type { PlanReport, ReportedTensor } from "./plan/report.ts";
export {
  type Quantization,
  type QuantizationMode,
  quantization,
  quantizationModes,
} from "./quantization/modes.ts";
export { scan, type ScanReport, type ScannedPickle } from "./scan.ts";
export type { DType, FloatDType } from "./tensor/dtype.ts";
export type { VerifiedTensor, VerifyOptions, VerifyReport } from "./verify/compare.ts";
export { version } from "./version.ts";
