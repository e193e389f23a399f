import { setTimeout as sleep } from "node:timers/promises";
import { fetchStatus } from "@rhone/client";
import type { Command } from "commander";
import { urlOfCluster } from "../cluster/find-cluster.js";
import { formatStatus } from "../cluster/format-status.js";
import { commandContext } from "../command-context.js";
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
    .description("show the running cluster: workers, memory, pages, sequences, tokens per second")
    .option("--json", "print the answer of the gateway's GET /status")
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
        [gateway, ...(pages.length > 0 ? pages : ["No coordinator has published its status yet."])].join("\n\n"),
      );
    });
}
