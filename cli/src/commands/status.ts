import { setTimeout as sleep } from "node:timers/promises";
import { fetchStatus } from "@rhone/client";
import type { Command } from "commander";
import { urlOfCluster } from "../cluster/find-cluster.js";
import { formatStatus } from "../cluster/format-status.js";
import { commandContext } from "../command-context.js";

interface StatusOptions {
  readonly json?: boolean;
  readonly url?: string;
  readonly dataDir?: string;
}

/** Coordinators publish once a second. */
const SAMPLE_MS = 1100;

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
