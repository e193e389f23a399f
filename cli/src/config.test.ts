import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { childEnvironment, commandWriter, launcherName, logLevel, quoted, readCliConfig } from "./config.js";

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

test("bad variables are named with their values, all at once", () => {
  vi.stubEnv("REDIS_URL", "nonsense");
  vi.stubEnv("HF_ENDPOINT", "hf-mirror.com");
  expect(() => readCliConfig()).toThrow(
    /REDIS_URL=nonsense is not a redis:\/\/.*HF_ENDPOINT=hf-mirror\.com is not an http:\/\/ or https:\/\/ URL\. Mirror/s,
  );
});

test.each(["https://hf-mirror.com", "http://127.0.0.1:8000/hf/"])("HF_ENDPOINT may be %s", (url) => {
  vi.stubEnv("HF_ENDPOINT", url);
  expect(readCliConfig().hfEndpoint).toBe(url);
});

test("the log level is info unless RHONE_LOG_LEVEL is one; a bad one is refused elsewhere", () => {
  for (const [text, level] of [
    [undefined, "info"],
    ["debug", "debug"],
    ["loud", "info"],
  ] as const) {
    vi.stubEnv("RHONE_LOG_LEVEL", text);
    expect(logLevel()).toBe(level);
  }
});

const DEFAULT_HOME = join(homedir(), ".rhone");

test.each([
  ["as it was called", { RHONE_COMMAND: "./rhone", RHONE_HOME: undefined }, undefined, "./rhone up"],
  ["with --data-dir", { RHONE_COMMAND: undefined, RHONE_HOME: "/home" }, "/data", "rhone up --data-dir /data"],
  ["with RHONE_HOME", { RHONE_COMMAND: "", RHONE_HOME: "/home" }, undefined, "rhone up --data-dir /home"],
  ["with the usual directory", { RHONE_COMMAND: undefined, RHONE_HOME: "/home" }, DEFAULT_HOME, "rhone up"],
])("a suggested command works when it is pasted: %s", (_, env, dataDir, expected) => {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  expect(commandWriter(dataDir)("up")).toBe(expected);
});

test.each([
  ["rhone", "rhone"],
  ["./rhone", "./rhone"],
  ["/srv/rhone-1.0/rhone", "rhone"],
  ["'/My Files/rhone'", "rhone"],
])("called as %s, another machine's command begins with %s", (called, expected) => {
  vi.stubEnv("RHONE_COMMAND", called);
  expect(launcherName()).toBe(expected);
});

test.each([
  ["/srv/rhone-1.0", "/srv/rhone-1.0"],
  ["/My Files", "'/My Files'"],
  ["/it's", "'/it'\\''s'"],
  ["", "''"],
])("a shell reads %j back from %s", (word, text) => expect(quoted(word)).toBe(text));

test("a child's environment is this one's with changes; undefined removes a variable", () => {
  vi.stubEnv("KEPT", "1");
  vi.stubEnv("DROPPED", "1");
  const environment = childEnvironment({ DROPPED: undefined, NEW: "2" });
  expect(environment).toMatchObject({ KEPT: "1", NEW: "2" });
  expect(environment.DROPPED).toBeUndefined();
});
