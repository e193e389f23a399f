import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { aliveProcesses, readClusterRecord } from "../cluster/cluster-record.js";
import { type LastFailure, lastFailure } from "../cluster/last-failure.js";
import type { CommandWriter } from "../config.js";
import type { DataDir } from "../data-dir.js";
import { formatDuration, formatTable, formatTime } from "../terminal/format.js";
import { readMember } from "./member-record.js";

/** What a machine that has joined a cluster runs, and what the cluster sees of it. One that runs nothing is stopped. */
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
  /** Why its part ended; null: it runs, was stopped in order, or was killed. */
  readonly failure: LastFailure | null;
  /** The supervisor that was killed or crashed, with which its part ended; null: none was. */
  readonly killed: { readonly pid: number } | null;
  /** Unix milliseconds; null of a machine that runs nothing. */
  readonly startedAtMs: number | null;
  /** Null when the certificate can't be read. */
  readonly certificateUntilMs: number | null;
  readonly processes: readonly { readonly name: string; readonly pid: number }[];
}

/** Null for a data directory that has not joined a cluster, or runs one of its own. */
export async function memberStatus(dataDir: DataDir): Promise<MemberStatus | null> {
  const record = await readClusterRecord(dataDir);
  const options = await readMember(dataDir);
  if (options === null) return null;
  const processes = (record === null ? [] : aliveProcesses(record)).map(({ name, pid }) => ({ name, pid }));
  const runs = processes.length > 0 ? record : null;
  if (runs !== null && runs.joined === undefined) return null;
  const { name, as: role, door: cluster, coordinator } = options;
  return {
    name,
    role,
    cluster,
    ...(role === "worker" && { coordinator }),
    url: runs?.url ?? "",
    state: runs?.state ?? "stopped",
    standing: runs?.standing ?? null,
    failure: runs === null ? await lastFailure(dataDir) : null,
    // One that ends takes its record with it.
    killed: record !== null && runs === null ? { pid: record.supervisor.pid } : null,
    startedAtMs: runs?.startedAtMs ?? null,
    certificateUntilMs: await expiryOf(join(dataDir.identity, `${role}-${name}`, "cert.pem")),
    processes,
  };
}

const endOf = ({ killed }: MemberStatus): string =>
  killed === null ? "it was stopped" : `with its supervisor (process ${killed.pid}), which was killed or crashed`;

async function expiryOf(certificate: string): Promise<number | null> {
  try {
    return Date.parse(new X509Certificate(await readFile(certificate)).validTo);
  } catch {
    return null;
  }
}

/** `rhone`: writes the command that starts it again. */
export function formatMember(status: MemberStatus, rhone: CommandWriter, nowMs: number = Date.now()): string {
  const { name, role, cluster, coordinator, state, standing, failure, startedAtMs, certificateUntilMs } = status;
  const certificate =
    certificateUntilMs === null ? "unreadable" : `until ${formatTime(certificateUntilMs / 1000)} (UTC)`;
  const member = ["member", `${name}, a ${role} of the cluster at ${cluster}, ${state}`];
  if (startedAtMs === null) {
    const why = failure !== null ? `${failure.at}: ${failure.code}: ${failure.message}` : endOf(status);
    return formatTable([member, ["ended", why], ["certificate", certificate], ["start it with", rhone("join")]]);
  }
  return formatTable([
    member,
    ...(coordinator === undefined ? [] : [["coordinator", coordinator]]),
    ["standing", standing ?? "not known yet"],
    ["certificate", certificate],
    ["processes", status.processes.map((each) => `${each.name} (${each.pid})`).join(", ")],
    ["up", formatDuration(nowMs - startedAtMs)],
  ]);
}
