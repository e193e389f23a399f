import { readFile } from "node:fs/promises";
import { RhoneError } from "@rhone/common";
import type { Command } from "commander";
import { z } from "zod";
import { runningCluster } from "../cluster/running-cluster.js";
import { commandContext } from "../command-context.js";
import type { DataDir } from "../data-dir.js";
import { clusterStatusesSchema, formatStatus } from "../terminal/format-status.js";

interface StatusOptions {
  readonly json?: boolean;
  readonly url?: string;
  readonly dataDir?: string;
}

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
      const body = await fetchStatus(gateway, signal);
      if (json) return console.log(JSON.stringify(body, null, 2));
      console.log(`${style.bold(gateway)}\n${formatStatus(clusterStatusesSchema.parse(body), style)}`);
    });
}

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

async function fetchStatus(url: string, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(`${url}/status`, { signal }).catch((cause: unknown) => {
    throw new RhoneError("NOT_RUNNING", `Nobody answers at ${url}; it may be starting.`, { cause });
  });
  if (response.ok) return response.json();
  throw new RhoneError("INTERNAL", `${url}/status answered ${response.status}: ${await response.text()}`);
}
