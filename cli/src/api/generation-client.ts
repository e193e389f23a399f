import { isErrorCode, RhoneError } from "@rhone/common";
import { z } from "zod";
import { authorization } from "./authorization.js";
import { readEvents } from "./read-events.js";

export interface Message {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** What both endpoints take; undefined leaves it to the server. */
export interface Sampling {
  readonly maxTokens: number | undefined;
  readonly temperature: number | undefined;
  readonly topP: number | undefined;
  readonly seed: number | undefined;
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
}

const failureSchema = z.object({ error: z.object({ message: z.string(), code: z.string().nullish() }) });
const chunkSchema = z.object({
  choices: z.array(
    z.object({ text: z.string().nullish(), delta: z.object({ content: z.string().nullish() }).nullish() }),
  ),
});

/** The text of a generation, piece by piece. Throws the gateway's own errors, NOT_RUNNING when nobody answers at the URL. */
export async function* streamText(request: GenerationRequest): AsyncGenerator<string> {
  const { url, model, input, sampling, apiKey, signal } = request;
  const path = "messages" in input ? "/v1/chat/completions" : "/v1/completions";
  const { maxTokens, temperature, topP, seed, stop } = sampling;
  const body = { model, ...input, stream: true, max_tokens: maxTokens, temperature, top_p: topP, seed, stop };
  const response = await post(`${url}${path}`, JSON.stringify(body), { apiKey, signal });
  if (!response.ok || response.body === null) throw failureOf(await response.text(), response.status);
  for await (const data of readEvents(response.body)) {
    const chunk = chunkSchema.safeParse(parseJson(data));
    if (!chunk.success) throw failureOf(data, response.status);
    for (const { text, delta } of chunk.data.choices) yield text ?? delta?.content ?? "";
  }
}

async function post(
  url: string,
  body: string,
  { apiKey, signal }: Pick<GenerationRequest, "apiKey" | "signal">,
): Promise<Response> {
  try {
    const headers = { "content-type": "application/json", ...authorization(apiKey) };
    return await fetch(url, { method: "POST", headers, body, signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new RhoneError("NOT_RUNNING", `Nobody answers at ${url}.`, { cause });
  }
}

function failureOf(text: string, status: number): RhoneError {
  const failure = failureSchema.safeParse(parseJson(text));
  if (!failure.success) return new RhoneError("INTERNAL", `The gateway answered ${status}: ${text.slice(0, 500)}`);
  const { code, message } = failure.data.error;
  const known = code?.toUpperCase() ?? "";
  return new RhoneError(isErrorCode(known) ? known : "INTERNAL", message);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
