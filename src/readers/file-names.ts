/** A shard's place among its siblings: `model-00002-of-00005.safetensors`. */
export interface ShardName {
  /** What its siblings share: `model-#-of-00005.safetensors`. */
  readonly family: string;
  readonly number: number;
  readonly count: number;
}

export function shardName(file: string): ShardName | undefined {
  const [, before, number, count, after] = /^(.*-)(\d{5})-of-(\d{5})(\.\w+)$/.exec(file) ?? [];
  if (number === undefined) return undefined;
  return { family: `${before}#-of-${count}${after}`, number: Number(number), count: Number(count) };
}

/** `a, b, c and 4 more` */
export function listSome(names: readonly string[], most = 8): string {
  const shown = names.slice(0, most).join(", ");
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}
