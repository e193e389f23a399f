import { describe, expect, it } from "vitest";
import { type ChildOptions, TestChild } from "../testing/child-process.js";

const SETTINGS = `{
  port: { env: "TEST_PORT", schema: common.portSchema.default(7100), doc: "The port to bind." },
  url: { env: "TEST_URL", schema: common.redisUrlSchema.removeDefault(), doc: "A Redis." },
  logLevel: common.logLevelSetting,
  hungAfter: common.hungAfterSetting,
}`;

const service = (options: ChildOptions, more = "") =>
  new TestChild(
    `await common.serviceMain({ service: "sample", settings: ${SETTINGS} }, async (config, { logger }) => {
       logger.debug({ port: config.port }, "started");
       ${more}
     });
     process.disconnect();`,
    options,
  );

describe("serviceMain", { timeout: 30_000 }, () => {
  it("starts with the settings of flags and environment, and a logger of their level", async () => {
    const env = { TEST_URL: "redis://there", RHONE_LOG_LEVEL: "debug", TEST_PORT: "1" };
    const child = service({ env, flags: ["--port", "2"] });
    expect(await child.exit()).toBe(0);
    expect(child.log[0]).toMatchObject({ level: "debug", service: "sample", port: 2, msg: "started" });
  });

  it("logs Node's warnings, experimental features at debug", async () => {
    const warn = 'process.emitWarning("It leaks.", "LeakWarning"); process.emitWarning("New.", "ExperimentalWarning");';
    const env = { TEST_URL: "redis://there", RHONE_LOG_LEVEL: "debug" };
    const child = service({ env }, `${warn} await new Promise(setImmediate);`);
    expect(await child.exit()).toBe(0);
    expect(child.stderr).toBe("");
    expect(child.log.filter(({ msg }) => msg === "warning of Node")).toMatchObject([
      { level: "warn", name: "LeakWarning", text: "It leaks." },
      { level: "debug", name: "ExperimentalWarning", text: "New." },
    ]);
  });

  it("keeps a heap small of which little is in use", async () => {
    // V8 alone lets it grow to 127 MB, although 18 MB are in use at a time.
    const grow = `
      const { getHeapStatistics } = await import("node:v8");
      const before = getHeapStatistics().total_heap_size;
      const kept = [];
      let most = 0;
      for (let i = 0; i < 4e6; i++) {
        kept[i % 200_000] = { i, text: "x" + i };
        if (i % 1000 === 0) most = Math.max(most, getHeapStatistics().total_heap_size);
      }
      logger.info({ grewBy: most - before });`;
    const child = service({ env: { TEST_URL: "redis://there" } }, grow);
    expect(await child.exit()).toBe(0);
    expect(child.log[0]?.grewBy).toBeLessThan(95e6);
  });

  it("prints all settings on --help and exits with 0, even when settings are wrong", async () => {
    const child = service({ flags: ["--help", "--port", "x"] });
    expect(await child.exit()).toBe(0);
    expect(child.stdout).toBe(`Settings of the sample. A flag wins over its environment variable.

  --port        TEST_PORT         The port to bind. Default: 7100. Takes 0 to 65535.
  --url         TEST_URL          A Redis. Required.
  --log-level   RHONE_LOG_LEVEL   Least severe messages in the log: debug, info, warn, error or silent. Default: info.
  --hung-after  RHONE_HUNG_AFTER  Seconds without a turn of a process's event loop after which it counts as hung and is killed, to be started again; after a quarter of them it is woken, in case it was stopped. More under a debugger. Default: 4. Takes 1 to 3600.
`);
    expect(child.announcements).toEqual([]);
  });

  it("announces bad settings, writes them to standard error, and exits with 2", async () => {
    const child = service({ flags: ["--port", "x"] });
    expect(await child.exit()).toBe(2);
    const message =
      "Bad settings:\n  --port x is not a number. The port to bind.\n  --url or TEST_URL is required. A Redis.";
    expect(child.stderr).toBe(`${message}\n`);
    expect(child.announcements).toEqual([{ kind: "fatal", code: "INVALID_CONFIG", message }]);
    expect(child.stdout).toBe("");
  });
});
