import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { WorkerStanding } from "@rhone/common";
import { expect, onTestFinished, test } from "vitest";
import { readClusterRecord } from "../cluster/cluster-record.js";
import type { ProgressEvent } from "../cluster/progress.js";
import { commandWriter, readCliConfig } from "../config.js";
import { ENTRY_POINTS } from "../processes/entry-points.js";
import { freshDataDir } from "../testing/recorded-cluster.js";
import { becomeMember } from "./become-member.js";
import { runMember } from "./run-member.js";
import { testDoor } from "./testing/test-door.js";

const shardWorker = fileURLToPath(new URL("./testing/fake-worker.mjs", import.meta.url));
const entryPoints = { ...ENTRY_POINTS, shardWorker };

/** A member whose fake worker tells these standings. */
async function startMember(standings: readonly Partial<WorkerStanding>[]) {
  const { door, newToken, places, coordinator } = await testDoor();
  const dataDir = await freshDataDir();
  const who = { door, as: "worker", name: "b-1", dataDir, rhone: commandWriter(), before: null } as const;
  await becomeMember({ ...who, token: await newToken() });
  const journal = join(dataDir.root, "journal");
  process.env.RHONE_FAKE_WORKER = JSON.stringify({ standings, journal });
  onTestFinished(() => {
    delete process.env.RHONE_FAKE_WORKER;
  });
  const [stop, kill] = [new AbortController(), new AbortController()];
  const events: ProgressEvent[] = [];
  const place = { door, places, coordinator, port: 7299 };
  const options = { dataDir: dataDir.root, as: "worker", name: "b-1", ...place, threads: 3 } as const;
  const run = () =>
    runMember({
      options,
      config: readCliConfig(dataDir.root),
      entryPoints,
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
  const standing = "b-1 has layers 4-7 of m, with 2 workers in all";
  const record = { state: "ready", joined: door, standing, services: [{ name: "worker" }] };
  await expect.poll(() => readClusterRecord(dataDir)).toMatchObject(record);
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
