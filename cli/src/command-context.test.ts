import { resolve } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { commandContext } from "./command-context.js";

afterEach(() => vi.unstubAllEnvs());

test("a command's paths come from its data directory", () => {
  vi.stubEnv("RHONE_HOME", "/from/environment");
  const { signal } = new AbortController();
  expect(commandContext(undefined, signal).dataDir.root).toBe("/from/environment");
  const { dataDir, config } = commandContext("here", signal);
  expect(dataDir.models).toBe(resolve("here/models"));
  expect(config.home).toBe(resolve("here"));
});

test("output that is no terminal has no colours", () => {
  const { style } = commandContext("here", new AbortController().signal);
  expect(style.red("text")).toBe("text");
});
