import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/conformance/**"],
    globalSetup: ["test/support/build.ts"],
    testTimeout: 30_000,
    // The second is what .ci/run counts.
    reporters: ["default", ["json", { outputFile: "reports/vitest.json" }]],
  },
});
