import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { type BenchOptions, openBench } from "../bench/open-bench.js";
import { reportOf } from "../bench/report/report.js";
import { SCENARIOS } from "../bench/scenarios.js";
import { addClusterFlags, clusterFlagNames } from "./cluster-flags.js";

const EXAMPLES = `
Examples:
  rhone bench sweep                                          the running cluster
  rhone bench sweep --spawn --model FILE --workers 2 --threads 1 --baseline --out sweep.json`;

/** `rhone bench NAME`: one command per scenario. */
export function addBenchCommands(program: Command, signal: AbortSignal): void {
  const bench = program.command("bench").description("measure a cluster through its HTTP API");
  for (const scenario of SCENARIOS) {
    const command = bench.command(scenario.name).description(scenario.description);
    addClusterFlags(addCommonFlags(scenario.configure(command)))
      .addHelpText("after", EXAMPLES)
      .action(async (options: BenchOptions) => {
        const clusterFlags = clusterFlagNames();
        const given = clusterFlags.filter((name) => command.getOptionValueSource(name) === "cli");
        const context = openBench({ options, clusterFlags, given, signal });
        const result = await scenario.run(context, options as never);
        const report = JSON.stringify(await reportOf(scenario.name, options, { context, result }), null, 2);
        if (options.out !== undefined) await writeFile(options.out, `${report}\n`);
        console.log(options.json === true ? report : result.text);
      });
  }
}

function addCommonFlags(command: Command): Command {
  return command
    .option("--url <url>", "a gateway; default: the cluster of the data directory")
    .option("--data-dir <dir>", "the data directory")
    .option("--spawn", "start a cluster for this, with the options below, and stop it afterwards")
    .option("--json", "print the result as JSON")
    .option("-o, --out <file>", "write the result as JSON, too");
}
