import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type ClusterStatus, RhoneError } from "@rhone/common";
import type { Command } from "commander";
import { z } from "zod";
import { formatStatus } from "../cluster/format-status.js";
import { runningCluster } from "../cluster/running-cluster.js";
import { commandContext } from "../command-context.js";
import type { DataDir } from "../data-dir.js";

interface StatusOptions {
  readonly json?: boolean;
  readonly url?: string;
  readonly dataDir?: string;
}

interface GatewayStatus {
  readonly coordinators: readonly ClusterStatus[];
}

/** Coordinators publish once a second. */
const SAMPLE_MS = 1100;

const failureSchema = z.object({ code: z.string(), message: z.string(), at: z.string() });

export function addStatusCommand(program: Command, signal: AbortSignal): void {
  program
    .command("status")
    .description("show the cluster: model, workers, memory, pages, sequences, tokens per second")
    .option("--json", "print the gateway's GET /status as it is")
    .option("--url <url>", "a gateway; default: the cluster of the data directory")
    .option("--data-dir <dir>", "the data directory")
    .action(async ({ json, url, dataDir: home }: StatusOptions) => {
      const { dataDir, style } = commandContext(home, signal);
      const gateway = url ?? (await urlOfCluster(dataDir));
      const before = await fetchStatus(gateway, signal);
      if (json) return console.log(JSON.stringify(before, null, 2));
      await sleep(SAMPLE_MS, undefined, { signal });
      const now = await fetchStatus(gateway, signal);
      const pages = now.coordinators.map((cluster) => {
        const earlier = before.coordinators.find(({ coordinator }) => coordinator === cluster.coordinator);
        return formatStatus(cluster, earlier ?? cluster, style);
      });
      console.log(
        [gateway, ...(pages.length > 0 ? pages : ["no coordinator has published its status yet"])].join("\n\n"),
      );
    });
}

/** Throws NOT_RUNNING, with the reason why the last cluster ended if it ended by itself. */
async function urlOfCluster(dataDir: DataDir): Promise<string> {
  try {
    return (await runningCluster(dataDir)).url;
  } catch (error) {
    const failure = await lastFailure(dataDir);
    if (failure === null || !(error instanceof RhoneError)) throw error;
    const { at, code, message } = failure;
    throw new RhoneError(error.code, `${error.message} The last one ended at ${at}: ${code}: ${message}`);
  }
}

async function lastFailure({ failureFile }: DataDir): Promise<z.infer<typeof failureSchema> | null> {
  try {
    return failureSchema.parse(JSON.parse(await readFile(failureFile, "utf8")));
  } catch {
    return null;
  }
}

async function fetchStatus(url: string, signal: AbortSignal): Promise<GatewayStatus> {
  const response = await fetch(`${url}/status`, { signal }).catch((cause: unknown) => {
    throw new RhoneError("NOT_RUNNING", `Nobody answers at ${url}; it may still be starting.`, { cause });
  });
  if (response.ok) return (await response.json()) as GatewayStatus;
  throw new RhoneError("INTERNAL", `${url}/status answered ${response.status}: ${await response.text()}`);
}
