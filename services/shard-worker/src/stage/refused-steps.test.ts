import { fileURLToPath } from "node:url";
import { RhoneError } from "@rhone/common";
import { rhone } from "@rhone/proto";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ComputingShard } from "../shard/load-shard.js";
import { GREEDY, runMessage, tokenBytes } from "../testing/steps.js";
import { openTestBackend } from "../testing/test-backend.js";
import { loadTestShard } from "../testing/test-shard.js";
import type { SequenceReady } from "../wire/step.js";

type Message = rhone.v1.Step.$Properties;

const path = fileURLToPath(new URL("../../../../test/fixtures/oracle/llama-6l-mha/model-f32.gguf", import.meta.url));
const { engine, backend } = openTestBackend();
let shard: ComputingShard;

beforeAll(async () => {
  const range = { first: 0, last: 2, embeds: true, heads: true };
  shard = await loadTestShard({ engine, backend }, path, { range, pages: 6, pageSize: 8, maxRows: 16 });
});
afterAll(() => {
  shard.close();
  backend.close();
});

const SAMPLING = {
  ...GREEDY,
  temperature: 0.7,
  seed: 5,
  logprobs: true,
  topLogprobs: 2,
  biasTokens: tokenBytes([3]),
  biasValues: new Uint8Array(Float32Array.of(1).buffer),
};
const FIRST: Message = {
  opens: [1, 3].map((sequence) => ({ sequence, sampling: SAMPLING })),
  spans: [
    { sequence: 1, position: 0, count: 3, pages: [0] },
    { sequence: 3, position: 0, count: 1, pages: [3], sample: true },
  ],
  tokens: tokenBytes([1, 2, 3, 4]),
};
/** Uses everything but constraints: a page copy, an open, a draft, scores, a pooled span, a carried row, a close. */
const VALID: Message = {
  copies: [{ from: 0, to: 5 }],
  opens: [{ sequence: 2, sampling: SAMPLING, history: tokenBytes([1]), generated: tokenBytes([2]) }],
  spans: [
    { sequence: 1, position: 3, count: 2, pages: [1], sample: true, drafts: 1 },
    { sequence: 2, position: 0, count: 4, pages: [2], targets: [7, 8, 9], topTargets: 2, pool: true },
    { sequence: 3, position: 1, count: 1, sample: true, carried: true },
  ],
  closes: [1],
  tokens: tokenBytes([4, 5, 6, 7, 8, 9, 0]),
};

const SPECIAL = [0, 1, 2, 6, 16, 259, 2 ** 31, 2 ** 32 - 1, -1, 0.5, 1e38, Number.NaN, Number.POSITIVE_INFINITY];

/** Every value inside a message: its holder and its key. */
function placesOf(value: unknown): readonly (readonly [holder: Record<string, unknown>, key: string])[] {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => [[holder, key] as const, ...placesOf(holder[key])]);
}

/** Replaces one value: numbers by special ones, lists and bytes by shorter or longer ones, messages by empty ones. */
function mutate(message: Message, { place, choice }: { readonly place: number; readonly choice: number }): void {
  const places = placesOf(message);
  const [holder, key] = places[place % places.length] ?? [{}, ""];
  const value = holder[key];
  if (typeof value === "number") holder[key] = SPECIAL[choice % SPECIAL.length];
  else if (typeof value === "boolean") holder[key] = !value;
  else if (Array.isArray(value)) holder[key] = [value.slice(1), [...value, ...value], value.toReversed()][choice % 3];
  else if (value instanceof Uint8Array) holder[key] = bytesLike(value, choice);
  else holder[key] = Array.isArray(holder) ? {} : undefined;
}

function bytesLike(bytes: Uint8Array, choice: number): Uint8Array {
  if (choice % 4 === 0) return bytes.slice(1);
  if (choice % 4 === 1) return Uint8Array.of(...bytes, ...bytes);
  return bytes.map((byte, i) => (i === choice % bytes.length ? 255 - byte : byte));
}

const mutations = fc.array(fc.record({ place: fc.nat(200), choice: fc.nat(200) }), { minLength: 1, maxLength: 3 });

test("a step with values replaced at random is refused by the name of a field and touches nothing, or it runs", async () => {
  const seen = { refused: 0, ran: 0 };
  const property = fc.asyncProperty(mutations, async (changes) => {
    const message = structuredClone(VALID);
    for (const change of changes) mutate(message, change);
    const { stage } = shard;
    stage.reset(() => {});
    await runMessage(stage, FIRST);
    const received = rhone.v1.Step.decode(rhone.v1.Step.encode(message).finish());
    const error = await runMessage(stage, received).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    if (error === null) seen.ran++;
    else {
      expect(error).toBeInstanceOf(RhoneError);
      expect(error).toMatchObject({ code: "MESSAGE_MALFORMED", message: expect.stringMatching(/^step\.\w+/) });
      expect([1, 2].map((sequence) => stage.pageCount(sequence))).toEqual([1, undefined]);
      seen.refused++;
    }
  });
  await fc.assert(property, { numRuns: 400 });
  // About 287 and 113 of 400: 50 is 7 standard deviations away.
  expect(seen.refused).toBeGreaterThan(50);
  expect(seen.ran).toBeGreaterThan(50);
});

test("a sequence whose grammar is refused is told of while its step and the others go on", async () => {
  const { stage } = shard;
  const refused = new Promise<SequenceReady>((resolve) => stage.reset(resolve));
  await runMessage(stage, FIRST);
  const [open] = VALID.opens ?? [];
  const constraint = { grammar: "root ::= (" };
  expect(await runMessage(stage, { ...VALID, opens: [{ ...open, constraint }] })).toMatchObject({ kind: "results" });
  expect(await refused).toEqual({ sequence: 2, error: expect.objectContaining({ code: "STAGE_FAILED" }) });
  const drawing = { spans: [{ sequence: 2, position: 4, count: 1, sample: true }], tokens: tokenBytes([1]) };
  await expect(runMessage(stage, drawing)).rejects.toThrow("the grammar of sequence 2 is not prepared");
  const going = { spans: [{ sequence: 2, position: 4, count: 1 }], tokens: tokenBytes([1]) };
  expect(await runMessage(stage, going)).toMatchObject({ kind: "results" });
});
