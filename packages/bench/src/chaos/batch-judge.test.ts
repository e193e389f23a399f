import { expect, test } from "vitest";
import { type Answer, answerOf } from "./answer.js";
import { judgeBatch } from "./batch-judge.js";

const bodyOf = (ids: readonly number[]) => ({
  choices: [{ text: ids.join(" "), token_ids: ids, finish_reason: "length" }],
  usage: { prompt_tokens: 2, completion_tokens: ids.length },
});
const line = (id: string, ids: readonly number[]) =>
  JSON.stringify({ custom_id: id, response: { status_code: 200, body: bodyOf(ids) }, error: null });

const IDS = [1, 2, 3, 4, 5];
const known: ReadonlyMap<string, Answer> = new Map(["a", "b", "c"].map((id) => [id, answerOf(bodyOf(IDS))]));
const NOTHING_WRONG = { lines: 3, lost: [], doubled: [], failed: [], wrong: [] };

test("a batch whose lines are all there once, and right, in any order", () => {
  expect(judgeBatch(known, [line("c", IDS), line("a", IDS), line("b", IDS)])).toEqual(NOTHING_WRONG);
});

test("lost and doubled lines are named", () => {
  const results = [line("a", IDS), line("b", IDS), line("a", IDS)];
  expect(judgeBatch(known, results)).toEqual({ ...NOTHING_WRONG, lost: ["c"], doubled: ["a"] });
});

test("a wrong line is named with the first token that differs", () => {
  const results = [line("a", IDS), line("b", [1, 2, 4, 5]), line("c", IDS)];
  const { wrong, ...rest } = judgeBatch(known, results);
  expect(wrong).toMatchObject([{ id: "b", difference: { what: "lost", field: "tokens", at: 2, count: 1 } }]);
  expect(rest).toMatchObject({ lost: [], doubled: [], failed: [] });
});

test("failed lines, and lines that nobody asked for, are no answers", () => {
  const refused = { custom_id: "b", response: { status_code: 503, body: { error: { code: "worker_lost" } } } };
  const expired = { custom_id: "c", response: null, error: { code: "batch_expired" } };
  const results = [line("a", IDS), JSON.stringify(refused), JSON.stringify(expired), line("d", IDS)];
  expect(judgeBatch(known, results)).toMatchObject({
    ...{ lost: [], doubled: [], wrong: [] },
    failed: [
      { id: "b", why: expect.stringContaining("worker_lost") },
      { id: "c", why: expect.stringContaining("batch_expired") },
      { id: "d", why: "it was not asked for" },
    ],
  });
});
