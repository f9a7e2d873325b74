// https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html
import { MlxConvertError, quote } from "../errors.ts";
import { describe, Dict, Inert, PickleSet, sequence, showName, type Value } from "./pickle-values.ts";
import { type AnyTensor, isTensor, TorchTensor } from "./torch-names.ts";

/** Under what trainers keep a model's state dict, next to the optimizer's and their own counters. */
const usualKeys = ["state_dict", "model_state_dict", "model", "module"];
/** How many names a message lists. */
const shownNames = 5;

export interface StateDict {
  readonly tensors: ReadonlyMap<string, AnyTensor>;
  readonly warnings: readonly string[];
}

interface Entry {
  readonly key: string;
  readonly value: Value;
}

/**
 * Finds the state dict in what a pickle holds: a dict or list of tensors, or such a dict under one of the usual keys.
 * @throws MlxConvertError that lists the candidates where it is not clear which is meant.
 */
export function findStateDict(root: Value, file: string): StateDict {
  if (isTensor(root)) return { tensors: new Map([["tensor", root]]), warnings: [] };
  const entries = entriesOf(root);
  if (entries === undefined) {
    throw new MlxConvertError(`no state dict: the pickle holds ${describe(root)}`, { file, hint: saveHint });
  }
  const here = entries.filter(({ value }) => isTensor(value));
  const nested = entries.filter(dictsOfTensors());
  const usual = nested.filter(({ key }) => usualKeys.includes(key));
  // A loss or a step is often kept as a tensor beside the model.
  const flat = here.length > 0 && (usual.length === 0 || !here.every(isScalar));
  const chosen = usual[0];
  if (flat && chosen === undefined) return take(entries, file, "");
  if (!flat && chosen !== undefined && usual.length === 1) {
    const left = entries.filter((entry) => entry !== chosen);
    const found = take(entriesOf(chosen.value) ?? [], file, ` of ${quote(chosen.key)}`);
    const rest = left.length === 0 ? "" : `; left out beside it: ${list(left)}`;
    return { ...found, warnings: [`the state dict is under ${quote(chosen.key)}${rest}`, ...found.warnings] };
  }
  throw unclear(file, flat ? here.length : 0, usual.length > 0 ? usual : nested, entries);
}

const saveHint = 'save the weights alone: torch.save(torch.load(file)["<key>"], "weights.pt")';

function unclear(
  file: string,
  here: number,
  nested: readonly Entry[],
  entries: readonly Entry[],
): MlxConvertError {
  const top = here === 0 ? "" : `the top level (${countText(here)}), `;
  const what =
    nested.length === 0
      ? `no state dict: no tensors where they are looked for; there is ${list(entries) || "nothing"}`
      : here === 0 && nested.length === 1
        ? `no state dict at the top or under ${usualKeys.join(", ")}; there are tensors under ${list(nested)}`
        : `it is not clear which state dict is meant: ${top}${list(nested)}`;
  return new MlxConvertError(what, { file, hint: saveHint });
}

/** The tensors among the entries; the others go into a warning. */
function take(entries: readonly Entry[], file: string, where: string): StateDict {
  const tensors = new Map<string, AnyTensor>();
  const others: Entry[] = [];
  for (const { key, value } of entries) {
    if (!isTensor(value)) others.push({ key, value });
    else if (tensors.has(key)) throw new MlxConvertError("two entries have this name", { file, tensor: key });
    else tensors.set(key, value);
  }
  const count = others.length === 1 ? "1 entry" : `${others.length} entries`;
  const verb = others.length === 1 ? "is no tensor" : "are no tensors";
  const warning = `${count}${where} ${verb} and left out: ${list(others)}`;
  return { tensors, warnings: others.length === 0 ? [] : [warning] };
}

/** A dict's entries by the text of their keys; a list's by their index. */
function entriesOf(value: Value): readonly Entry[] | undefined {
  if (value instanceof Dict)
    return Array.from(value.entries(), ([key, item]) => ({ key: showKey(key), value: item }));
  return sequence(value)?.map((item, index) => ({ key: String(index), value: item }));
}

const showKey = (key: Value): string =>
  typeof key === "string" || typeof key === "number" || typeof key === "bigint"
    ? String(key)
    : `<${describe(key)}>`;

/** Many entries may be one large dict, which is looked through once. */
function dictsOfTensors(): (entry: Entry) => boolean {
  const known = new Map<Dict, boolean>();
  return ({ value }) => {
    if (!(value instanceof Dict)) return false;
    const has = known.get(value) ?? Array.from(value.entries()).some(([, item]) => isTensor(item));
    known.set(value, has);
    return has;
  };
}

const isScalar = ({ value }: Entry): boolean =>
  value instanceof TorchTensor && sequence(value.size)?.length === 0;

function showEntry({ key, value }: Entry): string {
  if (isTensor(value)) return `${showName(key)} (a tensor)`;
  const tensors = countTensors(value);
  return `${showName(key)} (${describe(value)}${tensors === 0 ? "" : ` with ${countText(tensors)}`})`;
}

const countText = (tensors: number): string => (tensors === 1 ? "1 tensor" : `${tensors} tensors`);

/** The first few; only these are looked into. */
function list(entries: readonly Entry[]): string {
  const more = entries.length - shownNames;
  return entries.slice(0, shownNames).map(showEntry).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** Tensors at any depth. Values may be shared and even contain themselves, so each is visited once. */
function countTensors(value: Value): number {
  const seen = new Set<Value>();
  const waiting = [value];
  let count = 0;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (next === null || typeof next !== "object" || seen.has(next)) continue;
    seen.add(next);
    if (isTensor(next)) count++;
    else for (const child of children(next)) waiting.push(child);
  }
  return count;
}

function children(value: Value): Iterable<Value> {
  if (value instanceof Dict) return Array.from(value.entries(), ([, item]) => item);
  if (value instanceof PickleSet) return value.items;
  if (value instanceof Inert) return [value.state, ...value.args, ...(value.items ?? [])];
  return sequence(value) ?? [];
}
