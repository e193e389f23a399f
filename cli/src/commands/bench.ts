import { writeFile } from "node:fs/promises";
import { reportOf, SCENARIOS, type Scenario, type ScenarioOption, type Table } from "@rhone/bench";
import { type Command, Option } from "commander";
import { flagOf } from "../bench/flag-of.js";
import { type BenchOptions, openBench } from "../bench/open-bench.js";
import { decimalNumber, numberRange, outputFile, positiveList, someOf, wholeNumber } from "../option-parsers.js";
import { EXIT } from "../terminal/failure.js";
import { formatTable } from "../terminal/format.js";
import { addClusterFlags, addDataDirFlag, addGatewayFlags, clusterFlagNames } from "./flags.js";

/** `rhone bench NAME`: one command per scenario. */
export function addBenchCommands(program: Command, signal: AbortSignal): void {
  const bench = program.command("bench").description("measure a cluster through its HTTP API");
  for (const scenario of SCENARIOS) {
    const command = bench.command(scenario.name).description(scenario.description);
    for (const [name, option] of Object.entries(scenario.options)) command.addOption(optionOf(name, option));
    addCommonFlags(command, scenario).addHelpText("after", examplesOf(scenario));
    command.action(async (options: BenchOptions) => {
      const given = clusterFlagNames().filter((name) => command.getOptionValueSource(name) === "cli");
      await runScenario(scenario, { options, given, signal });
    });
  }
}

/** Commander refuses, by name, the flags that a scenario does not have. */
function addCommonFlags(command: Command, { clusters = "any" }: Scenario): Command {
  command
    .option("--json", "print the report as JSON")
    .option("-o, --out <file>", "also write the report as JSON to this file", outputFile);
  if (clusters === "none") return command;
  const withPlace = clusters === "any" ? addGatewayFlags(command) : addDataDirFlag(command);
  withPlace.option("--spawn", "start a cluster with the options below, measure it and stop it");
  return addClusterFlags(withPlace);
}

/** What an example measures is in the line above it: its flags are long. */
function examplesOf({ name, examples }: Scenario): string {
  const lines = examples.map(({ flags, about }) => `  # ${about}\n  rhone bench ${name} ${flags}`.trimEnd());
  return `\nExamples:\n${lines.join("\n")}`;
}

interface Run {
  readonly options: BenchOptions;
  readonly given: readonly string[];
  readonly signal: AbortSignal;
}

async function runScenario(scenario: Scenario, { options, given, signal }: Run): Promise<void> {
  const context = openBench({ options, clusterFlags: clusterFlagNames(), given, signal });
  const values = { ...defaultsOf(scenario), ...options };
  const result = await scenario.run(context, values as Parameters<Scenario["run"]>[1]);
  const { url: _url, dataDir: _dataDir, out, json, model: _model, ...inForce } = options;
  const measured = { scenario: scenario.name, clusters: context.measured, options: inForce, result: result.figures };
  const report = JSON.stringify(await reportOf(measured), null, 2);
  if (out !== undefined) await writeFile(out, `${report}\n`);
  console.log(json === true ? report : result.report.map(blockOf).join("\n\n"));
  if (result.fails === true) process.exitCode = EXIT.failed;
}

/** Commander leaves out switches that are not given. */
const defaultsOf = ({ options }: Scenario): Readonly<Record<string, boolean>> =>
  Object.fromEntries(Object.entries(options).flatMap(([name, { kind }]) => (kind === "switch" ? [[name, false]] : [])));

const blockOf = (block: Table | string): string =>
  typeof block === "string" ? block : formatTable([block.heading, ...block.rows], [...block.heading.keys()]);

/** `promptTokens`, a whole number -> --prompt-tokens <n>. */
function optionOf(name: string, option: ScenarioOption): Option {
  const long = flagOf(name);
  switch (option.kind) {
    case "whole":
      return new Option(`${long} <n>`, option.about).argParser(wholeNumber(option)).default(option.initial);
    case "decimal":
      return new Option(`${long} <n>`, option.about).argParser(decimalNumber({ least: 0 })).default(option.initial);
    case "list": {
      const flags = option.short === undefined ? long : `-${option.short}, ${long}`;
      return new Option(`${flags} <list>`, option.about)
        .argParser(positiveList)
        .default(option.initial, `${option.initial}`);
    }
    case "range":
      return new Option(`${long} <least..most>`, option.about)
        .argParser(numberRange)
        .default(option.initial, option.initial.join(".."));
    case "names":
      return new Option(`${long} <list>`, `${option.about} (${option.choices.join(", ")})`)
        .argParser(someOf(option.choices))
        .default(option.initial, "all");
    case "switch":
      return new Option(long, option.about);
    case "choice":
      return new Option(`${long} <name>`, option.about).choices(option.choices).default(option.initial);
  }
}
