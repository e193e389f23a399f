import { setTimeout as sleep } from "node:timers/promises";
import { fetchStatus, type GatewayCredentials } from "@rhone/client";
import type { ClusterStatus } from "@rhone/common";
import type { Command } from "commander";
import { aliveProcesses } from "../cluster/cluster-record.js";
import { clusterSecretOf } from "../cluster/cluster-security.js";
import { runningCluster, urlOfCluster } from "../cluster/find-cluster.js";
import { formatStatus } from "../cluster/format-status.js";
import { supervisorTurns } from "../cluster/supervisor-turns.js";
import { commandContext } from "../command-context.js";
import type { CommandWriter } from "../config.js";
import type { DataDir } from "../data-dir.js";
import { formatMember, memberStatus } from "../membership/member-status.js";
import { EXIT } from "../terminal/failure.js";
import type { Style } from "../terminal/style.js";
import { addGatewayFlags } from "./flags.js";

interface StatusOptions {
  readonly json?: boolean;
  readonly url?: string;
  readonly dataDir?: string;
}

/** Longer than the second between two publications of a coordinator. */
const SAMPLE_MS = 1100;

export function addStatusCommand(program: Command, signal: AbortSignal): void {
  addGatewayFlags(program.command("status"))
    .description(
      "show the running cluster: workers, memory, pages, sequences, tokens per second; on a machine that has joined " +
        "one, what it runs",
    )
    .option("--json", "print the answer of the gateway's GET /status, or what a machine without one runs")
    .action(async ({ json, url, dataDir: home }: StatusOptions) => {
      const { config, dataDir, style, rhone } = commandContext(home, signal);
      const member = url === undefined ? await memberStatus(dataDir) : null;
      if (member !== null && (!json || member.url === "")) {
        console.log(json ? JSON.stringify(member, null, 2) : formatMember(member, rhone));
        if (member.startedAtMs === null) {
          process.exitCode = EXIT.notRunning;
          return;
        }
        if (member.url === "") return warnOfSupervisor(dataDir, rhone);
        console.log("");
      }
      const gateway = url ?? (await urlOfCluster(dataDir));
      const warned = url === undefined ? warnOfSupervisor(dataDir, rhone) : undefined;
      const clusterSecret = url === undefined ? clusterSecretOf(dataDir) : undefined;
      const access = { apiKey: config.apiKey, clusterSecret, signal };
      const asked = json ? statusJson(gateway, access) : statusPage(gateway, access, style);
      const [text] = await Promise.all([asked, warned]);
      console.log(text);
      if (json !== true && url === undefined && member === null) console.log(`\n${await ownProcesses(dataDir)}`);
    });
}

/** By the names that `rhone restart` and `rhone logs` take. */
async function ownProcesses(dataDir: DataDir): Promise<string> {
  const running = aliveProcesses(await runningCluster(dataDir));
  return `processes  ${running.map(({ name, pid }) => `${name} (${pid})`).join(", ")}`;
}

type Access = GatewayCredentials & { readonly signal: AbortSignal };

async function statusJson(gateway: string, access: Access): Promise<string> {
  return JSON.stringify(await fetchStatus(gateway, access), null, 2);
}

async function statusPage(gateway: string, access: Access, style: Style): Promise<string> {
  const before = await fetchStatus(gateway, access);
  await sleep(SAMPLE_MS, undefined, { signal: access.signal });
  const now = await fetchStatus(gateway, access);
  const pages = now.coordinators.toSorted(byModel).map((cluster) => {
    const earlier = before.coordinators.find(({ coordinator }) => coordinator === cluster.coordinator);
    return formatStatus(cluster, earlier ?? cluster, style);
  });
  const lost = (now.gateway?.models ?? []).filter(({ coordinators }) => coordinators === 0);
  const missing = lost.map(
    ({ name }) => `${style.bold(name)}  ${style.red("no coordinator has published its status")}`,
  );
  const all = [...pages, ...missing];
  return [gateway, ...(all.length > 0 ? all : ["No coordinator has published its status yet."])].join("\n\n");
}

/** The pipelines of a model are together, in an order that stays. */
const byModel = (a: ClusterStatus, b: ClusterStatus): number =>
  a.model.name.localeCompare(b.model.name) || a.coordinator.localeCompare(b.coordinator);

/** Says on standard error that nobody watches the cluster's processes, if that is so. */
async function warnOfSupervisor(dataDir: DataDir, rhone: CommandWriter): Promise<void> {
  const { supervisor } = await runningCluster(dataDir);
  if (await supervisorTurns(dataDir)) return;
  process.exitCode = 1;
  console.error(
    `The supervisor (process ${supervisor.pid}) does not answer: it hangs or was stopped, and starts nothing again. ` +
      `Wake it with kill -CONT ${supervisor.pid}, or stop the cluster with: ${rhone("down")}`,
  );
}
