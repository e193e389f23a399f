import { describe, expect, it } from "vitest";
import { TestChild } from "../testing/child-process.js";

const SETTINGS = "{ logLevel: common.logLevelSetting, hungAfter: common.hungAfterSetting }";

/** A service that opens two resources, says that it listens, and then does `more`. */
const service = (more = "") =>
  new TestChild(`
    await common.serviceMain({ service: "sample", settings: ${SETTINGS} }, async (config, { logger, shutdown }) => {
      setInterval(() => {}, 1000);
      shutdown.add("first", () => logger.info("first closed"));
      shutdown.add("second", async () => logger.info("second closed"));
      common.announce({ kind: "listening", service: "sample", addresses: {} });
      ${more}
    });
  `);

/** One that lingers for a minute, unless it is to hurry. */
const lingering = () =>
  new TestChild(`
    const lingersMs = () => 60_000;
    const options = { service: "sample", settings: ${SETTINGS}, lingersMs };
    await common.serviceMain(options, async (config, { logger, shutdown }) => {
      setInterval(() => {}, 1000);
      shutdown.add("guests", () => {
        common.announce({ kind: "retiring" });
        const { hurry } = shutdown;
        return new Promise((resolve) => {
          if (hurry.aborted) resolve();
          hurry.addEventListener("abort", () => resolve());
        });
      });
      common.announce({ kind: "listening", service: "sample", addresses: {} });
    });
  `);

const messages = ({ log }: TestChild) => log.map(({ msg }) => msg);
const fatal = (code: string, message: string) => ({ kind: "fatal", code, message });
const OPAQUE = "An internal error occurred; the service's log has the details.";

describe("runService", { timeout: 30_000 }, () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "closes what was opened, in reverse order, on %s and exits with 0",
    async (signal) => {
      const child = service();
      await child.message();
      child.process.kill(signal);
      expect(await child.exit()).toBe(0);
      expect(messages(child)).toEqual(["shutting down", "second closed", "first closed"]);
      expect(child.log[0]).toMatchObject({ level: "info", service: "sample", reason: signal });
      const listening = { kind: "listening", service: "sample", addresses: {} };
      expect(child.announcements).toEqual([listening, { kind: "ending" }]);
    },
  );

  it("ends when its launcher is gone", async () => {
    const child = service();
    await child.message();
    child.process.disconnect();
    expect(await child.exit()).toBe(0);
    expect(child.log[0]).toMatchObject({ reason: "the launcher is gone" });
    expect(messages(child)).toContain("first closed");
  });

  it("ends at once on a second signal, whatever is still closing", async () => {
    const child = service(`
      shutdown.add("stuck", () => {
        common.announce({ kind: "listening", service: "closing", addresses: {} });
        return new Promise(() => {});
      });`);
    await child.message();
    child.process.kill("SIGTERM");
    await child.message();
    child.process.kill("SIGTERM");
    expect(await child.exit()).toBe(1);
    expect(messages(child)).toEqual(["shutting down"]);
  });

  it.each<[string, (child: TestChild) => void]>([
    ["a second signal", ({ process: child }) => child.kill("SIGTERM")],
    ["the end of its launcher", ({ process: child }) => child.disconnect()],
  ])("ends what it lingers for on %s, in order", async (_, hurry) => {
    const child = lingering();
    await child.answer("listening");
    child.process.kill("SIGTERM");
    await child.answer("retiring");
    hurry(child);
    expect(await child.exit()).toBe(0);
  });

  it("does not linger when its launcher is gone", async () => {
    const child = lingering();
    await child.answer("listening");
    child.process.disconnect();
    expect(await child.exit()).toBe(0);
  });

  it("ends soon when its launcher is gone, whatever is still closing", async () => {
    const child = service('shutdown.add("stuck", () => new Promise(() => {}));');
    await child.message();
    child.process.disconnect();
    expect(await child.exit()).toBe(1);
    expect(messages(child)).not.toContain("first closed");
  });

  it("announces an error of `start`, closes what was opened by then, and exits with 1", async () => {
    const child = service(`throw new common.RhoneError("PORT_IN_USE", "127.0.0.1:80 is in use.");`);
    expect(await child.exit()).toBe(1);
    expect(child.announcements[1]).toEqual(fatal("PORT_IN_USE", "127.0.0.1:80 is in use."));
    expect(messages(child)).toEqual(["fatal error", "shutting down", "second closed", "first closed"]);
    expect(child.log[0]).toMatchObject({ level: "fatal", code: "PORT_IN_USE" });
  });

  it.each([
    ["an exception that nothing caught", `setImmediate(() => { throw new Error("the cause"); });`],
    ["a rejection that nothing handled", `void Promise.reject(new Error("the cause"));`],
    ["a broken invariant", `common.crash(new Error("the cause"));`],
  ])("ends on %s, which the log shows and the announcement does not", async (_, more) => {
    const child = service(more);
    expect(await child.exit()).toBe(1);
    expect(child.announcements[1]).toEqual(fatal("INTERNAL", OPAQUE));
    expect(child.log[0]).toMatchObject({ level: "fatal", code: "INTERNAL", err: { message: "the cause" } });
    expect(messages(child)).toContain("first closed");
  });

  it("lets the caller of `crash` finish its turn", async () => {
    const child = service(`
      common.crash(new Error("the cause"));
      common.announce({ kind: "listening", service: "after the crash", addresses: {} });`);
    expect(await child.exit()).toBe(1);
    expect(child.announcements.slice(1)).toEqual([
      { kind: "listening", service: "after the crash", addresses: {} },
      fatal("INTERNAL", OPAQUE),
    ]);
  });

  it("writes the whole log before it exits", async () => {
    const child = service(`
      shutdown.add("talkative", () => logger.info({ text: "x".repeat(2_000_000) }, "a long line"));
      process.kill(process.pid, "SIGTERM");`);
    expect(await child.exit()).toBe(0);
    expect(messages(child)).toEqual(["shutting down", "a long line", "second closed", "first closed"]);
    expect(child.log[1]).toMatchObject({ text: expect.stringMatching(/^x{2000000}$/) });
  });

  it("exits with 1 when a second error comes while it ends", async () => {
    const child = service(`
      shutdown.add("broken", () => new Promise(() => setImmediate(() => { throw new Error("late"); })));
      throw new Error("first");`);
    expect(await child.exit()).toBe(1);
    expect(child.announcements).toHaveLength(3);
    expect(messages(child)).not.toContain("first closed");
  });
});
