import OpenAI from "openai";
import { zodResponsesFunction } from "openai/helpers/zod";
import { expect } from "vitest";
import { z } from "zod";
import { sharedCluster } from "../cluster/shared-cluster.js";
import { keepsTo } from "../schemas/keeps-to.js";
import * as official from "../schemas/openai-responses.js";
import type { Schema } from "../schemas/schema-parts.js";

// What the tests of responses ask the shared cluster for, and how they read the answers.

export type Response = OpenAI.Responses.Response;
export type Event = OpenAI.Responses.ResponseStreamEvent;
export type Create = Omit<OpenAI.Responses.ResponseCreateParamsNonStreaming, "stream">;

const cluster = await sharedCluster();
export const PATH = "/v1/responses";
export const client = new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: "none", maxRetries: 0 });

export const model = "breeze";
export const greedy: Create = { model, input: "What is the capital of France?", temperature: 0, max_output_tokens: 24 };
export const endless = { ...greedy, input: "Tell me a story.", max_output_tokens: 400, ignore_eos: true } as Create;

/** Without what the SDK adds. */
export function plain(response: Response): unknown {
  const { output_text: _, ...rest } = response;
  return JSON.parse(JSON.stringify(rest));
}

export const Place = z.object({ city: z.enum(["Paris", "Lyon"]), days: z.int().min(1).max(9) });
export const weather = zodResponsesFunction({ name: "weather", description: "Forecast", parameters: Place });

interface Told {
  readonly name: string;
  readonly data: Event;
}

/** The events of a stream as they were sent, each kept to its official schema and numbered in order. */
export async function eventsOf(response: globalThis.Response, from = 0): Promise<readonly Told[]> {
  const told = (await response.text()).split("\n\n").filter((part) => part !== "");
  return told.map((part, index) => {
    const [, name = "", json = ""] = /^event: (.*)\ndata: (.*)$/.exec(part.replace(/^id: .*\n/, "")) ?? [];
    const data = JSON.parse(json) as Event;
    expect([data.type, data.sequence_number]).toEqual([name, from + index]);
    keepsTo(data, official.responseEvents[name] as Schema);
    return { name, data };
  });
}

export const streamed = async (body: object) => eventsOf(await cluster.post(PATH, { ...body, stream: true }));

export function lastOf(events: readonly Told[]): Response {
  const last = events.at(-1)?.data;
  if (last !== undefined && "response" in last) return last.response;
  throw new Error(`The last event is ${JSON.stringify(last)}`);
}
