import { expect, test } from "vitest";
import { plural, showBytes, showCount, showSeconds } from "../src/units.ts";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.00 kB"],
  [75_700_000, "75.7 MB"],
  [999_499, "999 kB"],
  [999_500, "1.00 MB"],
  [9_996_000, "10.0 MB"],
  [99_960_000, "100 MB"],
  [8_589_934_592, "8.59 GB"],
  [1.4e15, "1400 TB"],
])("%d bytes are %s", (bytes, text) => {
  expect(showBytes(bytes)).toBe(text);
});

test("counts", () => {
  expect(showCount(512)).toBe("512");
  expect(showCount(999_499)).toBe("999,499");
  expect(showCount(999_500)).toBe("1.00 million");
  expect(showCount(134_515_008)).toBe("135 million");
  expect(showCount(7_241_732_096)).toBe("7.24 billion");
});

test.each([
  [0.2851, "285 ms"],
  [3.14, "3.1 s"],
  [5, "5 s"],
  [59.99, "60.0 s"],
  [61.4, "01:01"],
  [119.6, "02:00"],
  [3725, "1:02:05"],
])("%d seconds are %s", (seconds, text) => {
  expect(showSeconds(seconds)).toBe(text);
});

test("plurals", () => {
  expect([plural(0, "file"), plural(1, "file"), plural(2, "file")]).toEqual(["0 files", "1 file", "2 files"]);
});
