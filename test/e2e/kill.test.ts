/** The command is stopped at random moments of its work: nothing loads as a model that is not whole. */
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSafetensorsHeader } from "../../src/formats/safetensors.ts";
import { withFile } from "../../src/io/byte-source.ts";
import { type CommandResult, mlxConvert } from "../support/command.ts";
import { temporaryDirectory } from "../support/files.ts";
import { writeLlama } from "../support/llama.ts";
import { snapshot } from "../support/snapshot.ts";
