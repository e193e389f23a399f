import type { ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import { expect, test } from "vitest";
import { listen } from "../testing/listen.js";
import type { Asking } from "./asked-stream.js";
import { askKnown, ChaosLoad } from "./load.js";
import { questionsOf } from "./questions.js";

const QUESTIONS = questionsOf({ seed: 1, model: "tiny", vocabSize: 512, variants: 2, maxTokens: 6 });

interface Asked {
  readonly seed: number;
  readonly max_tokens: number;
  readonly stream?: boolean;
  readonly tools?: unknown;
}

/** Answers by the request's seed, and refuses tools. `doctor` changes the tokens of streams. */
async function fakeGateway() {
  const state = { doctor: (ids: readonly number[]): readonly number[] => ids };
  const url = await listen(async (request, response) => {
    const asked = (await json(request)) as Asked;
    if (asked.tools !== undefined)
      return void response.writeHead(400).end('{"error":{"message":"No tools here.","code":"invalid_request"}}');
    const ids = Array.from({ length: asked.max_tokens }, (_, index) => (asked.seed + 7 * index) % 512);
    if (asked.stream === true) send(response, state.doctor(ids));
    else response.end(JSON.stringify(bodyOf(ids)));
  });
  const asking: Asking = { url, patienceMs: 5000, signal: new AbortController().signal };
  return { state, asking };
}

const bodyOf = (ids: readonly number[]) => ({
  choices: [{ text: ids.join(" "), token_ids: ids, finish_reason: "length" }],
  usage: { prompt_tokens: 3, completion_tokens: ids.length },
});

function send(response: ServerResponse, ids: readonly number[]): void {
  for (const id of ids)
    response.write(`data: ${JSON.stringify({ choices: [{ text: `${id} `, token_ids: [id] }] })}\n\n`);
  const end = { choices: [{ text: "", finish_reason: "length" }], usage: { prompt_tokens: 3, completion_tokens: 6 } };
  response.end(`data: ${JSON.stringify(end)}\n\ndata: [DONE]\n\n`);
}

test("each kind of question is asked that the cluster answers; why others are not", async () => {
  const { asking } = await fakeGateway();
  const { known, refused } = await askKnown(QUESTIONS, asking);
  expect([...refused]).toEqual([["tools", "INVALID_REQUEST: No tools here."]]);
  expect(known.map(({ question: { kind, variant } }) => `${kind} ${variant}`)).toEqual([
    ...["greedy 0", "sampled 0", "schema 0", "logprobs 0"],
    ...["greedy 1", "sampled 1", "schema 1", "logprobs 1"],
  ]);
  const [first] = known;
  expect([first?.streamed.ids, first?.whole.ids.length]).toEqual([first?.whole.ids, 6]);
});

test("streams are judged by the known answers, until the load is stopped", async () => {
  const { state, asking } = await fakeGateway();
  const { known } = await askKnown(QUESTIONS, asking);
  const load = new ChaosLoad({ ...asking, known, clients: 2, batchLines: 0 });
  await expect.poll(() => load.streams.length).toBeGreaterThan(known.length);
  expect(load.streams.every(({ difference, story }) => difference === null && story.end.kind === "whole")).toBe(true);
  expect(new Set(load.streams.map(({ question }) => question)).size).toBe(known.length);

  state.doctor = (ids) => ids.toSpliced(2, 1);
  const wrong = () => load.streams.filter(({ difference }) => difference !== null);
  await expect.poll(() => wrong().length).toBeGreaterThan(2);
  await load.stop();
  expect(wrong()[0]?.difference).toMatchObject({ what: "lost", field: "tokens", at: 2, count: 1 });
  const { length } = load.streams;
  expect(load.goesOnSince(performance.now(), 1)).toBe(true); // no stream is under way
  expect(load.streams.length).toBe(length);
});
