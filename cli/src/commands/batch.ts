import { createReadStream, createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import { type Batch, BatchClient } from "@rhone/client";
import { RhoneError } from "@rhone/common";
import type { Command } from "commander";
import { z } from "zod";
import { urlOfCluster } from "../cluster/find-cluster.js";
import { commandContext } from "../command-context.js";
import { outputFile } from "../option-parsers.js";
import { ProgressBar } from "../terminal/progress-bar.js";
import { addGatewayFlags } from "./flags.js";

interface TargetOptions {
  readonly url?: string;
  readonly dataDir?: string;
}

interface BatchOptions extends TargetOptions {
  readonly json?: boolean;
}

interface SubmitOptions extends BatchOptions {
  readonly endpoint?: string;
  readonly window: string;
  readonly wait?: boolean;
}

interface DownloadOptions extends TargetOptions {
  readonly out?: string;
  readonly errors?: boolean;
}

/** rhone batch submit | status | wait | cancel | download. */
export function addBatchCommands(program: Command, signal: AbortSignal): void {
  const batch = program.command("batch").description("run a file of requests at low priority");
  const clientFor = async ({ url, dataDir: home }: TargetOptions): Promise<BatchClient> => {
    const { dataDir, config } = commandContext(home, signal);
    return new BatchClient({ url: url ?? (await urlOfCluster(dataDir)), apiKey: config.apiKey, signal });
  };
  withJson(batch.command("submit"))
    .description("upload a JSONL file of requests and start a batch")
    .argument("<file>", "one request per line, in the format of OpenAI's batch API")
    .option("--endpoint <path>", "endpoint of the requests (default: the url of the first line)")
    .option("--window <time>", "time limit, such as 90m or 24h; unanswered requests expire then", "24h")
    .option("--wait", "wait until the batch has ended")
    .action(async (file: string, options: SubmitOptions) => {
      const client = await clientFor(options);
      const endpoint = options.endpoint ?? (await firstEndpoint(file));
      const made = await client.create({ fileId: await client.upload(file), endpoint, window: options.window });
      if (options.wait === true) return waitFor(client, made.id, options);
      print(made, options);
    });
  withJson(batch.command("status").argument("<id>"))
    .description("show a batch")
    .action(async (id: string, options: BatchOptions) => print(await (await clientFor(options)).get(id), options));
  withJson(batch.command("wait").argument("<id>"))
    .description("wait until a batch has ended; fail unless it completed")
    .action(async (id: string, options: BatchOptions) => waitFor(await clientFor(options), id, options));
  withJson(batch.command("cancel").argument("<id>"))
    .description("stop a batch and keep the answers so far")
    .action(async (id: string, options: BatchOptions) => print(await (await clientFor(options)).cancel(id), options));
  addGatewayFlags(batch.command("download").argument("<id>"))
    .description("print the results of a batch that has ended")
    .option("--errors", "the error file instead of the output file")
    .option("-o, --out <file>", "file to write, instead of standard output", outputFile)
    .action(async (id: string, options: DownloadOptions) => download(await clientFor(options), id, options));
}

const withJson = (command: Command): Command =>
  addGatewayFlags(command).option("--json", "print the gateway's batch object");

function print(batch: Batch, { json }: BatchOptions): void {
  console.log(json === true ? JSON.stringify(batch, null, 2) : formatBatch(batch));
}

async function waitFor(client: BatchClient, id: string, options: BatchOptions): Promise<void> {
  const bar = new ProgressBar(process.stderr, id);
  let last: Batch | undefined;
  try {
    for await (const batch of client.watch(id)) {
      last = batch;
      const { total, completed, failed } = batch.request_counts;
      bar.updateCount(completed + failed, total, batch.status);
    }
  } finally {
    bar.clear();
  }
  if (last === undefined) return;
  print(last, options);
  if (last.status === "completed") return;
  const [problem] = last.errors?.data ?? [];
  const ended = last.status === "cancelled" ? "was cancelled" : last.status;
  throw new RhoneError("BATCH_FAILED", `${id} ${ended}${problem === undefined ? "." : `: ${problem.message}`}`);
}

async function download(client: BatchClient, id: string, { errors, out }: DownloadOptions): Promise<void> {
  const batch = await client.get(id);
  const file = errors === true ? batch.error_file_id : batch.output_file_id;
  if (file === null) throw new RhoneError("NOT_FOUND", describeMissing(batch, errors === true));
  const content = await client.content(file);
  if (out !== undefined) return pipeline(content, createWriteStream(out));
  for await (const bytes of content) process.stdout.write(bytes);
}

function describeMissing({ id, status, error_file_id }: Batch, errors: boolean): string {
  const hint =
    errors || error_file_id === null ? "" : " Its failed lines are in the error file, which --errors prints.";
  return `${id} has no ${errors ? "error" : "output"} file; its status is ${status}.${hint}`;
}

const lineSchema = z.object({ url: z.string() });

/** The `url` of the first line. Throws INVALID_REQUEST when the file can't be read or has none. */
export async function firstEndpoint(path: string): Promise<string> {
  const first = await firstLine(path).catch((cause: unknown) => {
    throw new RhoneError("INVALID_REQUEST", `${path} can't be read: ${(cause as Error).message}.`, { cause });
  });
  if (first === undefined) throw new RhoneError("INVALID_REQUEST", `${path} is empty.`);
  try {
    return lineSchema.parse(JSON.parse(first)).url;
  } catch (cause) {
    const message = `The first line of ${path} is not a JSON object with a url. Mend it, or give --endpoint.`;
    throw new RhoneError("INVALID_REQUEST", message, { cause });
  }
}

/** The first line that is not blank. */
async function firstLine(path: string): Promise<string | undefined> {
  const lines = createInterface({ input: createReadStream(path) });
  try {
    for await (const text of lines) {
      const line = text.replace(/^\ufeff/, "").trim();
      if (line !== "") return line;
    }
    return undefined;
  } finally {
    lines.close();
  }
}

/** "400 of 1000, 3 failed" */
export function describeCounts({ request_counts: { total, completed, failed } }: Batch): string {
  return `${completed + failed} of ${total}${failed === 0 ? "" : `, ${failed} failed`}`;
}

/** A batch with its files and problems, a line each. */
export function formatBatch(batch: Batch): string {
  const files = [
    ...(batch.output_file_id === null ? [] : [`output  ${batch.output_file_id}`]),
    ...(batch.error_file_id === null ? [] : [`errors  ${batch.error_file_id}`]),
  ];
  const problems = (batch.errors?.data ?? []).map(({ code, message }) => `${code}: ${message}`);
  return [`${batch.id}  ${batch.status}  ${describeCounts(batch)}  ${batch.endpoint}`, ...files, ...problems].join(
    "\n",
  );
}
