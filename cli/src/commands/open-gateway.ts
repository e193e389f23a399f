import { BatchClient, FileClient, type Page, type PageQuery } from "@rhone/client";
import type { Command } from "commander";
import { urlOfCluster } from "../cluster/find-cluster.js";
import { commandContext } from "../command-context.js";
import { type CommandWriter, quoted } from "../config.js";
import { wholeNumber } from "../option-parsers.js";
import { addGatewayFlags } from "./flags.js";

/** The options of `addGatewayFlags`. */
export interface GatewayOptions {
  readonly url?: string;
  readonly dataDir?: string;
}

/** A gateway's batches and files. */
export interface OpenGateway {
  readonly batches: BatchClient;
  readonly files: FileClient;
  /** Writes commands for the same gateway. */
  readonly rhone: CommandWriter;
}

/** The gateway of --url, else of the data directory's cluster. Throws NOT_RUNNING. */
export async function openGateway({ url, dataDir: home }: GatewayOptions, signal: AbortSignal): Promise<OpenGateway> {
  const { dataDir, config, rhone } = commandContext(home, signal);
  const access = { url: url ?? (await urlOfCluster(dataDir)), apiKey: config.apiKey, signal };
  return {
    batches: new BatchClient(access),
    files: new FileClient(access),
    rhone: (args) => rhone(url === undefined ? args : `${args} --url ${quoted(url)}`),
  };
}

/** The options of a command that lists, page by page. */
export interface ListOptions extends GatewayOptions, PageQuery {
  readonly json?: boolean;
}

export const addListFlags = (command: Command, noun: string): Command =>
  addGatewayFlags(command)
    .option("-n, --limit <n>", `${noun} to list, at most`, wholeNumber({ least: 1, most: 100 }), 20)
    .option("--after <id>", "list those that come after this one: the next page")
    .option("--json", "print JSON");

interface PageView<T> {
  readonly format: (items: readonly T[]) => string;
  /** Completes the command that lists the next page. */
  readonly list: CommandWriter;
}

/** Prints a page, and on standard error the command for the next one. */
export function printPage<T extends { readonly id: string }>(
  { data, hasMore }: Page<T>,
  { json, limit }: ListOptions,
  { format, list }: PageView<T>,
): void {
  console.log(json === true ? JSON.stringify(data, null, 2) : format(data));
  if (hasMore) console.error(`More: ${list(`--limit ${limit} --after ${data.at(-1)?.id}`)}`);
}
