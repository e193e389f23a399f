import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { AnswerReader, answerOf, type Chunk } from "../chaos/answer.js";
import { AskedStream, type StreamManner } from "../chaos/asked-stream.js";
import { askWhole } from "../chaos/load.js";
import { RandomPrompts } from "../load/prompts.js";
import { check, chunksOf, type SoakClient, Unlike } from "./soak-client.js";

/** One thing that a client does. Throws Unlike for another answer than it should get, and errors of the gateway. */
export type Task = (client: SoakClient) => Promise<void>;

/** Tokens after which a client that does not stay leaves, at most. */
const MOST_READ = 12;
/** Between two reads of a slow reader. */
const SLOWLY_MS = 400;
const FRESH_TOKENS = 32;
/** Of vectors of length 1. */
const ROUNDING = 1e-5;

const COMPLETIONS = "/v1/completions";
const CHATS = "/v1/chat/completions";

/** Resumable, with an Idempotency-Key. */
async function readStream(client: SoakClient, manner: StreamManner = {}): Promise<void> {
  const { question, streamed } = client.question(manner.leaveAfter);
  const { end } = await new AskedStream(question, client.asking, manner).done;
  if (end.kind !== "whole") throw new Unlike(`${end.kind}: ${end.why}`);
  check(streamed, end.answer);
}

async function readWhole(client: SoakClient): Promise<void> {
  const { question, whole } = client.question();
  check(whole, await askWhole(question, client.asking));
}

/** The client hangs up in the middle, and with it the request ends. */
async function leave(client: SoakClient): Promise<void> {
  const most = 1 + client.roll(MOST_READ);
  const { path, body } = client.question(most).question;
  const reader = new AnswerReader();
  for await (const chunk of chunksOf(await client.post(path, { ...body, stream: true }))) {
    reader.take(chunk);
    if (reader.tokens >= most) return; // which cancels the body
  }
}

async function readSlowly(client: SoakClient): Promise<void> {
  const { question, streamed } = client.question();
  const reader = new AnswerReader();
  let reads = 0;
  for await (const chunk of chunksOf(await client.post(question.path, { ...question.body, stream: true }))) {
    reader.take(chunk);
    if (reads++ % MOST_READ === 0) await sleep(SLOWLY_MS, undefined, { signal: client.asking.signal });
  }
  check(streamed, reader.answer);
}

/** A resumable stream is ended by DELETE. */
async function cancel(client: SoakClient): Promise<void> {
  const most = 1 + client.roll(MOST_READ);
  const { question, streamed } = client.question(most);
  const body = { ...question.body, stream: true, stream_options: { resumable: true } };
  const response = await client.post(question.path, body);
  const place = response.headers.get("content-location");
  if (place === null) throw new Unlike("a resumable stream has no Content-Location");
  const reader = new AnswerReader();
  let isCancelled = false;
  try {
    for await (const chunk of chunksOf(response)) {
      reader.take(chunk);
      if (isCancelled || reader.tokens < most) continue;
      isCancelled = true;
      await client.send(place, { method: "DELETE" });
    }
  } catch (error) {
    if (!isCancelled || error instanceof Unlike) throw error; // a cancelled stream ends with an error
  }
  const { ids } = reader.answer;
  if (ids.some((id, index) => streamed.ids[index] !== id)) throw new Unlike("tokens before a DELETE are not the known");
}

/** The same key twice at once, and a third time later. */
async function repeat(client: SoakClient): Promise<void> {
  const { question, whole } = client.question();
  const key = { "idempotency-key": randomUUID() };
  for (const answer of await Promise.all([1, 2].map(() => askWhole(question, client.asking, key))))
    check(whole, answer);
  check(whole, await askWhole(question, client.asking, key));
}

/** A prompt that nobody sent before: nothing is known of its answer but its length. */
async function askFresh(client: SoakClient): Promise<void> {
  const { model, vocabSize } = client.known;
  const prompt = new RandomPrompts({ vocabSize, seed: client.roll(2 ** 31) }).prompt(FRESH_TOKENS);
  const fields = { temperature: 1, max_tokens: FRESH_TOKENS, ignore_eos: true, return_token_ids: true };
  const answer = answerOf((await (await client.post(COMPLETIONS, { model, prompt, ...fields })).json()) as Chunk);
  if (answer.ids.length !== FRESH_TOKENS) throw new Unlike(`${answer.ids.length} tokens, not ${FRESH_TOKENS}`);
}

/** A schema that nobody sent before. */
async function askFreshSchema(client: SoakClient): Promise<void> {
  const name = `word${client.roll(2 ** 31)}`;
  const properties = { [name]: { enum: ["yes", "no"] } };
  const schema = { type: "object", properties, required: [name], additionalProperties: false };
  const response_format = { type: "json_schema", json_schema: { name: "answer", schema, strict: true } };
  const messages = [{ role: "user", content: "Yes or no?" }];
  const body = { model: client.known.model, messages, response_format, max_tokens: 80 };
  const { text, finish } = answerOf((await (await client.post(CHATS, body)).json()) as Chunk);
  if (finish !== "stop") return; // the name took all tokens
  if (!["yes", "no"].includes((JSON.parse(text) as Record<string, string>)[name] ?? "")) throw new Unlike(text);
}

/** A stored response is kept, read and deleted. */
async function storeResponse(client: SoakClient): Promise<void> {
  const seed = client.roll(5);
  const body = { model: client.known.model, input: `Tell me of town ${seed}.`, max_output_tokens: 24, seed };
  const textOf = async (response: Response) => {
    const { id, output } = (await response.json()) as { readonly id: string; readonly output: unknown };
    return { id, text: JSON.stringify(output) };
  };
  const made = await textOf(await client.post("/v1/responses", body));
  const kept = await textOf(await client.send(`/v1/responses/${made.id}`));
  if (kept.text !== made.text) throw new Unlike(`a stored response is ${kept.text}, not ${made.text}`);
  await client.send(`/v1/responses/${made.id}`, { method: "DELETE" });
}

/** The vector of a text is the same with another text beside it, but for the order in which its rows are added up. */
async function embed(client: SoakClient): Promise<void> {
  const text = `town ${client.roll(2 ** 31)}`;
  const vectorOf = async (input: readonly string[]) => {
    const response = await client.post("/v1/embeddings", { model: client.known.model, input });
    const { data } = (await response.json()) as { readonly data: readonly { readonly embedding: readonly number[] }[] };
    return data[0]?.embedding ?? [];
  };
  const [alone = [], beside] = await Promise.all([vectorOf([text]), vectorOf([text, "another one"])]);
  const isAlike = alone.every((value, index) => Math.abs(value - (beside?.[index] ?? 2)) < ROUNDING);
  if (alone.length === 0 || !isAlike) throw new Unlike("the vector of a text depends on what is beside it");
}

const REFUSED: readonly (readonly [path: string, body: string, status: number])[] = [
  [COMPLETIONS, '{"prompt":"x","max_tokens":-1}', 400],
  [COMPLETIONS, '{"prompt":', 400],
  [CHATS, '{"model":"no-such-model","messages":[{"role":"user","content":"x"}]}', 404],
  ["/v1/nothing", "{}", 404],
];

async function beRefused(client: SoakClient): Promise<void> {
  const [path, body, expected] = REFUSED[client.roll(REFUSED.length)] ?? ["/", "", 404];
  const response = await client.fetch(path, { method: "POST", body });
  await response.text();
  if (response.status !== expected) throw new Unlike(`${path} ${body}: ${response.status}, not ${expected}`);
}

/** By name; as often as its share of all. */
export const TASKS: Readonly<Record<string, { readonly share: number; readonly run: Task }>> = {
  stream: { share: 4, run: (client) => readStream(client) },
  whole: { share: 3, run: readWhole },
  "picked up": { share: 2, run: (client) => readStream(client, { leaveAfter: 1 + client.roll(MOST_READ) }) },
  left: { share: 2, run: leave },
  slow: { share: 1, run: readSlowly },
  cancelled: { share: 1, run: cancel },
  repeated: { share: 2, run: repeat },
  fresh: { share: 2, run: askFresh },
  "fresh schema": { share: 1, run: askFreshSchema },
  response: { share: 1, run: storeResponse },
  embedding: { share: 2, run: embed },
  refused: { share: 2, run: beRefused },
};
