#!/usr/bin/env node
// count.js <reports>: counts the tests that passed and failed, from the reports of the runners themselves. A step that failed
// though its tests passed, a report that is missing and a runner that counted nothing are failures too.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const [reports] = process.argv.slice(2);

/** Each step of `.ci/run`: the report that its runner writes, and how the tests are counted in it. */
const steps = [
  { name: "readme", report: "vitest.json", count: countVitest },
  { name: "check" },
  { name: "native", report: "native.txt", count: countNative },
  { name: "conformance", report: "conformance.xml", count: countJUnit },
];

function countVitest(text) {
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(text);
  // A file that does not even load has no test that failed.
  const broken = testResults.filter(
    ({ status, assertionResults }) =>
      status === "failed" && assertionResults.every((test) => test.status !== "failed"),
  );
  return { passed: numPassedTests, failed: numFailedTests + broken.length };
}

function countNative(text) {
  const [passed, failed] = find(text, /^(\d+) passed, (\d+) failed$/m).map(Number);
  return { passed, failed };
}

function countJUnit(text) {
  const [suite] = find(text, /<testsuite( .*?)>/);
  const [tests, failures, errors, skipped] = ["tests", "failures", "errors", "skipped"].map((name) =>
    Number(find(suite, new RegExp(` ${name}="(\\d+)"`))[0]),
  );
  return { passed: tests - failures - errors - skipped, failed: failures + errors };
}

/** The groups of the first match. */
function find(text, pattern) {
  const match = pattern.exec(text);
  if (match === null) throw new Error(`no ${pattern}`);
  return match.slice(1);
}

/** @returns the counts of a step, and what is wrong with it though no test says so */
function judge({ name, report, count }) {
  const counted = { passed: 0, failed: 0 };
  const status = statuses.get(name);
  const wrong = [];
  if (report !== undefined) {
    try {
      Object.assign(counted, count(readFileSync(join(reports, report), "utf8")));
      if (counted.passed + counted.failed === 0) wrong.push(`${report} counts no test`);
    } catch (error) {
      wrong.push(`${report} cannot be read: ${error.message}`);
    }
  }
  if (status !== "0" && counted.failed === 0) wrong.push(`exit status ${status}`);
  return { ...counted, wrong };
}

const statuses = new Map(
  readFileSync(join(reports, "steps.txt"), "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(" ")),
);

let passed = 0;
let failed = 0;
for (const step of steps) {
  const found = judge(step);
  passed += found.passed;
  failed += found.failed + (found.wrong.length > 0 ? 1 : 0);
  const tests = step.report === undefined ? "" : `${found.passed} tests passed, ${found.failed} failed`;
  console.log(`${step.name}: ${[tests, ...found.wrong].filter(Boolean).join("; ") || "done"}`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
