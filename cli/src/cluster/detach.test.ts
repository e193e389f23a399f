import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RhoneError } from "@rhone/common";
import { describe, expect, it, onTestFinished } from "vitest";
import { commandWriter } from "../config.js";
import { dataDirAt } from "../data-dir.js";
import { identifyProcess, isAlive, type ProcessIdentity, signalProcess } from "../processes/process-identity.js";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { startDetached } from "./detach.js";
import type { ProgressEvent } from "./progress.js";

const READY = 'process.send({ kind: "ready", url: "http://127.0.0.1:8080" });';
const LIVES = "setInterval(() => {}, 1000);";

/** Starts a supervisor whose file is `source`. */
async function start(source: string, stop = new AbortController(), kill = new AbortController()) {
  const root = await temporaryFolder();
  const supervisor = join(root, "supervisor.mjs");
  await writeFile(supervisor, source);
  const options = { dataDir: root, model: "breeze", host: "127.0.0.1", port: 0, kvType: "f16" } as const;
  const events: ProgressEvent[] = [];
  const report = (event: ProgressEvent): void => void events.push(event);
  const started = startDetached({ options, report, stop: stop.signal, kill: kill.signal, supervisor });
  return { started, events, log: () => readFile(join(dataDirAt(root).logs, "supervisor.log"), "utf8"), root };
}

describe("startDetached", () => {
  it("shows the progress, returns when the cluster is ready and leaves it running", async () => {
    const tells =
      'import { writeFileSync } from "node:fs"; writeFileSync(new URL("./pid", import.meta.url), String(process.pid));';
    const phase = 'process.send({ kind: "phase", phase: "model", text: process.argv[2], done: true });';
    const { started, events, log, root } = await start(`${tells} console.log("noted"); ${phase} ${READY} ${LIVES}`);
    await started;
    expect(events.map(({ kind }) => kind)).toEqual(["phase", "ready"]);
    expect(JSON.parse((events[0] as { text: string }).text)).toMatchObject({ model: "breeze", dataDir: root });
    expect(await log()).toBe("noted\n");
    const supervisor = identifyProcess(Number(await readFile(join(root, "pid"), "utf8"))) as ProcessIdentity;
    expect(isAlive(supervisor)).toBe(true);
    signalProcess(supervisor, "SIGKILL");
  });

  it("throws the reason when the cluster fails", async () => {
    const { started } = await start(
      'process.send({ kind: "failed", code: "PORT_IN_USE", message: "8080 is in use." }, () => process.exit(1));',
    );
    await expect(started).rejects.toMatchObject({ code: "PORT_IN_USE", message: "8080 is in use." });
  });

  it("points to the log when the supervisor ends without a reason", async () => {
    const { started, root } = await start("process.exitCode = 9;");
    await expect(started).rejects.toMatchObject({
      code: "INTERNAL",
      message: `The supervisor ended unexpectedly (exit code 9). \`${commandWriter(root)("logs supervisor")}\` may show why.`,
    });
  });

  it("kills a supervisor that hangs while the cluster starts, and says so", { timeout: 20_000 }, async () => {
    process.env.RHONE_HUNG_AFTER = "2";
    onTestFinished(() => void delete process.env.RHONE_HUNG_AFTER);
    const { started } = await start('process.send({ kind: "pulse" }, () => { for (;;); });');
    await expect(started).rejects.toMatchObject({
      code: "INTERNAL",
      message: "The supervisor hung: its event loop did not turn for 2 s. It was killed.",
    });
  });

  it("asks the supervisor to stop when it is interrupted", async () => {
    const stop = new AbortController();
    const { started, events } = await start(
      `process.on("SIGTERM", () => process.send({ kind: "failed", code: "CANCELLED", message: "Stopped." }, () => process.exit(1)));
       process.send({ kind: "note", text: "up" }); ${LIVES}`,
      stop,
    );
    started.catch(() => {});
    await expect.poll(() => events.length).toBe(1);
    stop.abort();
    await expect(started).rejects.toMatchObject({ code: "CANCELLED" });
  });

  it("asks it a second time to kill, and does not return a cluster that became ready meanwhile", async () => {
    const [stop, kill] = [new AbortController(), new AbortController()];
    const { started, events } = await start(
      `let asked = 0;
       process.on("SIGTERM", () => {
         if (++asked === 2) return process.exit(0);
         ${READY} process.send({ kind: "note", text: "stopping" });
       });
       process.send({ kind: "note", text: "up" }); ${LIVES}`,
      stop,
      kill,
    );
    started.catch(() => {});
    await expect.poll(() => events.length).toBe(1);
    stop.abort(new RhoneError("CANCELLED", "Interrupted."));
    await expect.poll(() => events.length).toBe(2);
    kill.abort();
    await expect(started).rejects.toMatchObject({ code: "CANCELLED", message: "Interrupted." });
    expect(events.map(({ kind }) => kind)).toEqual(["note", "note"]);
  });
});
