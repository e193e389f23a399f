import { z } from "zod";
import { askGateway, gatewayFailure, parseJson } from "./ask-gateway.js";
import { readEvents } from "./server-sent-events.js";

export interface Message {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** Sampling parameters of both endpoints; undefined leaves one to the server. */
export interface Sampling {
  readonly maxTokens: number | undefined;
  readonly temperature: number | undefined;
  readonly topP: number | undefined;
  /** Any of 64 bits. */
  readonly seed: bigint | undefined;
  readonly stop: readonly string[] | undefined;
}

export interface GenerationRequest {
  /** http://host:port of a gateway. */
  readonly url: string;
  readonly model: string;
  readonly input: { readonly prompt: string } | { readonly messages: readonly Message[] };
  readonly sampling: Sampling;
  readonly apiKey: string | undefined;
  readonly signal: AbortSignal;
  /** Called at the end, where the gateway counts tokens. */
  readonly onUsage?: (usage: Usage) => void;
}

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

const chunkSchema = z.object({
  choices: z.array(
    z.object({ text: z.string().nullish(), delta: z.object({ content: z.string().nullish() }).nullish() }),
  ),
  usage: z.object({ prompt_tokens: z.number(), completion_tokens: z.number() }).nullish(),
});

/**
 * The text of a generation, piece by piece. Throws the gateway's own errors, NOT_RUNNING when no gateway answers or it
 * breaks off, and the signal's reason when it aborts.
 */
export async function* streamText(request: GenerationRequest): AsyncGenerator<string> {
  const { url, model, input, sampling, apiKey, signal, onUsage } = request;
  const path = "messages" in input ? "/v1/chat/completions" : "/v1/completions";
  const { maxTokens, temperature, topP, seed, stop } = sampling;
  const streamed = { stream: true, stream_options: { include_usage: true } };
  const fields = { model, ...input, ...streamed, max_tokens: maxTokens, temperature, top_p: topP, stop };
  const body = JSON.stringify(fields);
  const headers = { "content-type": "application/json" };
  const response = await askGateway(`${url}${path}`, {
    method: "POST",
    headers,
    // As a number it would lose digits beyond 2^53.
    body: seed === undefined ? body : `${body.slice(0, -1)},"seed":${seed}}`,
    apiKey,
    signal,
  });
  if (!response.ok || response.body === null) throw gatewayFailure(await response.text(), response.status);
  try {
    for await (const data of readEvents(response.body)) {
      const chunk = chunkSchema.safeParse(parseJson(data));
      if (!chunk.success) throw gatewayFailure(data, response.status);
      const { choices, usage } = chunk.data;
      for (const { text, delta } of choices) yield text ?? delta?.content ?? "";
      if (usage != null) onUsage?.({ promptTokens: usage.prompt_tokens, completionTokens: usage.completion_tokens });
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
