import { MlxConvertError } from "../errors.ts";
import { type Expression, slice, source, stack, transpose } from "../expressions/expression.ts";
import type { Checkpoint } from "../readers/checkpoint.ts";
import type { ModelConfig } from "./config.ts";
import type { Architecture, Rule } from "./rules.ts";

const notOfOneModel =
  "config.json and the weights do not fit: fetch both again, or keep the names as they are with --architecture none";

/** Tensors by their names in the model, in the order of the checkpoint. */
export type Weights = ReadonlyMap<string, Expression>;

export interface Dropped {
  readonly name: string;
  readonly reason: string;
}

/** What an architecture makes of a checkpoint: every source tensor is in `weights` or in `dropped`. */
export interface Arranged {
  readonly weights: Weights;
  readonly dropped: readonly Dropped[];
}

/** @throws MlxConvertError where a rule cannot be followed: an expert is missing, two tensors get one name */
export function applyArchitecture(
  checkpoint: Checkpoint,
  architecture: Architecture,
  config: ModelConfig,
): Arranged {
  const dropped: Dropped[] = [];
  let weights: Weights = new Map([...checkpoint.tensors].map(([name, tensor]) => [name, source(tensor)]));
  for (const rule of architecture.rules) weights = applyRule(rule, weights, config, dropped);
  return { weights, dropped };
}

function applyRule(rule: Rule, weights: Weights, config: ModelConfig, dropped: Dropped[]): Weights {
  switch (rule.rule) {
    case "drop":
      if (rule.when !== undefined && !rule.when(config)) return weights;
      return collect(weights, (name, value) => {
        if (!rule.names.test(name)) return [[name, value]];
        dropped.push({ name, reason: rule.reason });
        return [];
      });
    case "rename":
      return collect(weights, (name, value) => [[name.replace(rule.from, rule.to), value]]);
    case "transpose":
      return collect(weights, (name, value) => [
        [name, rule.names.test(name) ? transpose(value, rule.axes) : value],
      ]);
    case "split":
      return collect(weights, (name, value) =>
        rule.from.test(name)
          ? splitEvenly(
              name,
              value,
              rule.axis,
              rule.to.map((to) => name.replace(rule.from, to)),
            )
          : [[name, value]],
      );
    case "stack":
      return stackAll(rule, weights, config);
  }
}

type Entry = readonly [name: string, value: Expression];

function collect(weights: Weights, each: (name: string, value: Expression) => readonly Entry[]): Weights {
  const result = new Map<string, Expression>();
  for (const [name, value] of weights) {
    for (const [to, made] of each(name, value)) {
      if (result.has(to)) {
        throw new MlxConvertError("two tensors of the source get this name", {
          tensor: to,
          hint: "--architecture none keeps the names as they are",
        });
      }
      result.set(to, made);
    }
  }
  return result;
}

function splitEvenly(name: string, value: Expression, axis: number, names: readonly string[]): Entry[] {
  const size = value.shape[axis];
  if (size === undefined || size % names.length !== 0) {
    throw new MlxConvertError(
      `axis ${axis} of size ${size} does not split into ${names.length} equal parts`,
      { tensor: name, hint: notOfOneModel },
    );
  }
  const part = size / names.length;
  return names.map((to, i) => [to, slice(value, axis, i * part, part)]);
}

function stackAll(rule: Rule & { rule: "stack" }, weights: Weights, config: ModelConfig): Weights {
  const stacks = new Map<string, Map<number, Entry>>();
  for (const [name, value] of weights) {
    const match = rule.from.exec(name);
    if (match === null) continue;
    const to = name.replace(rule.from, rule.to);
    const members = stacks.get(to) ?? new Map<number, Entry>();
    members.set(Number(match.groups?.["index"]), [name, value]);
    stacks.set(to, members);
  }
  if (stacks.size === 0) return weights;
  const count = config.number(rule.count);
  if (count === undefined) {
    throw new MlxConvertError(`${rule.count} is missing, and the checkpoint has experts`, {
      file: config.file,
      hint: notOfOneModel,
    });
  }
  return collect(weights, (name, value) => {
    if (!rule.from.test(name)) return [[name, value]];
    const to = name.replace(rule.from, rule.to);
    const members = stacks.get(to);
    if (members === undefined) return []; // an earlier member has made the stack
    stacks.delete(to);
    return [[to, stackMembers(to, members, count, rule.count)]];
  });
}

function stackMembers(
  to: string,
  members: ReadonlyMap<number, Entry>,
  count: number,
  field: string,
): Expression {
  // The count is a number from an untrusted file: anything at all.
  if (!(members.size <= count)) {
    throw new MlxConvertError(`config.json says ${field} ${count}, but the checkpoint has ${members.size}`, {
      tensor: to,
      hint: notOfOneModel,
    });
  }
  const inputs: Expression[] = [];
  for (let index = 0; index < count; index++) {
    const member = members.get(index);
    if (member === undefined) {
      throw new MlxConvertError(
        `number ${index} of ${count} (config.json: ${field}) is missing from the checkpoint`,
        {
          tensor: to,
          hint: "a shard may be missing: fetch the source again",
        },
      );
    }
    inputs.push(member[1]);
  }
  return stack(inputs);
}
