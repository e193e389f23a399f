import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { dequantize, GgmlType } from "@rhone/ggml";
import { openGguf, readModelConfig } from "@rhone/model";
import type { rhone } from "@rhone/proto";
import { afterAll, describe, expect, it } from "vitest";
import { WeightPool } from "../model/weight-pool.js";
import type { LoadedShard } from "../shard/device.js";
import { GREEDY, runMessage, tokenBytes } from "../testing/steps.js";
import { openTestBackend } from "../testing/test-backend.js";
import { loadTestShard } from "../testing/test-shard.js";
import { activationTypeOnWire } from "../wire/tensor-types.js";

interface Reference {
  readonly cases: readonly {
    readonly tokens: readonly number[];
    readonly logprobs: readonly number[];
    readonly greedy: readonly number[];
    readonly greedy_margin: readonly number[];
  }[];
}

const FIXTURES = fileURLToPath(new URL("../../../../test/fixtures/oracle/", import.meta.url));
const PAGE_SIZE = 32;
const PAGES = 24;

const { engine, backend } = openTestBackend();
afterAll(() => backend.close());

interface Chain {
  readonly shards: readonly LoadedShard[];
  readonly window: number;
  readonly activations: GgmlType;
}

async function openChain(name: string, stages: number, kvType: GgmlType, pool?: WeightPool): Promise<Chain> {
  const path = `${FIXTURES}${name}/model-f32.gguf`;
  const config = readModelConfig(await openGguf(path));
  const window = config.slidingWindow;
  const shards: LoadedShard[] = [];
  for (let stage = 0; stage < stages; stage++) {
    const range = {
      first: Math.floor((config.nLayers * stage) / stages),
      last: Math.floor((config.nLayers * (stage + 1)) / stages),
      embeds: stage === 0,
      heads: stage === stages - 1,
    };
    const order = { range, pages: PAGES, pageSize: PAGE_SIZE, kvType, slidingWindow: window };
    shards.push(await loadTestShard({ engine, backend, ...(pool !== undefined && { pool }) }, path, order));
  }
  const activations = kvType === GgmlType.F32 ? GgmlType.F32 : GgmlType.F16;
  return { shards, window, activations };
}

/** Sends a step through every stage; returns the last one's results. */
async function send({ shards, activations }: Chain, step: rhone.v1.Step.$Properties) {
  let frame = step;
  for (const { stage } of shards) {
    const output = await runMessage(stage, frame, activations);
    if (output.kind === "results") return output.spans;
    frame = { ...frame, hidden: output.hidden.bytes, hiddenType: activationTypeOnWire(activations) };
  }
  throw new Error("the last stage gave no results");
}

/** Prefills in chunks through scattered pages, then decodes greedily; the oracle's prompt is scored on the way. */
async function play(chain: Chain, tokens: readonly number[], { chunk, decode }: { chunk: number; decode: number }) {
  const free = Array.from({ length: PAGES }, (_, i) => (i * 7) % PAGES);
  const logprobs: number[] = [];
  const generated: number[] = [];
  const known = [...tokens];
  let covered = 0;
  const spanAt = (position: number, count: number) => {
    const pages: number[] = [];
    while (covered * PAGE_SIZE < position + count) pages.push(free[covered++] ?? 0);
    const least = chain.window === 0 ? 0 : Math.max(0, position - chain.window + 1);
    return { sequence: 1, position, count, pages, firstPage: Math.floor(least / PAGE_SIZE) };
  };
  for (let position = 0; position < known.length && generated.length < decode; ) {
    const count = Math.min(chunk, known.length - position);
    const last = position + count === known.length;
    const targets = generated.length > 0 ? [] : tokens.slice(position + 1, position + count + 1);
    const span = { ...spanAt(position, count), sample: last, targets, topTargets: 1 };
    const opens = position === 0 ? [{ sequence: 1, sampling: GREEDY }] : [];
    const [result] = await send(chain, {
      opens,
      spans: [span],
      tokens: tokenBytes(known.slice(position, position + count)),
    });
    logprobs.push(...(result?.scores ?? []).map(({ logprob }) => logprob ?? Number.NaN));
    if (result?.tokens?.[0]?.token != null) {
      generated.push(result.tokens[0].token);
      known.push(result.tokens[0].token);
    }
    position += count;
  }
  await send(chain, { closes: [1] });
  return { logprobs, generated };
}

const CASES = [
  { name: "mistral-32l-swa16", stages: [1, 4, 32] },
  { name: "mistral-8l-full", stages: [1, 4] },
  { name: "llama-6l-mha", stages: [1, 4] },
];

describe("shards that share their layers with others", () => {
  it("give the bits of shards of their own, and read nothing that is held", async () => {
    const name = "mistral-8l-full";
    const { cases } = JSON.parse(readFileSync(`${FIXTURES}${name}/reference.json`, "utf8")) as Reference;
    const tokens = cases[0]?.tokens ?? [];
    const alone = await openChain(name, 3, GgmlType.F32);
    const expected = await play(alone, tokens, { chunk: 7, decode: 12 });
    for (const shard of alone.shards) shard.close();
    const pool = new WeightPool(backend);
    const four = await openChain(name, 4, GgmlType.F32, pool);
    const held = pool.bytes;
    const three = await openChain(name, 3, GgmlType.F32, pool);
    expect(pool.bytes).toBe(held);
    for (const shard of four.shards) shard.close();
    expect(await play(three, tokens, { chunk: 7, decode: 12 })).toEqual(expected);
    for (const shard of three.shards) shard.close();
    expect(pool.bytes).toBe(0);
  });
});

/** Sums the tokens' hidden states, chunk by chunk, each beside a decoding sequence; returns what that drew too. */
async function embedBeside(chain: Chain, tokens: readonly number[], chunk: number) {
  await send(chain, {
    opens: [
      { sequence: 1, sampling: GREEDY },
      { sequence: 2, sampling: GREEDY },
    ],
  });
  let sum: readonly number[] = [];
  const drawn: number[] = [tokens[0] ?? 0];
  for (let position = 0; position < tokens.length; position += chunk) {
    const part = tokens.slice(position, position + chunk);
    const end = position + part.length;
    const firstPage = Math.floor(Math.max(0, chain.window === 0 ? 0 : position - chain.window + 1) / PAGE_SIZE);
    const pages = Array.from({ length: PAGES }, (_, i) => i).slice(
      Math.ceil(position / PAGE_SIZE),
      Math.ceil(end / PAGE_SIZE),
    );
    const at = drawn.length - 1;
    const spans = [
      { sequence: 2, position: at, count: 1, pages: at === 0 ? [PAGES - 1] : [], sample: true },
      { sequence: 1, position, count: part.length, pages, firstPage, pool: true },
    ];
    const results = await send(chain, { spans, tokens: tokenBytes([drawn.at(-1) ?? 0, ...part]) });
    const pooled = results[1]?.pooled ?? [];
    sum = [...pooled].map((value, i) => value + (sum[i] ?? 0));
    drawn.push(results[0]?.tokens?.[0]?.token ?? Number.NaN);
    expect(results[0]?.pooled).toBeNull();
    expect(results[1]?.tokens).toEqual([]);
  }
  await send(chain, { closes: [1, 2] });
  return { sum, drawn };
}

describe("activations between stages", () => {
  /** The most that a number is off, as a share of the largest of its block of 32. */
  it.each([
    ["F16", GgmlType.F16, 2 ** -11],
    ["Q8_0", GgmlType.Q8_0, 0.5 / 127 + 2 ** -10],
  ])("are the hidden states as %s, and the next stage reads them", async (_, type, share) => {
    const chain = await openChain("mistral-8l-full", 2, GgmlType.F32);
    try {
      const [first, second] = chain.shards.map(({ stage }) => stage);
      if (first === undefined || second === undefined) throw new Error("two stages were opened");
      const span = { sequence: 1, count: 3, pages: [0], sample: true, targets: [7, 8], topTargets: 1 };
      const step = {
        opens: [{ sequence: 1, sampling: GREEDY }],
        spans: [span],
        tokens: tokenBytes([5, 7, 8]),
        closes: [1],
      };
      const hiddenOf = async (asked: GgmlType) => {
        const output = await runMessage(first, step, asked);
        if (output.kind !== "hidden") throw new Error("the first stage has no head");
        return output.hidden.bytes;
      };
      const exact = dequantize(engine, GgmlType.F32, await hiddenOf(GgmlType.F32));
      const bytes = await hiddenOf(type);
      const sent = dequantize(engine, type, bytes);
      expect(sent).toHaveLength(exact.length);
      for (let block = 0; block < exact.length; block += 32) {
        const largest = Math.max(...exact.subarray(block, block + 32).map(Math.abs));
        const off = Math.max(
          ...sent.subarray(block, block + 32).map((value, i) => Math.abs(value - (exact[block + i] ?? 0))),
        );
        expect(off).toBeLessThanOrEqual(share * largest);
      }
      const output = await runMessage(second, { ...step, hidden: bytes, hiddenType: activationTypeOnWire(type) });
      expect(output).toMatchObject({ kind: "results", spans: [{ scores: [{ token: 7 }, { token: 8 }] }] });
    } finally {
      for (const shard of chain.shards) shard.close();
    }
  });
});

describe.each(CASES)("stages of $name against the definition, in NumPy", ({ name, stages }) => {
  const { cases } = JSON.parse(readFileSync(`${FIXTURES}${name}/reference.json`, "utf8")) as Reference;
  const { mean } = JSON.parse(readFileSync(`${FIXTURES}${name}/embeddings.json`, "utf8")) as {
    readonly mean: readonly (readonly number[])[];
  };

  it.each(stages)("%d stages: sums of hidden states, beside rows that draw", { timeout: 60_000 }, async (count) => {
    const chain = await openChain(name, count, GgmlType.F32);
    try {
      for (const [index, { tokens }] of cases.entries()) {
        const { generated } = await play(chain, tokens.slice(0, 1), { chunk: 1, decode: 20 });
        for (const chunk of [512, 13]) {
          const { sum, drawn } = await embedBeside(chain, tokens, chunk);
          const expected = mean[index]?.map((value) => value * tokens.length) ?? [];
          const worst = Math.max(...expected.map((value, i) => Math.abs(value - (sum[i] ?? Number.NaN))));
          expect(worst / tokens.length).toBeLessThan(1e-4);
          expect(drawn.slice(1)).toEqual(generated.slice(0, drawn.length - 1));
        }
      }
    } finally {
      for (const shard of chain.shards) shard.close();
    }
  });
});

describe.each(CASES)("stages of $name against Hugging Face transformers", ({ name, stages }) => {
  const { cases } = JSON.parse(readFileSync(`${FIXTURES}${name}/reference.json`, "utf8")) as Reference;

  it.each(
    stages.flatMap((count) => [
      { count, kv: "f32", kvType: GgmlType.F32, tolerance: 2e-3 },
      { count, kv: "f16", kvType: GgmlType.F16, tolerance: 2e-2 },
    ]),
  )(
    "$count stages, $kv pages: log-probabilities and greedy tokens",
    { timeout: 60_000 },
    async ({ count, kvType, tolerance }) => {
      const chain = await openChain(name, count, kvType);
      try {
        for (const reference of cases) {
          for (const chunk of [512, 13]) {
            const { logprobs, generated } = await play(chain, reference.tokens, { chunk, decode: 24 });
            expect(logprobs).toHaveLength(reference.logprobs.length);
            const worst = Math.max(
              ...logprobs.map((value, i) => Math.abs(value - (reference.logprobs[i] ?? Number.NaN))),
            );
            expect(worst).toBeLessThan(tolerance);
            const tie = reference.greedy_margin.findIndex((margin) => margin <= 5e-3);
            const compared = tie === -1 ? 24 : tie;
            if (kvType === GgmlType.F32)
              expect(generated.slice(0, compared)).toEqual(reference.greedy.slice(0, compared));
          }
        }
      } finally {
        for (const shard of chain.shards) shard.close();
      }
    },
  );
});
