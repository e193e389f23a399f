import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openEngine } from "@rhone/ggml";
import { ReferenceModel } from "@rhone/ggml/reference";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ChatAnswer, chat, streamChat } from "../cluster/chat.js";
import { RunningCluster } from "../cluster/start-cluster.js";
import { unit, worstEmbedding } from "./embeddings.js";
import { readOracle } from "./oracle.js";

interface Expected {
  readonly turns: readonly (readonly [user: string, assistant: string])[];
  readonly question: string;
  readonly prompt_tokens: number;
  readonly answer: string;
  readonly answer_ids: readonly number[];
  readonly least_margin: number;
}

/** Below this lead of the best logit, rounding may choose another token. */
const TIE = 0.05;
/** Q8_0 products round activations to 8 bits, 1/254 of the largest of 32, in another order for each size of step. */
const EMBEDDING_TOLERANCE = 1e-2;
/** Breeze's window, which llama.cpp ignores: only prompts that fit it are compared. */
const WINDOW = 64;
const EOS = 2;

const file = new URL("../fixtures/breeze/expected.json", import.meta.url);
const answers = (JSON.parse(readFileSync(file, "utf8")) as { answers: readonly Expected[] }).answers;
const compared = answers.filter(({ least_margin }) => least_margin >= TIE);

const requestOf = ({ turns, question }: Expected) => ({
  messages: [
    ...turns.flatMap(([user, assistant]) => [
      { role: "user" as const, content: user },
      { role: "assistant" as const, content: assistant },
    ]),
    { role: "user" as const, content: question },
  ],
});

const expectedOf = ({ answer, answer_ids, prompt_tokens }: Expected) => ({
  text: answer,
  ids: answer_ids,
  promptTokens: prompt_tokens,
  finish: "stop",
});

const givenOf = ({ text, ids, promptTokens, finish }: ChatAnswer) => ({
  text,
  ids: ids.at(-1) === EOS ? ids.slice(0, -1) : ids,
  promptTokens,
  finish,
});

const BREEZE = fileURLToPath(new URL("../../models/breeze-q8_0.gguf", import.meta.url));
const prompts = readOracle("mistral-8l-full")
  .cases.map(({ tokens }) => tokens)
  .filter(({ length }) => length <= WINDOW);
/** llama.cpp's own mean pooling of the prompts. */
let embeddings: readonly (readonly number[])[];
beforeAll(() => {
  const reference = ReferenceModel.open(openEngine({}), BREEZE, { threads: 1, nCtx: 256, embeds: true });
  embeddings = prompts.map((prompt) => unit(reference.embed(prompt)));
  reference.close();
});

const LAYOUTS = [
  { workers: 1, maxRows: 512 },
  { workers: 3, maxRows: 7 },
];

describe.each(LAYOUTS)("Breeze on $workers workers, at most $maxRows rows a step", ({ workers, maxRows }) => {
  let cluster: RunningCluster;
  beforeAll(async () => {
    cluster = await RunningCluster.start(["--workers", String(workers), "--max-rows", String(maxRows)]);
  });
  afterAll(async () => {
    await cluster?.stop();
  });

  test(`gives the ${compared.length} answers that no tie decides, token for token, all at once and streamed`, async () => {
    const given = await Promise.all(compared.map((expected) => streamChat(cluster, requestOf(expected))));
    expect(given.map(givenOf)).toEqual(compared.map(expectedOf));
  });

  test("gives every second one whole, one after another", async () => {
    for (const expected of compared.filter((_, index) => index % 2 === 0)) {
      expect(givenOf(await chat(cluster, requestOf(expected)))).toEqual(expectedOf(expected));
    }
  });

  test(`embeds as llama.cpp does, within ${EMBEDDING_TOLERANCE}, beside sequences that decode`, async () => {
    expect(await worstEmbedding(cluster, prompts, embeddings)).toBeLessThan(EMBEDDING_TOLERANCE);
  });
});
