import { resolve } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { childEnvironment, readCliConfig } from "./config.js";

afterEach(() => vi.unstubAllEnvs());

test("--data-dir wins over RHONE_HOME, and both become absolute", () => {
  vi.stubEnv("RHONE_HOME", "here/data");
  expect(readCliConfig().home).toBe(resolve("here/data"));
  expect(readCliConfig("there").home).toBe(resolve("there"));
});

test("without REDIS_URL there is no Redis of one's own", () => {
  vi.stubEnv("REDIS_URL", undefined);
  expect(readCliConfig().redisUrl).toBeUndefined();
});

test("a bad variable is named with its value", () => {
  vi.stubEnv("REDIS_URL", "nonsense");
  expect(() => readCliConfig()).toThrow(/REDIS_URL=nonsense.*redis:\/\//s);
});

test("a child's environment is this one's with changes; undefined removes a variable", () => {
  vi.stubEnv("KEPT", "1");
  vi.stubEnv("DROPPED", "1");
  const environment = childEnvironment({ DROPPED: undefined, NEW: "2" });
  expect(environment).toMatchObject({ KEPT: "1", NEW: "2" });
  expect(environment.DROPPED).toBeUndefined();
});
