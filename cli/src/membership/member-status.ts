import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { aliveProcesses, readClusterRecord } from "../cluster/cluster-record.js";
import type { DataDir } from "../data-dir.js";
import { formatDuration, formatTable, formatTime } from "../terminal/format.js";
import { readMember } from "./member-record.js";

/** What a machine that has joined a cluster runs, and what the cluster sees of it. */
export interface MemberStatus {
  readonly name: string;
  readonly role: string;
  /** host:port where it joined. */
  readonly cluster: string;
  /** host:port of the coordinator that a worker has. */
  readonly coordinator?: string;
  /** Of its gateway; "" on a machine that has none. */
  readonly url: string;
  readonly state: string;
  /** Its place, as the coordinator or gateway said last; null: nothing yet. */
  readonly standing: string | null;
  /** Unix milliseconds. */
  readonly startedAtMs: number;
  /** Null when the certificate can't be read. */
  readonly certificateUntilMs: number | null;
  readonly processes: readonly { readonly name: string; readonly pid: number }[];
}

/** Null when no member of a cluster runs in the data directory. */
export async function memberStatus(dataDir: DataDir): Promise<MemberStatus | null> {
  const record = await readClusterRecord(dataDir);
  const options = await readMember(dataDir);
  if (record?.joined === undefined || options === null) return null;
  const processes = aliveProcesses(record).map(({ name, pid }) => ({ name, pid }));
  if (processes.length === 0) return null;
  const { name, as: role, door: cluster, coordinator } = options;
  return {
    name,
    role,
    cluster,
    ...(role === "worker" && { coordinator }),
    url: record.url,
    state: record.state,
    standing: record.standing ?? null,
    startedAtMs: record.startedAtMs,
    certificateUntilMs: await endOf(join(dataDir.identity, `${role}-${name}`, "cert.pem")),
    processes,
  };
}

async function endOf(certificate: string): Promise<number | null> {
  try {
    return Date.parse(new X509Certificate(await readFile(certificate)).validTo);
  } catch {
    return null;
  }
}

export function formatMember(status: MemberStatus, nowMs: number = Date.now()): string {
  const { name, role, cluster, coordinator, state, standing, startedAtMs, certificateUntilMs, processes } = status;
  return formatTable([
    ["member", `${name}, a ${role} of the cluster at ${cluster}, ${state}`],
    ...(coordinator === undefined ? [] : [["coordinator", coordinator]]),
    ["standing", standing ?? "not known yet"],
    [
      "certificate",
      certificateUntilMs === null ? "unreadable" : `until ${formatTime(certificateUntilMs / 1000)} (UTC)`,
    ],
    ["processes", processes.map((each) => `${each.name} (${each.pid})`).join(", ")],
    ["up", formatDuration(nowMs - startedAtMs)],
  ]);
}
