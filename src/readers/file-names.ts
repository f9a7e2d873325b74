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
