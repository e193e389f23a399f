import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, expect, it, vi } from "vitest";
import { listen } from "../testing/listen.js";
import { AskedStream, type StreamStory } from "./asked-stream.js";
import type { HungRequest } from "./hang-evidence.js";
import type { Question } from "./questions.js";

const question: Question = { kind: "greedy", variant: 0, path: "/v1/completions", body: { prompt: [1], seed: 1 } };
const IDS = [5, 6, 7, 8];

const event = (index: number) =>
  `id: ${index}:0:0\ndata: ${JSON.stringify({ choices: [{ text: "x", token_ids: [IDS[index]] }] })}\n\n`;
const END = `: ping\n\ndata: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 4 } })}\n\n`;

/** Events from `from` on up to `to`; then the end, or a broken connection. */
function send(response: ServerResponse, from: number, to = IDS.length): void {
  response.writeHead(200, { "content-type": "text/event-stream", "content-location": "/v1/streams/s1" });
  for (let index = from; index < to; index++) response.write(event(index));
  if (to === IDS.length) response.end(`${END}data: [DONE]\n\n`);
  else setTimeout(() => response.destroy(), 20); // what was written has to arrive first
}

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

/** Asks a server that gives these answers, one per request. */
async function ask(answers: readonly Answer[], patienceMs = 5000) {
  const requests: Pick<IncomingMessage, "method" | "url" | "headers">[] = [];
  const url = await listen((request, response) => {
    requests.push(request);
    answers[requests.length - 1]?.(response, request);
  });
  const { signal } = new AbortController();
  const story = await new AskedStream(question, { url, patienceMs, signal }).done;
  return { story, requests };
}

const idsOf = ({ end }: StreamStory) => [end.kind, end.answer.ids];

describe("AskedStream", () => {
  it("reads a stream to its end", async () => {
    const { story, requests } = await ask([(response) => send(response, 0)]);
    expect(idsOf(story)).toEqual(["whole", IDS]);
    expect(story).toMatchObject({ breaks: 0, refusals: 0, end: { answer: { text: "xxxx", completionTokens: 4 } } });
    expect(story.arrivals.length).toBe(4);
    expect(requests[0]?.headers["idempotency-key"]).toMatch(/^[\w-]{36}$/);
  });

  it("continues behind the last event that it has, where the connection breaks", async () => {
    const { story, requests } = await ask([(response) => send(response, 0, 2), (response) => send(response, 2)]);
    expect(idsOf(story)).toEqual(["whole", IDS]);
    expect(story.breaks).toBe(1);
    expect(requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      "POST /v1/completions",
      "GET /v1/streams/s1",
    ]);
    expect(requests[1]?.headers["last-event-id"]).toBe("1:0:0");
  });

  it("repeats the request under its key as long as it does not know where to continue", async () => {
    const { story, requests } = await ask([(response) => response.destroy(), (response) => send(response, 0)]);
    expect(idsOf(story)).toEqual(["whole", IDS]);
    const keys = requests.map(({ headers }) => headers["idempotency-key"]);
    expect([keys.length, new Set(keys).size, story.breaks]).toEqual([2, 1, 1]);
  });

  it("asks again after a retryable refusal", async () => {
    const busy: Answer = (response) => response.writeHead(503).end('{"error":{"message":"no","code":"no_pipeline"}}');
    const { story } = await ask([busy, (response) => send(response, 0)]);
    expect([idsOf(story), story.refusals, story.breaks]).toEqual([["whole", IDS], 1, 0]);
  });

  it.each<[string, Answer]>([
    ["refuses it", (response) => response.writeHead(404).end('{"error":{"message":"gone","code":"not_found"}}')],
    [
      "tells an error in the stream",
      (response) => response.end('data: {"error":{"message":"gone","code":"not_found"}}\n\n'),
    ],
  ])("has failed when the gateway %s", async (_, answer) => {
    const { story } = await ask([(response) => send(response, 0, 1), answer]);
    expect(story.end).toMatchObject({ kind: "failed", why: "NOT_FOUND: gone", answer: { ids: [5] } });
  });

  it("hangs when no token comes, whether or not the connection holds", async () => {
    const silent: Answer = (response) => void response.write(event(0));
    const { story } = await ask([silent], 200);
    expect(story.end).toMatchObject({ kind: "hung", answer: { ids: [5] } });
    const broken = await ask([(response) => response.destroy(), (response) => response.destroy()], 150);
    expect(broken.story.end.kind).toBe("hung");
  });

  it("that hangs says what there is of it, and does not while the cluster is disturbed", async () => {
    const url = await listen((_, response) => {
      response.writeHead(200, { "x-request-id": "r1", "content-location": "/v1/streams/s1" });
      response.write(event(0));
    });
    const evidenceOf = vi.fn(async (_: HungRequest) => "no job");
    const disturbed = performance.now() + 300;
    const patience = { patienceMs: 100, disturbedUntil: () => Math.min(performance.now(), disturbed), evidenceOf };
    const model = { ...question, body: { ...question.body, model: "tiny" } };
    const { end, endedAt } = await new AskedStream(model, { url, ...patience, signal: new AbortController().signal })
      .done;
    expect(end).toMatchObject({ kind: "hung", why: expect.stringMatching(/^no token for \d+ s after 1; .*; no job$/) });
    expect(endedAt).toBeGreaterThan(disturbed + 95);
    const key = expect.stringMatching(/^[\w-]{36}$/);
    expect(evidenceOf.mock.calls).toEqual([[{ key, stream: "s1", httpRequest: "r1", model: "tiny" }]]);
  });

  it("ends with the bench", async () => {
    const interrupt = new AbortController();
    const url = await listen(() => interrupt.abort(new Error("interrupted")));
    const { done } = new AskedStream(question, { url, patienceMs: 5000, signal: interrupt.signal });
    await expect(done).rejects.toThrow("interrupted");
  });
});
