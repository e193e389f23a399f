import { fileURLToPath } from "node:url";
import { inspectModel } from "@rhone/model";
import { expect, test } from "vitest";
import { describeModel } from "./model-inspect.js";

const BREEZE = fileURLToPath(new URL("../../../models/breeze-q8_0.gguf", import.meta.url));

test("a summary has one property per line, in words", async () => {
  const summary = await inspectModel(BREEZE);
  const lines = describeModel(summary).split("\n");
  const value = (name: string) =>
    lines
      .find((line) => line.startsWith(`${name} `))
      ?.slice(name.length)
      .trim();
  expect(value("parameters")).toBe("6.3 M");
  expect(value("context")).toBe(String(summary.config.contextLength));
  expect(value("heads")).toMatch(/^\d+ of \d+ dimensions, \d+ for K\/V$/);
  expect(value("K/V per position")).toMatch(/ \(f16\)$/);
  const { type, tensors } = summary.tensorTypes[0] ?? { type: "", tensors: 0 };
  expect(value(type)).toMatch(new RegExp(`^${tensors} tensors, `));
});

test("what a file does not say is a dash or none", async () => {
  const { catalogueName: _, license: __, config, ...summary } = await inspectModel(BREEZE);
  const { name: ___, ...plain } = { ...config, slidingWindow: 0 };
  const text = describeModel({ ...summary, config: plain } as Parameters<typeof describeModel>[0]);
  expect(text).toMatch(/^name +-$/m);
  expect(text).toMatch(/^license +-$/m);
  expect(text).toMatch(/^sliding window +none$/m);
});
