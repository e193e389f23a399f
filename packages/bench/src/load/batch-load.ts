import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BatchClient, FileClient } from "@rhone/client";
import { RhoneError } from "@rhone/common";
import type { Prompts } from "./prompts.js";
import type { Connection } from "./token-stream.js";

export interface BatchLoad {
  readonly connection: Connection;
  readonly prompts: Prompts;
  readonly lines: number;
  readonly promptTokens: number;
  /** Tokens that each line generates. */
  readonly lineTokens: number;
}

/** Uploads a batch and waits for its end. Throws MEASUREMENT_VOID when a line was not answered. */
export async function runBatch(load: BatchLoad): Promise<void> {
  const { url, apiKey, signal } = load.connection;
  const folder = await mkdtemp(join(tmpdir(), "rhone-bench-"));
  try {
    const path = join(folder, "batch.jsonl");
    await writeFile(path, inputOf(load));
    const access = { url, apiKey, signal };
    const fileId = await new FileClient(access).upload(path);
    const client = new BatchClient(access);
    const { id } = await client.create({ format: "openai", fileId, endpoint: "/v1/completions", window: "24h" });
    for await (const { status, request_counts: counts } of client.watch(id)) {
      const isWhole = status === "completed" && counts.completed === load.lines;
      if (isWhole || ["validating", "in_progress", "finalizing"].includes(status)) continue;
      const answered = `${counts.completed} of its ${load.lines} lines were answered`;
      throw new RhoneError("MEASUREMENT_VOID", `The batch is ${status}; ${answered}, ${counts.failed} failed.`);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function inputOf({ connection: { model }, prompts, lines, promptTokens, lineTokens }: BatchLoad): string {
  const line = (_: unknown, index: number) => {
    const prompt = prompts.prompt(promptTokens);
    const body = { model, prompt, max_tokens: lineTokens, temperature: 0, ignore_eos: true, cache_prompt: false };
    return `${JSON.stringify({ custom_id: `line-${index}`, method: "POST", url: "/v1/completions", body })}\n`;
  };
  return Array.from({ length: lines }, line).join("");
}
