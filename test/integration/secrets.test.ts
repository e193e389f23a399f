import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pidsOf } from "../cluster/processes.js";
import { RunningCluster, rhone } from "../cluster/start-cluster.js";

/** So long that the private Redis has a port and a password in place of a socket. */
const folder = join(mkdtempSync(join(tmpdir(), "rhone-secrets-")), "long".repeat(25));
const OWN_KEY = "rhone_sk_of-the-person-who-started-it";

let cluster: RunningCluster;
beforeAll(async () => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const env = { RHONE_API_KEY: OWN_KEY };
  cluster = await RunningCluster.start(["--simulate", "null", "--auth", "keys"], { dataDir: folder, env });
});
afterAll(async () => {
  await cluster?.stop();
  rmSync(join(folder, ".."), { recursive: true, force: true });
});

/** Every process of the cluster, the server program of Redis too. */
function processes(): readonly number[] {
  const known = Object.values(pidsOf(cluster));
  const all = readdirSync("/proc").map(Number).filter(Number.isInteger);
  const parentOf = (pid: number): number => Number(/^PPid:\s+(\d+)$/m.exec(readFile(`/proc/${pid}/status`))?.[1]);
  return [...known, ...all.filter((pid) => known.includes(parentOf(pid)) && !known.includes(pid))];
}

/** "" for one that is gone. */
function readFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

test("no secret is in the arguments, the environment, the logs or the status of a cluster", async () => {
  const secret = (...place: readonly string[]): string => readFileSync(join(folder, ...place), "utf8").trim();
  const key = await cluster.createKey("me");
  const secrets = [secret("cluster-secret"), secret("run", "redis-password"), OWN_KEY, key];
  const headers = { authorization: `Bearer ${key}` };
  const completion = { method: "POST", headers: { ...headers, "content-type": "application/json" } };
  const body = JSON.stringify({ prompt: "a", max_tokens: 4 });
  expect((await fetch(`${cluster.url}/v1/completions`, { ...completion, body })).status).toBe(200);
  const seen = new Map<string, string>();
  for (const pid of processes()) {
    for (const file of ["cmdline", "environ"]) seen.set(`${pid} ${file}`, readFile(`/proc/${pid}/${file}`));
  }
  const logs = join(folder, "logs");
  for (const log of readdirSync(logs)) seen.set(log, readFile(join(logs, log)));
  for (const path of ["/status", "/ready", "/metrics"]) {
    seen.set(path, await (await fetch(`${cluster.url}${path}`, { headers })).text());
  }
  seen.set("coordinator's status", JSON.stringify(await cluster.status()));
  seen.set("rhone status", (await rhone(["status", "--json", "--data-dir", folder])).stdout);
  expect([...seen.values()].filter((text) => text === "")).toEqual([]);
  const found = [...seen].flatMap(([place, text]) => (secrets.some((it) => text.includes(it)) ? [place] : []));
  expect(found).toEqual([]);
});

test("a cluster listens on loopback addresses only", () => {
  const LISTEN = "0A";
  const inodes = new Set(
    processes().flatMap((pid) => {
      const fds = `/proc/${pid}/fd`;
      return readdirSync(fds).flatMap((fd) => /^socket:\[(\d+)\]$/.exec(linkOf(join(fds, fd)))?.[1] ?? []);
    }),
  );
  const rows = ["tcp", "tcp6"].flatMap((table) => readFile(`/proc/net/${table}`).trim().split("\n").slice(1));
  const addresses = rows.flatMap((row) => {
    const [, local = "", , state, , , , , , inode = ""] = row.trim().split(/\s+/);
    return state === LISTEN && inodes.has(inode) ? [local.slice(0, local.indexOf(":"))] : [];
  });
  expect(addresses.length).toBeGreaterThanOrEqual(6); // two each of coordinator and worker, gateway, Redis
  // 127.0.0.1 and ::1, as the kernel writes them.
  const loopback = ["0100007F", "00000000000000000000000001000000"];
  expect(addresses.filter((address) => !loopback.includes(address))).toEqual([]);
});

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
