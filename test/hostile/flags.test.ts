/** Command lines that are wrong: what a user sees of it, before anything is read or written. */
import { describe, expect, test } from "vitest";
import { llamaConfig, type LlamaSize, llamaTensors, tensorFile } from "../support/llama.ts";
import { attempt, type Refusal, refused } from "../support/refusal.ts";

const size: LlamaSize = { layers: 1, hidden: 64, intermediate: 128, vocabulary: 96 };
const files = () => ({
  "model/config.json": llamaConfig(size),
  "model/model.safetensors": tensorFile(llamaTensors(size)),
});

type Row = readonly [line: string, error: RegExp, hint: RegExp, status?: 1 | 2];

const rows: Readonly<Record<string, readonly Row[]>> = {
  commands: [
    ["convrt model -q -o out", /^unknown command "convrt"$/, /^did you mean convert\?$/],
    [
      "./model -q",
      /^unknown command "\.\/model"$/,
      /^a command comes first: mlx-convert convert \.\/model -q$/,
    ],
    ["convert", /^<source> is missing$/, /^mlx-convert convert <file or directory>$/],
    ["plan", /^<source> is missing$/, /^mlx-convert plan <file or directory>$/],
    ["inspect", /^<source> is missing$/, /--help$/],
    ["verify model", /^<output> is missing$/, /--help$/],
    ["convert model other -o out", /^unexpected argument "other"$/, /--help$/],
    ["convert model -o", /^--output needs a value$|^-o needs a value$/, /--help$/],
  ],
  flags: [
    ["convert model --quantise -o out", /^unknown flag --quantise$/, /^did you mean --quantize\?$/],
    ["convert model -q --groupsize 64 -o out", /^unknown flag --groupsize$/, /^did you mean --group-size\?$/],
    [
      "convert model -q --gruop-size=64 -o out",
      /^unknown flag --gruop-size$/,
      /^did you mean --group-size\?$/,
    ],
    ["convert model --xyzzy -o out", /^unknown flag --xyzzy$/, /--help$/],
    [
      "convert model -q -d -o out",
      /^Choose either quantize or dequantize, not both\.$/,
      /leave out -q or -d/,
    ],
    ["convert model --bits 4 -o out", /^--bits 4 has no effect without --quantize$/, /^add -q$/],
    [
      "convert model -q --bits 4 --q-bits 8 -o out",
      /^--bits 4 and --q-bits 8 say different things$/,
      /one of them/,
    ],
    ["convert model -o a --mlx-path b", /^--output a and --mlx-path b say different things$/, /one of them/],
  ],
  values: [
    [
      "convert model -q --bits 7 -o out",
      /^\[quantize\] The requested number of bits 7 is not supported\. The supported bits are 1, 2, 3, 4, 5, 6 and 8\.$/,
      /^--bits 1, or 2, or 3, or 4, or 5, or 6, or 8$/,
    ],
    ["convert model -q --bits four -o out", /^--bits four: expected a whole number from 1 to 64$/, /./],
    [
      "convert model -q --bits 5 --mode mxfp4 -o out",
      /^\[quantize\] mxfp4 quantization requires bits to be 4 but got 5\.$/,
      /^--bits 4$/,
    ],
    [
      "convert model -q --group-size 48 -o out",
      /^\[quantize\] The requested group size 48 is not supported\. The supported group sizes are 32, 64 and 128\.$/,
      /^--group-size 32, or 64, or 128$/,
    ],
    [
      "convert model -q --group-size 16 -o out",
      /^\[quantize\] The requested group size 16 is not supported\. The supported group sizes are 32, 64 and 128\.$/,
      /^--group-size 32, or 64, or 128$/,
    ],
    [
      "convert model -q --mode mxfp4 --group-size 64 -o out",
      /^\[quantize\] mxfp4 quantization requires group size 32 but got 64\.$/,
      /^--group-size 32$/,
    ],
    [
      "convert model -q --mode afine -o out",
      /^--mode afine: expected one of affine, mxfp4, mxfp8, nvfp4$/,
      /^--mode affine$/,
    ],
    ["convert model --dtype float -o out", /^--dtype float: expected one of/, /float16/],
    ["convert model --threads 0 -o out", /^--threads 0: expected a whole number from 1 to 1024$/, /./],
    [
      "convert model --threads -1 -o out",
      /^--threads -1: expected a whole number|^--threads needs a value$/,
      /./,
    ],
    ["convert model --max-memory lots -o out", /^--max-memory lots: expected a size such as 5GB/, /./],
    [
      "convert model --max-memory 1MB -o out",
      /^--max-memory 1MB is too little: this takes \d+MB$/,
      /^--max-memory \d+MB$/,
      1,
    ],
    [
      "convert model --max-shard-size 5 -o out",
      /^--max-shard-size 5: 5 bytes is too little$/,
      /^--max-shard-size 5GB$/,
    ],
    ["convert model --architecture lama -o out", /model_type "lama" is not known$/, /^nearest: llama/, 1],
  ],
  overrides: [
    [
      "convert model -q --override ([=8 -o out",
      /^--override '\(\[=8': not a regular expression: /,
      /^--override '/,
    ],
    [
      "convert model -q --override lm_head=7b -o out",
      /^--override 'lm_head=7b': "7b" is not known; expected /,
      /^--override '/,
    ],
    [
      "convert model -q --override lm_head=7 -o out",
      /^--override 'lm_head=7': \[quantize\] The requested number of bits 7/,
      /^--override '/,
    ],
    [
      "convert model -q --override lm_head -o out",
      /^--override 'lm_head': expected '<regex>=<what>'$/,
      /^--override '/,
    ],
    ["convert model -q --override nothing=8 -o out", /^--override nothing=8: matches no layer$/, /plan/, 1],
    [
      "convert model --override lm_head=8 -o out",
      /^--override 'lm_head=8' has no effect without --quantize$/,
      /^add -q$/,
    ],
  ],
};

const refusal = ([line, error, hint, status = 2]: Row): Refusal => ({
  what: line,
  files,
  args: line.split(" "),
  error,
  hint,
  status,
});

describe.each(Object.entries(rows))("%s", (_title, cases) => {
  test.each(cases.map(refusal))("$what", async (wrong) => {
    expect(await attempt(wrong)).toEqual(refused(wrong));
  });
});
