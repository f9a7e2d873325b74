/**
 * The README shows what really comes out: its commands are run, in its order, and their output is compared.
 * UPDATE_GOLDEN=1 writes what came out into the README; read the diff. Needs `npm run build` and `npm run build:native`.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { architectures } from "../src/architectures/index.ts";
import { type MadeTensor, writeTensorFile } from "./support/llama.ts";
import { readText, root } from "./support/repository.ts";

const updating = process.env["UPDATE_GOLDEN"] !== undefined;
const readme = readText("README.md");
const directory = realpathSync(mkdtempSync(join(tmpdir(), "mlx-convert-readme-")));

/** The bodies of the fenced blocks of a language. */
const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map(([, body = ""]) => body);

const block = (language: string, firstLine: string): string[] => {
  const found = blocks(language).filter((body) => body.startsWith(`${firstLine}\n`));
  expect(found).toHaveLength(1);
  return (found[0] ?? "").trimEnd().split("\n").slice(1);
};

/** Runs a command as a user in a clone would; both streams, as a terminal shows them. */
function shell(command: string): { status: number | null; output: string } {
  const { status, stdout } = spawnSync("bash", ["-c", `exec 2>&1; ${command}`], {
    cwd: directory,
    encoding: "utf8",
    env: {
      ...process.env,
      PATH: `${join(directory, "bin")}${delimiter}${process.env["PATH"]}`,
      NO_COLOR: "1",
      LC_ALL: "C",
    },
  });
  return { status, output: stdout };
}

/** SmolLM2-135M as far as a plan looks: its names, shapes and config, with a hole in place of the numbers. */
function writeSmolLM2(): void {
  const [hidden, intermediate, keys] = [576, 1536, 192];
  const layer: Readonly<Record<string, readonly number[]>> = {
    input_layernorm: [hidden],
    "mlp.down_proj": [hidden, intermediate],
    "mlp.gate_proj": [intermediate, hidden],
    "mlp.up_proj": [intermediate, hidden],
    post_attention_layernorm: [hidden],
    "self_attn.k_proj": [keys, hidden],
    "self_attn.o_proj": [hidden, hidden],
    "self_attn.q_proj": [hidden, hidden],
    "self_attn.v_proj": [keys, hidden],
  };
  const tensor = (name: string, shape: readonly number[]): MadeTensor => ({
    name: `${name}.weight`,
    dtype: "bfloat16",
    shape,
  });
  const layers = Array.from({ length: 30 }, (_, i) =>
    Object.entries(layer).map(([name, shape]) => tensor(`model.layers.${i}.${name}`, shape)),
  );
  const tensors = [
    tensor("model.embed_tokens", [49_152, hidden]),
    ...layers.flat(),
    tensor("model.norm", [hidden]),
  ];
  const model = join(directory, "SmolLM2-135M");
  mkdirSync(model);
  writeTensorFile(join(model, "model.safetensors"), tensors, "hole");
  const config = { model_type: "llama", tie_word_embeddings: true, torch_dtype: "bfloat16" };
  writeFileSync(join(model, "config.json"), JSON.stringify(config));
}

beforeAll(() => {
  mkdirSync(join(directory, "bin"));
  mkdirSync(join(directory, "node_modules"));
  const program = join(root, "bin/mlx-convert.js");
  symlinkSync(program, join(directory, "bin/mlx-convert"));
  symlinkSync(program, join(directory, "bin/mlx-convert.js"));
  symlinkSync(join(root, "fixtures"), join(directory, "fixtures"));
  symlinkSync(root, join(directory, "node_modules/mlx-convert"));
  writeFileSync(join(directory, "example.js"), blocks("js")[0] ?? "");
  writeFileSync(join(directory, "package.json"), '{"type": "module"}');
  writeSmolLM2();
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

describe("the blocks that a fresh clone runs", () => {
  const setUp = ["npm ci", "npm run build:native", "npm run build"];

  test("# run it", () => {
    const lines = block("sh", "# run it");
    expect(lines.slice(0, 3)).toEqual(setUp);
    const commands = lines.slice(3);
    expect(commands).toHaveLength(3);
    for (const command of commands)
      expect({ command, ...shell(command) }).toMatchObject({ command, status: 0 });
    rmSync(join(directory, "crepe-mlx"), { recursive: true });
  });

  test("# test it", () => {
    expect(block("sh", "# test it")).toEqual([...setUp, "npm test"]);
  });
});

/** What differs from run to run and from machine to machine. */
const normal = (output: string): string =>
  output
    .replaceAll(/\b[\d.]+ (ms|s)\b/g, "<time>")
    .replaceAll(/\b[\d.]+ [kMG]?B\/s/g, "<rate>")
    .replaceAll(/at most [\d.]+ [kMG]B of memory with \d+ threads?/g, "<memory>");

interface Example {
  readonly command: string;
  readonly shown: string;
}

/** The commands of the console blocks, each a line that begins with `$ `, and what stands below them. */
const examples: Example[] = blocks("console").flatMap((body) =>
  body
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const end = part.indexOf("\n");
      return { command: part.slice(0, end), shown: part.slice(end + 1) };
    }),
);

describe("the examples", () => {
  const produced: string[] = [];

  test("are there", () => {
    expect(examples.length).toBeGreaterThan(8);
    for (const command of ["convert", "plan", "inspect", "verify"]) {
      expect(examples.some((example) => example.command.startsWith(`mlx-convert ${command} `))).toBe(true);
    }
  });

  test.each(examples)("$command", ({ command, shown }) => {
    const { output } = shell(command);
    expect(output).not.toBe("");
    produced.push(normal(output) === normal(shown) ? shown : output);
    expect(normal(output)).toBe(normal(updating ? output : shown));
  });

  afterAll(() => {
    if (!updating || produced.length !== examples.length) return;
    let next = 0;
    const updated = readme.replaceAll(
      /^(```console\n)(.*?)(^```$)/gms,
      (_, open: string, body: string, close: string) => {
        const commands = body.split("\n").filter((line) => line.startsWith("$ "));
        return open + commands.map((command) => `${command}\n${produced[next++]}`).join("") + close;
      },
    );
    writeFileSync(join(root, "README.md"), updated);
  });
});

describe("the table of flags", () => {
  const section = /^## Flags of.*?^## /ms.exec(readme)?.[0] ?? "";
  const documented = [...section.matchAll(/^\| .*?(--[\w-]+)`/gm)].map(([, flag = ""]) => flag).toSorted();

  test.each(["convert", "plan"])("has every flag that `%s --help` shows, and no other", (command) => {
    const help = shell(`mlx-convert ${command} --help`).output;
    const flags = [...help.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(([, flag = ""]) => flag);
    expect(documented).toEqual(flags.filter((flag) => flag !== "--help").toSorted());
  });

  test("names the aliases that `convert --help` shows", () => {
    const [, names] = /names work too: (.*)\.$/m.exec(shell("mlx-convert convert --help").output) ?? [];
    expect(section.replaceAll("`", "")).toContain(`names work too: ${names}.`);
  });
});

test("the list of architectures", () => {
  const names = architectures.map(({ modelType, aliases = [] }) => {
    return aliases.length === 0 ? modelType : `${modelType} (${aliases.join(", ")})`;
  });
  expect(readme).toContain(`Architectures with rules: ${names.join(", ")}.`);
});

test("the version of Node", () => {
  const { engines } = JSON.parse(readText("package.json")) as { engines: { node: string } };
  expect(readme).toContain(`Node ${engines.node.replace(/^>=/, "")} or newer`);
});
