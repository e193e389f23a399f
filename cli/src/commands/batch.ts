import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import type { Batch } from "@rhone/client";
import { RhoneError } from "@rhone/common";
import type { Command } from "commander";
import type { CommandWriter } from "../config.js";
import { completionWindow, outputFile } from "../option-parsers.js";
import { ProgressBar } from "../terminal/progress-bar.js";
import { readBatchFile } from "./batch-file.js";
import { formatBatch, formatBatches, nextCommands } from "./batch-views.js";
import { addGatewayFlags } from "./flags.js";
import {
  addListFlags,
  type GatewayOptions,
  type ListOptions,
  type OpenGateway,
  openGateway,
  printPage,
} from "./open-gateway.js";

interface BatchOptions extends GatewayOptions {
  readonly json?: boolean;
}

interface SubmitOptions extends BatchOptions {
  readonly endpoint?: string;
  readonly window: string;
  readonly wait?: boolean;
}

interface DownloadOptions extends GatewayOptions {
  readonly out?: string;
  readonly errors?: boolean;
}

const ENDS = "exit 0 if all lines were answered, 4 if some failed, 1 if all did or it did not complete";

/** rhone batch submit | list | status | wait | cancel | download. */
export function addBatchCommands(program: Command, signal: AbortSignal): void {
  const batch = program.command("batch").description("run a file of requests at low priority");
  addSubmitCommand(batch, signal);
  addListFlags(batch.command("list").alias("ls"), "batches")
    .description("list batches with their status and counts, newest first")
    .action(async (options: ListOptions) => {
      const { batches, rhone } = await openGateway(options, signal);
      const list = (flags: string) => rhone(`batch list ${flags}`);
      printPage(await batches.list(options), options, { format: formatBatches, list });
    });
  withJson(batch.command("status").alias("show").argument("<id>"))
    .description("show a batch")
    .action(async (id: string, options: BatchOptions) => {
      const { batches, rhone } = await openGateway(options, signal);
      print(await batches.get(id), options, rhone);
    });
  withJson(batch.command("wait").argument("<id>"))
    .description(`wait until a batch has ended; ${ENDS}`)
    .action(async (id: string, options: BatchOptions) => waitFor(id, options, signal));
  for (const what of ["pause", "resume", "cancel"] as const) {
    withJson(batch.command(what).argument("<id>"))
      .description(TELLS[what])
      .action(async (id: string, options: BatchOptions) => {
        const { batches, rhone } = await openGateway(options, signal);
        print(await batches.tell(id, what), options, rhone);
      });
  }
  addGatewayFlags(batch.command("download").argument("<id>"))
    .description("print the results of a batch that has ended")
    .option("--errors", "the error file instead of the output file")
    .option("-o, --out <file>", "file to write, instead of standard output", outputFile)
    .action(async (id: string, options: DownloadOptions) => download(await openGateway(options, signal), id, options));
}

const TELLS = {
  pause: "begin no more lines of a batch; those that run end",
  resume: "go on with a batch that was paused",
  cancel: "stop a batch and keep the answers so far",
} as const;

function addSubmitCommand(batch: Command, signal: AbortSignal): void {
  withJson(batch.command("submit"))
    .description("upload a JSONL file of requests and start a batch")
    .argument("<file>", "one request per line, in the format of OpenAI's batch API or of Mistral's")
    .option("--endpoint <path>", "endpoint of the requests (default: what the first line tells)")
    .option("--window <time>", "time limit, 1m to 168h; unanswered requests expire then", completionWindow, "24h")
    .option("--wait", `wait until the batch has ended; ${ENDS}`)
    .action(async (file: string, options: SubmitOptions) => {
      const asked = await readBatchFile(file, options.endpoint);
      const { files, batches, rhone } = await openGateway(options, signal);
      const made = await batches.create({ ...asked, fileId: await files.upload(file), window: options.window });
      if (options.wait === true) return waitFor(made.id, options, signal);
      print(made, options, rhone);
    });
}

const withJson = (command: Command): Command =>
  addGatewayFlags(command).option("--json", "print the gateway's batch object");

/** The commands that come next are for people: on standard error. */
function print(batch: Batch, { json }: BatchOptions, rhone: CommandWriter): void {
  console.log(json === true ? JSON.stringify(batch, null, 2) : formatBatch(batch));
  if (json !== true) for (const line of nextCommands(batch, rhone)) console.error(line);
}

async function waitFor(id: string, options: BatchOptions, signal: AbortSignal): Promise<void> {
  const { batches, rhone } = await openGateway(options, signal);
  const bar = new ProgressBar(process.stderr, id);
  let last: Batch | undefined;
  try {
    for await (const batch of batches.watch(id)) {
      last = batch;
      const { total, completed, failed } = batch.request_counts;
      bar.updateCount(completed + failed, total, batch.status);
    }
  } finally {
    bar.clear();
    if (signal.aborted) console.error(`${id} goes on. To wait for it again: ${rhone(`batch wait ${id}`)}`);
  }
  if (last === undefined) return;
  print(last, options, rhone);
  checkEnd(last);
}

/** Throws BATCH_FAILED unless the batch completed with an answer, BATCH_LINES_FAILED where lines failed. */
function checkEnd({ id, status, errors, request_counts: { total, failed } }: Batch): void {
  if (status !== "completed") {
    const [problem] = errors?.data ?? [];
    const ended = status === "cancelled" ? "was cancelled" : status;
    throw new RhoneError("BATCH_FAILED", `${id} ${ended}${problem === undefined ? "." : `: ${problem.message}`}`);
  }
  if (failed === 0) return;
  if (failed === total)
    throw new RhoneError("BATCH_FAILED", `${id} completed without an answer: ${ofLines(total, total)}.`);
  throw new RhoneError("BATCH_LINES_FAILED", `${id} completed, but ${ofLines(failed, total)}.`);
}

function ofLines(failed: number, total: number): string {
  if (failed < total) return `${failed} of its ${total} lines failed`;
  return total === 1 ? "its only line failed" : `all of its ${total} lines failed`;
}

async function download({ batches, files }: OpenGateway, id: string, { errors, out }: DownloadOptions) {
  const batch = await batches.get(id);
  const file = errors === true ? batch.error_file_id : batch.output_file_id;
  if (file === null) throw new RhoneError("NOT_FOUND", describeMissing(batch, errors === true));
  const content = await files.content(file);
  if (out !== undefined) return pipeline(content, createWriteStream(out));
  for await (const bytes of content) process.stdout.write(bytes);
}

function describeMissing({ id, status, error_file_id }: Batch, errors: boolean): string {
  const hint =
    errors || error_file_id === null ? "" : " Its failed lines are in the error file, which --errors prints.";
  return `${id} has no ${errors ? "error" : "output"} file; its status is ${status}.${hint}`;
}
