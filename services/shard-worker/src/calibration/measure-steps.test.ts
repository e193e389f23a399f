import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import type { LoadedShard } from "../shard/device.js";
import { GREEDY, runMessage, tokenBytes } from "../testing/steps.js";
import { openTestBackend } from "../testing/test-backend.js";
import { loadTestShard } from "../testing/test-shard.js";

const path = fileURLToPath(new URL("../../../../test/fixtures/oracle/mistral-8l-full/model-f32.gguf", import.meta.url));
const { engine, backend } = openTestBackend();
const shards: LoadedShard[] = [];
afterAll(() => {
  for (const shard of shards) shard.close();
  backend.close();
});

async function open(range: { first: number; last: number; embeds: boolean; heads: boolean }, pages = 40) {
  const shard = await loadTestShard({ engine, backend }, path, { range, pages });
  shards.push(shard);
  return shard;
}

const ROWS = [1, 2, 4, 8];

describe("the step times of a shard", () => {
  it.each([
    ["a first stage", { first: 0, last: 4, embeds: true, heads: false }, 40],
    ["a middle stage with a single page", { first: 3, last: 5, embeds: false, heads: false }, 1],
    ["a last stage", { first: 5, last: 8, embeds: false, heads: true }, 40],
    ["a whole model", { first: 0, last: 8, embeds: true, heads: true }, 40],
    ["a last stage of one layer", { first: 7, last: 8, embeds: false, heads: true }, 40],
  ])("are told for %s, with a head where it has one", async (_name, range, pages) => {
    const times = await (await open(range, pages)).measure(ROWS);
    expect(times.map(({ rows }) => rows)).toEqual(ROWS);
    for (const { layerMs } of times) expect(layerMs).toBeGreaterThan(0);
    expect(times.map(({ headMs }) => headMs > 0)).toEqual(ROWS.map(() => range.heads));
  });

  it("leave the stage as it was: the same prompt on the same pages draws the same tokens", async () => {
    const { stage, measure } = await open({ first: 0, last: 8, embeds: true, heads: true });
    const tokens = tokenBytes(Array.from({ length: 40 }, (_, index) => 3 + index * 5));
    const draw = async () => {
      const spans = [{ sequence: 1, position: 0, count: 40, firstPage: 0, pages: [3, 1], sample: true, targets: [] }];
      const output = await runMessage(stage, {
        opens: [{ sequence: 1, sampling: GREEDY }],
        spans,
        tokens,
        closes: [1],
      });
      return output.kind === "results" ? output.spans[0]?.tokens?.[0] : null;
    };
    const before = await draw();
    await measure(ROWS);
    expect(await draw()).toEqual(before);
  });
});
