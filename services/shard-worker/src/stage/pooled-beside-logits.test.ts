import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GgmlType } from "@rhone/ggml";
import { openGguf, synthesize } from "@rhone/model";
import { afterAll, expect, it } from "vitest";
import { loadShard } from "../shard/load-shard.js";
import { GREEDY, runMessage, tokenBytes } from "../testing/steps.js";
import { openTestBackend } from "../testing/test-backend.js";

const folder = mkdtempSync(join(tmpdir(), "rhone-pooled-"));
/** Its head is Q6_K, for which rows are scaled by f32: a last bit of the norm shows in every logit. */
const path = join(folder, "tiny.gguf");

const { engine, backend } = openTestBackend();
await synthesize({ preset: "tiny", layers: 1, type: "q4_k", seed: 1, out: path });
const file = await openGguf(path);
const shard = await loadShard({
  engine,
  backend,
  modelsDir: undefined,
  order: {
    model: { name: "tiny", path, fingerprint: file.headerFingerprint },
    range: { first: 0, last: 1, embeds: true, heads: true },
    maxRows: 64,
    pages: 4,
    pageSize: 32,
    kvType: GgmlType.F16,
    slidingWindow: 0,
  },
  onProgress: () => {},
  signal: new AbortController().signal,
});
afterAll(() => {
  shard.close();
  backend.close();
  rmSync(folder, { recursive: true });
});

const PROMPT = [1, 300, 17, 42, 99, 7];

/** Scores the prompt, beside a sequence whose states are pooled if `pool`. */
async function scores(pool: boolean) {
  shard.stage.reset(() => {});
  const targets = PROMPT.slice(1);
  const scored = { sequence: 1, position: 0, count: PROMPT.length, pages: [0], targets, topTargets: 3, sample: true };
  const pooled = { sequence: 2, position: 0, count: PROMPT.length, pages: [1], pool: true };
  const output = await runMessage(shard.stage, {
    opens: [1, 2].map((sequence) => ({ sequence, sampling: { ...GREEDY, logprobs: true, topLogprobs: 3 } })),
    spans: pool ? [scored, pooled] : [scored],
    tokens: tokenBytes(pool ? [...PROMPT, ...PROMPT] : PROMPT),
  });
  if (output.kind !== "results") throw new Error("the stage has no head");
  return { scores: output.spans[0]?.scores, tokens: output.spans[0]?.tokens };
}

it.skipIf(backend.kernels === undefined)(
  "A sequence is scored with the same bits beside one that is pooled",
  async () => {
    expect(await scores(true)).toEqual(await scores(false));
  },
);
