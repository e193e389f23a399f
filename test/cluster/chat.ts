import type { RunningCluster } from "./start-cluster.js";

export interface ChatMessage {
  readonly role: "user" | "assistant" | "system";
  readonly content: string;
}

export interface ChatAnswer {
  readonly text: string;
  readonly ids: readonly number[];
  readonly promptTokens: number;
  readonly promptIds: readonly number[];
  readonly finish: string | null;
}

export interface ChatRequest {
  readonly messages: readonly ChatMessage[];
  readonly [field: string]: unknown;
}

interface Choice {
  readonly message?: { readonly content: string };
  readonly delta?: { readonly content?: string };
  readonly token_ids?: readonly number[];
  readonly finish_reason: string | null;
}

interface Chunk {
  readonly prompt_token_ids?: readonly number[];
  readonly choices: readonly Choice[];
  readonly usage?: { readonly prompt_tokens: number };
}

/** A whole, greedy chat completion. */
export async function chat(cluster: RunningCluster, request: ChatRequest): Promise<ChatAnswer> {
  const body = { temperature: 0, return_token_ids: true, ...request };
  const { choices, usage, prompt_token_ids } = await cluster.ask<Chunk>("/v1/chat/completions", body);
  const [choice] = choices;
  return {
    text: choice?.message?.content ?? "",
    ids: choice?.token_ids ?? [],
    promptTokens: usage?.prompt_tokens ?? 0,
    promptIds: prompt_token_ids ?? [],
    finish: choice?.finish_reason ?? null,
  };
}

/** The same, streamed: the chunks put together as a client does. */
export async function streamChat(cluster: RunningCluster, request: ChatRequest): Promise<ChatAnswer> {
  const body = { temperature: 0, return_token_ids: true, ...request, stream: true };
  const response = await cluster.post("/v1/chat/completions", body);
  const lines = (await response.text()).split("\n\n").filter((line) => line !== "");
  if (lines.pop() !== "data: [DONE]") throw new Error("the stream did not end with [DONE]");
  const chunks = lines.map((line) => JSON.parse(line.slice("data: ".length)) as Chunk);
  const choices = chunks.flatMap((chunk) => chunk.choices);
  return {
    text: choices.map(({ delta }) => delta?.content ?? "").join(""),
    ids: choices.flatMap(({ token_ids }) => token_ids ?? []),
    promptTokens: chunks.find(({ usage }) => usage !== undefined)?.usage?.prompt_tokens ?? 0,
    promptIds: chunks.find(({ prompt_token_ids }) => prompt_token_ids !== undefined)?.prompt_token_ids ?? [],
    finish: choices.find(({ finish_reason }) => finish_reason !== null)?.finish_reason ?? null,
  };
}
