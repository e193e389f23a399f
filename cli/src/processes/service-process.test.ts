import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { serviceEnvironment } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { childEnvironment } from "../config.js";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { ServiceProcess, type ServiceSpec, toArguments } from "./service-process.js";

/** Starts a service whose file is `source`. */
async function start(
  source: string,
  args: readonly string[] = [],
  changes: Partial<ServiceSpec> = {},
): Promise<ServiceProcess> {
  const folder = await temporaryFolder();
  const entry = join(folder, "entry.mjs");
  await writeFile(entry, source);
  const env = childEnvironment();
  return ServiceProcess.start({ ...about, ...changes, entry, args, env, logFile: join(folder, "log") });
}

const about = { name: "thing-1", title: "The thing", hungAfterMs: 10_000 };

const LISTENS = 'process.send({ kind: "listening", service: "x", addresses: { http: process.argv[2] } });';
const PULSES = `const pulse = () => process.send({ kind: "pulse" }); pulse(); setInterval(pulse, 200); ${LISTENS}`;
const ENDS_WHEN_WOKEN = 'process.on("SIGCONT", () => process.exit(9));';
const FATAL = `process.send({ kind: "fatal", code: "DEVICE_NOT_FOUND", message: "No CUDA9." }, () => process.exit(1));`;

describe("ServiceProcess", () => {
  it("gives the addresses that the service announces", async () => {
    const service = await start(`${LISTENS} setInterval(() => {}, 60_000);`, ["127.0.0.1:80"]);
    expect(await service.listening).toEqual({ http: "127.0.0.1:80" });
    expect(service.pid).toBeGreaterThan(0);
    await service.stop({ killAfterMs: 10_000 });
    expect((await service.ended).message).toContain("SIGTERM");
  });

  it("sets the allocator up, unless the environment does", async () => {
    const source = LISTENS.replace("process.argv[2]", "process.env.MALLOC_ARENA_MAX");
    const service = await start(source);
    expect(await service.listening).toEqual({ http: process.env.MALLOC_ARENA_MAX ?? "2" });
    await service.stop({ killAfterMs: 10_000 });
    expect(serviceEnvironment({ MALLOC_ARENA_MAX: "8" }).MALLOC_ARENA_MAX).toBe("8");
  });

  it.each([
    ["before it listens", FATAL, "The thing did not start. No CUDA9."],
    ["after it listened", LISTENS + FATAL, "The thing failed. No CUDA9."],
  ])("tells why the service gives up %s", async (_, source, message) => {
    const service = await start(source);
    expect(await service.ended).toMatchObject({ code: "DEVICE_NOT_FOUND", message });
  });

  it("rejects `listening` with the reason", async () => {
    await expect((await start(FATAL)).listening).rejects.toMatchObject({ code: "DEVICE_NOT_FOUND" });
  });

  it("takes an error code of another version for INTERNAL", async () => {
    const service = await start(FATAL.replace("DEVICE_NOT_FOUND", "TOO_WARM"));
    expect(await service.ended).toMatchObject({ code: "INTERNAL", message: "The thing did not start. No CUDA9." });
  });

  it("shows the last five lines of the log when the service ends without a word", async () => {
    const service = await start('for (let i = 1; i <= 9; i++) console.log("line " + i); process.exitCode = 7;');
    const { code, message } = await service.ended;
    expect(code).toBe("INTERNAL");
    expect(message).toBe(
      "The thing ended unexpectedly (exit code 7).\nIts log ends:\nline 5\nline 6\nline 7\nline 8\nline 9",
    );
  });

  it("kills a service that does not stop in time", async () => {
    const service = await start(`process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); ${LISTENS}`);
    await service.listening;
    await service.stop({ killAfterMs: 1 });
    expect((await service.ended).message).toContain("signal SIGKILL");
  });

  it("kills a service that hangs", async () => {
    const service = await start(`${PULSES} setTimeout(() => { for (;;); }, 300);`, [], { hungAfterMs: 2000 });
    expect((await service.ended).message).toBe("The thing hung: its event loop did not turn for 2 s. It was killed.");
  });

  it("wakes a service that was stopped", async () => {
    const service = await start(ENDS_WHEN_WOKEN + PULSES, [], { hungAfterMs: 4000 });
    await service.listening;
    process.kill(service.pid, "SIGSTOP");
    expect((await service.ended).message).toContain("exit code 9");
  });

  it("says that a file can't be run", async () => {
    const folder = await temporaryFolder();
    const spec = {
      ...about,
      entry: join(folder, "nowhere.mjs"),
      args: [],
      env: childEnvironment(),
    };
    const service = ServiceProcess.start({ ...spec, logFile: join(folder, "log") });
    expect((await service.ended).message).toMatch(/^The thing ended unexpectedly \(exit code 1\)\.\nIts log ends:\n/);
  });
});

describe("toArguments", () => {
  it("makes flags of values, and leaves undefined ones out", () => {
    expect(toArguments({ "kv-type": "f16", port: 0, context: undefined })).toEqual(["--kv-type", "f16", "--port", "0"]);
  });
});
