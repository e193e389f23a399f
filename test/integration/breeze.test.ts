import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ChatAnswer, chat, streamChat } from "../cluster/chat.js";
import { RunningCluster } from "../cluster/start-cluster.js";

interface Expected {
  readonly turns: readonly (readonly [user: string, assistant: string])[];
  readonly question: string;
  readonly prompt_tokens: number;
  readonly answer: string;
  readonly answer_ids: readonly number[];
  readonly least_margin: number;
}

/** Below this lead of the best logit rounding may choose another token. */
const TIE = 0.05;
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

describe.each([1, 2, 5, 32])("Breeze on %i workers", (workers) => {
  let cluster: RunningCluster;
  beforeAll(async () => {
    cluster = await RunningCluster.start(["--workers", String(workers)]);
  });
  afterAll(async () => {
    await cluster?.stop();
  });

  test(`gives the ${compared.length} answers that no tie decides, token for token, one after another`, async () => {
    for (const expected of compared) {
      expect(givenOf(await chat(cluster, requestOf(expected)))).toEqual(expectedOf(expected));
    }
  });

  test("gives them all at once, streamed", async () => {
    const given = await Promise.all(compared.map((expected) => streamChat(cluster, requestOf(expected))));
    expect(given.map(givenOf)).toEqual(compared.map(expectedOf));
  });
});
