import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import type { StoredFile } from "@rhone/client";
import type { Command } from "commander";
import { outputFile } from "../option-parsers.js";
import { formatBytes, formatTable, formatTime } from "../terminal/format.js";
import { addGatewayFlags } from "./flags.js";
import { addListFlags, type GatewayOptions, type ListOptions, openGateway, printPage } from "./open-gateway.js";

interface DownloadOptions extends GatewayOptions {
  readonly out?: string;
}

/** rhone files list | download | delete. */
export function addFilesCommands(program: Command, signal: AbortSignal): void {
  const files = program.command("files").description("list, print and delete the files of batches");
  addListFlags(files.command("list").alias("ls"), "files")
    .description("list uploaded files and the results of batches, newest first")
    .action(async (options: ListOptions) => {
      const { files: client, rhone } = await openGateway(options, signal);
      const list = (flags: string) => rhone(`files list ${flags}`);
      printPage(await client.list(options), options, { format: formatFiles, list });
    });
  addGatewayFlags(files.command("download").argument("<id>"))
    .description("print a file")
    .option("-o, --out <file>", "file to write, instead of standard output", outputFile)
    .action(async (id: string, options: DownloadOptions) => {
      const content = await (await openGateway(options, signal)).files.content(id);
      if (options.out !== undefined) return pipeline(content, createWriteStream(options.out));
      for await (const bytes of content) process.stdout.write(bytes);
    });
  addGatewayFlags(files.command("delete").alias("rm").argument("<ids...>"))
    .description("delete files; one that a running batch reads is refused")
    .action(async (ids: readonly string[], options: GatewayOptions) => {
      const { files: client } = await openGateway(options, signal);
      for (const id of ids) {
        await client.delete(id);
        console.log(`deleted ${id}`);
      }
    });
}

/** One row per file. */
function formatFiles(files: readonly StoredFile[]): string {
  const rows = files.map(({ id, filename, purpose, num_lines, bytes, created_at }) => [
    id,
    purpose,
    String(num_lines),
    formatBytes(bytes),
    formatTime(created_at),
    filename,
  ]);
  return formatTable([["FILE", "PURPOSE", "LINES", "SIZE", "CREATED (UTC)", "NAME"], ...rows], [2, 3]);
}
