import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { WorkerStanding } from "@rhone/common";
import { expect, onTestFinished, test } from "vitest";
import { readClusterRecord } from "../cluster/cluster-record.js";
import type { ProgressEvent } from "../cluster/progress.js";
import { commandWriter, readCliConfig } from "../config.js";
import { freshDataDir } from "../testing/recorded-cluster.js";
import { becomeMember } from "./become-member.js";
import { runMember } from "./run-member.js";
import { testDoor } from "./testing/test-door.js";

const entry = fileURLToPath(new URL("./testing/fake-worker.mjs", import.meta.url));

/** A member whose fake worker tells these standings. */
async function startMember(standings: readonly Partial<WorkerStanding>[]) {
  const { door, newToken } = await testDoor();
  const dataDir = await freshDataDir();
  const who = { door, name: "b-1", dataDir, rhone: commandWriter(), before: null };
  const coordinator = await becomeMember({ ...who, token: await newToken() });
  const journal = join(dataDir.root, "journal");
  process.env.RHONE_FAKE_WORKER = JSON.stringify({ standings, journal });
  onTestFinished(() => {
    delete process.env.RHONE_FAKE_WORKER;
  });
  const [stop, kill] = [new AbortController(), new AbortController()];
  const events: ProgressEvent[] = [];
  const options = { dataDir: dataDir.root, door, name: "b-1", coordinator, port: 7299, threads: 3 };
  const run = () =>
    runMember({
      options,
      config: readCliConfig(dataDir.root),
      entry,
      report: (event) => events.push(event),
      stop: stop.signal,
      kill: kill.signal,
    });
  const over = run();
  over.catch(() => {});
  onTestFinished(async () => {
    stop.abort();
    kill.abort();
    await over.catch(() => {});
  });
  return { over, run, stop, events, dataDir, door, journal: () => readFile(journal, "utf8").catch(() => "") };
}

const joined = { joined: true, refusal: null, pipeline: null };
const ready = { state: "ready", reason: "", model: "m", workers: 2, layers: [4, 8] } as const;

test("runs the worker at the address that the coordinator sees, records it, and leaves in order", async () => {
  const { over, run, stop, events, dataDir, door, journal } = await startMember([
    joined,
    { ...joined, pipeline: ready },
  ]);
  await expect.poll(() => events.some(({ kind }) => kind === "member")).toBe(true);
  expect(await journal()).toMatch(/--host 127\.0\.0\.1 --advertise-host 127\.0\.0\.1 --port 7299 .*--threads 3/);
  await expect.poll(async () => (await readClusterRecord(dataDir))?.services.length).toBe(1);
  expect(await readClusterRecord(dataDir)).toMatchObject({ state: "ready", joined: door });
  await expect(run()).rejects.toMatchObject({ code: "ALREADY_RUNNING", message: expect.stringContaining(door) });
  stop.abort();
  await over;
  expect(await journal()).toMatch(/\nleft\n$/);
  expect(await readClusterRecord(dataDir)).toBeNull();
});

test("ends with the coordinator's reason when that does not reach the worker", async () => {
  const refusal = { code: "UNREACHABLE", message: "Open TCP port 7299 of 127.0.0.1." };
  const { over, dataDir } = await startMember([{ joined: false, refusal, pipeline: null }]);
  await expect(over).rejects.toMatchObject(refusal);
  expect(await readClusterRecord(dataDir)).toBeNull();
});
