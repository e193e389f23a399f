import { mkdir, readFile, writeFile } from "node:fs/promises";
import { RhoneError } from "@rhone/common";
import { expect, it, onTestFinished } from "vitest";
import { recordFailure } from "../cluster/last-failure.js";
import { freshDataDir, recordedCluster } from "../testing/recorded-cluster.js";
import { runCommand } from "../testing/run-command.js";
import { keepMember } from "./member-record.js";
import { formatMember, memberStatus } from "./member-status.js";

const options = {
  as: "worker",
  name: "attic",
  door: "10.0.0.1:7100",
  places: { pipelines: [], hasTemplateFile: false },
  coordinator: "10.0.0.1:7110",
  port: 7200,
} as const;

const rhone = (args: string): string => `rhone ${args}`;

async function member() {
  const standing = "attic has layers 4-7 of m, with 2 workers in all";
  const dataDir = await recordedCluster({ url: "", joined: options.door, standing });
  await mkdir(dataDir.identity);
  await keepMember(dataDir, { ...options, dataDir: dataDir.root });
  return dataDir;
}

it("a machine that has joined says what it runs and what the coordinator sees of it", async () => {
  const status = await memberStatus(await member());
  expect(status).toMatchObject({ role: "worker", coordinator: "10.0.0.1:7110", certificateUntilMs: null });
  const text = formatMember({ ...(status as NonNullable<typeof status>), certificateUntilMs: 86_400_000 }, rhone);
  expect(text).toMatch(/^member +attic, a worker of the cluster at 10\.0\.0\.1:7100, ready$/m);
  expect(text).toMatch(/^standing +attic has layers 4-7 of m, with 2 workers in all$/m);
  expect(text).toMatch(/^certificate +until 1970-01-02 .*\(UTC\)$/m);
  expect(text).toMatch(new RegExp(`^processes +supervisor \\(${process.pid}\\)$`, "m"));
});

it("`rhone status` shows it, as text and as JSON", async () => {
  const { root } = await member();
  expect((await runCommand("status", "--data-dir", root)).stdout).toContain("10.0.0.1:7110");
  const { stdout } = await runCommand("status", "--json", "--data-dir", root);
  expect(JSON.parse(stdout)).toMatchObject({ name: "attic", cluster: "10.0.0.1:7100", url: "", state: "ready" });
});

it("one that was stopped or expelled says so, and how it is started again", async () => {
  const dataDir = await freshDataDir();
  await mkdir(dataDir.identity);
  await keepMember(dataDir, { ...options, dataDir: dataDir.root });
  onTestFinished(() => {
    process.exitCode = undefined;
  });
  const stopped = await runCommand("status", "--data-dir", dataDir.root);
  expect([stopped.error, process.exitCode]).toEqual([undefined, 3]);
  expect(stopped.stdout).toMatch(/^member +attic, a worker of the cluster at 10\.0\.0\.1:7100, stopped$/m);
  expect(stopped.stdout).toMatch(/^ended +it was stopped$/m);
  expect(stopped.stdout).toMatch(/^start it with +.* join/m);
  await recordFailure(dataDir, new RhoneError("FORBIDDEN_PEER", "attic was expelled."));
  const status = await memberStatus(dataDir);
  expect(status).toMatchObject({ state: "stopped", failure: { code: "FORBIDDEN_PEER" }, startedAtMs: null });
  expect(formatMember(status as NonNullable<typeof status>, rhone)).toMatch(/^ended .*FORBIDDEN_PEER: attic was/m);
});

it("one whose supervisor was killed says so", async () => {
  const dataDir = await member();
  const record = JSON.parse(await readFile(dataDir.clusterFile, "utf8"));
  const supervisor = { ...record.supervisor, startedAt: "another boot" };
  await writeFile(dataDir.clusterFile, JSON.stringify({ ...record, supervisor }));
  const status = await memberStatus(dataDir);
  expect(status).toMatchObject({ state: "stopped", failure: null, killed: { pid: process.pid } });
  expect(formatMember(status as NonNullable<typeof status>, rhone)).toMatch(
    new RegExp(`^ended +with its supervisor \\(process ${process.pid}\\), which was killed or crashed$`, "m"),
  );
});

it("a machine that never joined, or runs a cluster of its own, is no member", async () => {
  expect(await memberStatus(await freshDataDir())).toBeNull();
  const dataDir = await recordedCluster({});
  await mkdir(dataDir.identity);
  await keepMember(dataDir, { ...options, dataDir: dataDir.root });
  expect(await memberStatus(dataDir)).toBeNull();
});
