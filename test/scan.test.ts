import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { scan } from "../src/scan.ts";
import { cli } from "./support/cli.ts";
import { safetensorsFile } from "./support/checkpoint.ts";
import { failure } from "./support/failure.ts";
import { directoryWith } from "./support/files.ts";
import { pickle, reduce, text } from "./support/pickle.ts";
import { makeZip } from "./support/zip.ts";

const fixtures = resolve(import.meta.dirname, "../fixtures/torch");
const attack = pickle(reduce("os", "system", text("rm -rf /")));
const zipOf = (data: Uint8Array): Buffer => makeZip([{ name: "archive/data.pkl", data }]);

test("an attack is listed, not run; what a checkpoint may ask for is understood", () => {
  const directory = directoryWith({
    "a.bin": zipOf(attack),
    "b.pkl": attack,
    "c.safetensors": safetensorsFile({}),
    "d.txt": "text",
    "sub/e.pkl": attack,
  });
  const globals = [{ name: "os.system", understood: false }];
  expect(scan(directory)).toEqual({
    source: directory,
    pickles: [
      { file: `${join(directory, "a.bin")}:archive/data.pkl`, globals, problem: undefined },
      { file: join(directory, "b.pkl"), globals, problem: undefined },
    ],
  });
});

test("a checkpoint of torch", () => {
  const [found] = scan(join(fixtures, "parameters.pt")).pickles;
  expect(found?.globals).toContainEqual({ name: "torch.FloatStorage", understood: true });
  expect(found?.globals.filter(({ understood }) => !understood)).toEqual([]);
});

test("all pickles of a file of torch before 1.6", () => {
  const [found] = scan(join(fixtures, "legacy.pt")).pickles;
  expect(found?.problem).toBeUndefined();
  expect(found?.globals.map(({ name }) => name)).toContain("collections.OrderedDict");
});

test("a damaged pickle says how far it was read", () => {
  const directory = directoryWith({
    "x.pkl": attack.subarray(0, -2),
    "y.bin": zipOf(attack).subarray(0, 60),
  });
  const [x, y] = scan(directory).pickles;
  expect(x).toMatchObject({ globals: [{ name: "os.system" }], problem: expect.stringContaining("x.pkl: ") });
  expect(y).toMatchObject({
    globals: [],
    problem: expect.stringContaining("the end record of the zip is missing"),
  });
});

test("a source that is not there", () => {
  expect(failure(() => scan("/no/such")).message).toBe("/no/such: no such file or directory");
});

test("inspect --scan", async () => {
  const directory = directoryWith({ "a.bin": zipOf(attack), "c.safetensors": safetensorsFile({}) });
  const { status, stdout } = await cli("inspect", directory, "--scan");
  expect(status).toBe(0);
  expect(stdout.replaceAll(directory, "DIR")).toBe(
    "DIR/a.bin:archive/data.pkl\n  os.system  (not on the allow-list)\n\nnothing of it was executed\n",
  );
  const json = await cli("inspect", directory, "--scan", "--json");
  expect(JSON.parse(json.stdout)).toEqual({
    source: directory,
    pickles: [
      {
        file: `${directory}/a.bin:archive/data.pkl`,
        globals: [{ name: "os.system", understood: false }],
        problem: null,
      },
    ],
  });
  const none = await cli("inspect", join(directory, "c.safetensors"), "--scan");
  expect(none.stdout).toContain("no pickle in it, so nothing that could be executed\n");
});
