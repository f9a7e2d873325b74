/** What stands beside a model's weights and is copied byte for byte: tokenizer, templates, code, licence. */
import { constants, copyFileSync, readdirSync, type Stats, statSync } from "node:fs";
import { basename, join } from "node:path";
import { systemError } from "../io/byte-source.ts";
import { isPartialName } from "../io/partial.ts";
import { realPath, statOf } from "../io/paths.ts";

export interface SideFile {
  /** Where it is. */
  readonly from: string;
  /** Its name in the output, with `/` between folders. */
  readonly to: string;
  readonly bytes: number;
}

/** The largest tokenizers known take some 40 MB; what is larger holds weights, whatever its name. */
const maxFileBytes = 128 * 2 ** 20;
/** A folder with more is a data set or a log, not a part of a model. */
const maxFolderFiles = 200;
const maxFolderDepth = 4;

/** Weights of every framework, and what belongs to them: external data, optimizer states, compiled graphs. */
const weights =
  /\.(safetensors|bin|pt|pth|pte|ckpt|h5|hdf5|keras|msgpack|onnx|onnx_data|gguf|ggml|ot|tflite|pb|mlmodel|npz|npy|distcp|data-\d+-of-\d+|pkl|pickle|joblib|params|pdparams|nemo|engine|xml|llamafile|mar|zip|tar|gz|tgz|xz|zst|7z|dll|so|dylib)$/i;
/** Indices of weights, and what the source says about their quantization: untrue of the output. */
const aboutWeights =
  /^(config\.json|README\.md|hf_quant_config\.json|quantize_config\.json|quant_config\.json)$|\.index(\.[\w-]+)?\.json$/i;
const pictures = /\.(png|jpe?g|gif|webp|svg|mp4|webm|mov|pdf|ipynb|wav|mp3|flac|ogg)$/i;
const logs = /^events\.out\.tfevents|\.(log|tmp|lock|incomplete|swp|pyc)$/i;

/**
 * Lists them, sorted by name. Links to files are followed (the Hub's cache is made of links), links to folders are not. A
 * folder is taken with all that is in it or not at all: `1_Pooling/` is, `onnx/` with a model in it is not.
 * @param exclude the output, which may lie inside the source
 */
export function sideFiles(dir: string, exclude: string): SideFile[] {
  const output = realPath(exclude);
  const files: SideFile[] = [];
  for (const name of list(dir)) {
    const path = join(dir, name);
    if (realPath(path) === output || aboutWeights.test(name)) continue;
    const found = sideFile(path, name) ?? folder(path, name, output);
    if (found !== undefined) files.push(...found);
  }
  return files;
}

/**
 * @param to where the file is written for now
 * @param shownAs where it will be, for errors
 */
export function copySideFile({ from }: SideFile, to: string, shownAs: string): void {
  try {
    copyFileSync(from, to, constants.COPYFILE_FICLONE);
  } catch (error) {
    throw systemError(error, (error as NodeJS.ErrnoException).code === "ENOSPC" ? shownAs : from);
  }
}

function list(dir: string): string[] {
  try {
    const names = readdirSync(dir).filter((name) => !name.startsWith(".") && !isPartialName(name));
    return names.toSorted();
  } catch (error) {
    throw systemError(error, dir);
  }
}

function sideFile(from: string, to: string): SideFile[] | undefined {
  if (weights.test(to) || pictures.test(to) || logs.test(basename(to))) return undefined;
  const stat = follow(from);
  return stat.isFile() && stat.size <= maxFileBytes ? [{ from, to, bytes: stat.size }] : undefined;
}

function follow(path: string): Stats {
  try {
    return statSync(path);
  } catch (error) {
    throw systemError(error, path, "a link to nowhere? fetch the model again, or remove it");
  }
}

/** All files of a folder, or undefined where one of them is no side file. */
function folder(dir: string, to: string, output: string, depth = 1): SideFile[] | undefined {
  if (statOf(dir)?.isDirectory() !== true || depth > maxFolderDepth || realPath(dir) === output)
    return undefined;
  const files: SideFile[] = [];
  for (const name of list(dir)) {
    const path = join(dir, name);
    const found = sideFile(path, `${to}/${name}`) ?? folder(path, `${to}/${name}`, output, depth + 1);
    if (found === undefined) return undefined;
    files.push(...found);
    if (files.length > maxFolderFiles) return undefined;
  }
  return files;
}
