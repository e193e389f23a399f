import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { answerOf } from "../chaos/answer.js";
import type { Question } from "../chaos/questions.js";
import { diceOf } from "../load/dice.js";
import { listen } from "../testing/listen.js";
import { SoakClient } from "./soak-client.js";
import { TASKS } from "./tasks.js";

const IDS = Array.from({ length: 20 }, (_, index) => index + 1);
const whole = {
  choices: [{ text: IDS.join(" "), token_ids: IDS, finish_reason: "length" }],
  usage: { prompt_tokens: 1, completion_tokens: 20 },
};
const question: Question = { kind: "greedy", variant: 0, path: "/v1/completions", body: { prompt: [1], seed: 1 } };
const known = { question, streamed: answerOf(whole), whole: answerOf(whole) };

type Answers = (response: ServerResponse, request: IncomingMessage, body: string) => void;

async function run(task: string, answers: Answers): Promise<readonly string[]> {
  const seen: string[] = [];
  const url = await listen(async (request, response) => {
    const after = request.headers["last-event-id"];
    seen.push(`${request.method} ${request.url}${after === undefined ? "" : ` after ${after}`}`);
    answers(response, request, await text(request));
  });
  const asking = { url, patienceMs: 5000, signal: new AbortController().signal };
  const client = new SoakClient(asking, { model: "tiny", vocabSize: 512, questions: [known] }, diceOf(3));
  await TASKS[task]?.run(client);
  return seen;
}

const event = (id: number) =>
  `id: ${id}\ndata: ${JSON.stringify({ choices: [{ text: id === 1 ? "1" : ` ${id}`, token_ids: [id] }] })}\n\n`;
const END = `data: ${JSON.stringify({ choices: [{ finish_reason: "length" }], usage: whole.usage })}\n\ndata: [DONE]\n\n`;

/** The rest of the answer, as a resumable stream. */
const sendRest: Answers = (response, request) => {
  response.writeHead(200, { "content-location": "/v1/streams/s1" });
  const from = Number(request.headers["last-event-id"] ?? 0);
  response.end(
    IDS.filter((id) => id > from)
      .map(event)
      .join("") + END,
  );
};
/** Its beginning; the stream goes on for good. */
const sendBeginning: Answers = (response) => {
  response.writeHead(200, { "content-location": "/v1/streams/s1" });
  response.write(IDS.slice(0, 15).map(event).join(""));
};

test.each(["stream", "slow"])("%s: the whole answer is the known one", async (task) => {
  expect(await run(task, sendRest)).toEqual(["POST /v1/completions"]);
});

test("stream: one that lacks a token is a mishap", async () => {
  const wrong: Answers = (response) => response.end(IDS.slice(1).map(event).join("") + END);
  await expect(run("stream", wrong)).rejects.toThrow('"what":"lost"');
});

test("picked up: another connection goes on behind what the first one has read", async () => {
  const [post, get, ...more] = await run("picked up", (response, request, body) =>
    (request.method === "POST" ? sendBeginning : sendRest)(response, request, body),
  );
  expect([post, more]).toEqual(["POST /v1/completions", []]);
  expect(get).toMatch(/^GET \/v1\/streams\/s1 after \d+$/);
});

test("left: the client hangs up", async () => {
  let hasHungUp = false;
  await run("left", (response, request, body) => {
    response.once("close", () => {
      hasHungUp = true;
    });
    sendBeginning(response, request, body);
  });
  await expect.poll(() => hasHungUp).toBe(true);
});

test("cancelled: the stream is deleted, and what it says then is no mishap", async () => {
  let stream: ServerResponse | undefined;
  const seen = await run("cancelled", (response, request, body) => {
    if (request.method === "POST") {
      stream = response;
      return sendBeginning(response, request, body);
    }
    response.end("{}");
    stream?.end('data: {"error":{"message":"It was cancelled.","code":"cancelled"}}\n\n');
  });
  expect(seen).toEqual(["POST /v1/completions", "DELETE /v1/streams/s1"]);
});

test("repeated: one key, three requests, each with the known answer", async () => {
  const keys = new Set<unknown>();
  const seen = await run("repeated", (response, request) => {
    keys.add(request.headers["idempotency-key"]);
    response.end(JSON.stringify(whole));
  });
  expect([seen.length, keys.size]).toEqual([3, 1]);
});

test("refused: an answer where there should be none is a mishap", async () => {
  await run("refused", (response, request, body) => {
    response.writeHead(/no-such-model/.test(body) || request.url === "/v1/nothing" ? 404 : 400).end();
  });
  await expect(run("refused", (response) => response.end("{}"))).rejects.toThrow("200, not 4");
});

test("embedding: a vector that depends on what is beside it is a mishap", async () => {
  const vector =
    (last: number): Answers =>
    (response, _, body) => {
      const several = (JSON.parse(body) as { input: readonly string[] }).input.length > 1;
      response.end(JSON.stringify({ data: [{ embedding: [0.6, several ? last : 0.8] }] }));
    };
  await run("embedding", vector(0.8 + 1e-7));
  await expect(run("embedding", vector(0.81))).rejects.toThrow("depends on what is beside it");
});

test("response: one that is kept is read again and deleted", async () => {
  const seen = await run("response", (response) => response.end('{"id":"r1","output":["x"]}'));
  expect(seen).toEqual(["POST /v1/responses", "GET /v1/responses/r1", "DELETE /v1/responses/r1"]);
});
