import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, openSync } from "node:fs";
import { expect, it } from "vitest";
import { TestChild } from "../testing/child-process.js";

const logged = async (level: string, statements: string) => {
  const child = new TestChild(
    `const logger = common.createLogger({ service: "sample", level: "${level}" });\n${statements}\nprocess.disconnect();`,
  );
  expect(await child.exit()).toBe(0);
  return child.log;
};

it("writes one JSON object a line, with level, time, service and process", { timeout: 30_000 }, async () => {
  const [line] = await logged("info", `logger.child({ stage: 2 }).info({ pages: 7 }, "loaded");`);
  expect(line).toEqual({
    level: "info",
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    service: "sample",
    pid: expect.any(Number),
    stage: 2,
    pages: 7,
    msg: "loaded",
  });
});

it("writes nothing below its level", { timeout: 30_000 }, async () => {
  const lines = await logged("warn", `logger.info("hidden"); logger.warn("one"); logger.error("two");`);
  expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
    ["warn", "one"],
    ["error", "two"],
  ]);
});

it("removes credentials, up to two levels deep", { timeout: 30_000 }, async () => {
  const secrets = `{ authorization: "Bearer abc", cookie: "abc", password: "abc", "x-api-key": "abc", port: 1 }`;
  const lines = await logged(
    "info",
    `logger.info(${secrets}, "top"); logger.info({ headers: ${secrets} }, "one"); logger.info({ request: { headers: ${secrets} } }, "two");`,
  );
  expect(lines).toHaveLength(3);
  expect(JSON.stringify(lines)).not.toContain("abc");
  expect(lines[2]).toMatchObject({ request: { headers: { port: 1 } } });
});

it("writes an error with its stack and its cause", { timeout: 30_000 }, async () => {
  const [line] = await logged(
    "info",
    `logger.warn({ err: new Error("outer", { cause: new Error("inner") }) }, "failed");`,
  );
  expect(line).toMatchObject({
    err: { type: "Error", message: "outer: inner", stack: expect.stringContaining("caused by") },
  });
});

it("rounds fractions, at any depth, and leaves whole numbers and errors as they are", { timeout: 30_000 }, async () => {
  const fields = `{ ms: 1.23456789, times: [{ rows: 48, layerMs: 0.00123456, headMs: 12345.678 }], none: null }`;
  const [line, failure] = await logged(
    "info",
    `logger.info(${fields}, "timed"); logger.info({ bytes: 123456789, err: new Error("e") }, "failed");`,
  );
  const times = [{ rows: 48, layerMs: 0.001235, headMs: 12346 }];
  expect(line).toMatchObject({ ms: 1.235, times, none: null });
  expect(failure).toMatchObject({ bytes: 123456789, err: { message: "e" } });
});

it.skipIf(!existsSync("/dev/full"))(
  "a full disk ends no process, and no process waits for room",
  async () => {
    const code = `
    const common = await import(${JSON.stringify(new URL("../../dist/index.js", import.meta.url))});
    const logger = common.createLogger({ service: "sample", level: "info" });
    logger.info("one");
    setTimeout(() => logger.info("two"), 20);
    setTimeout(() => logger.flush(() => process.exit(7)), 40);`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", code], {
      stdio: ["ignore", openSync("/dev/full", "w"), "inherit"],
      timeout: 15_000,
    });
    expect(await once(child, "exit")).toEqual([7, null]);
  },
  30_000,
);
