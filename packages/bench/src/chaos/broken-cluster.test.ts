import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { listen } from "../testing/listen.js";
import { failuresOf, figuresOf } from "./chaos-figures.js";
import { askKnown, ChaosLoad } from "./load.js";
import { questionsOf } from "./questions.js";

// From what a gateway answers to the verdict: a cluster that breaks a promise is found out.

const MAX_TOKENS = 12;
const QUESTIONS = questionsOf({ seed: 1, model: "tiny", vocabSize: 512, variants: 1, maxTokens: MAX_TOKENS }).filter(
  ({ path }) => path === "/v1/completions",
);
const PATIENCE_MS = 400;

/** What the cluster does otherwise than it should, from the moment on at which its answers are known. */
interface Breach {
  readonly ids?: (ids: readonly number[]) => readonly number[];
  /** Sends no more after as many tokens. */
  readonly silentAfter?: number;
  /** Sends events again on a second connection, which had been received: the first one breaks after as many tokens. */
  readonly repeatsAfter?: number;
  /** Of the result lines of a batch. */
  readonly lines?: (lines: readonly string[]) => readonly string[];
}

interface Asked {
  readonly seed: number;
  readonly stream?: boolean;
}

const idsOf = ({ seed }: Asked) => Array.from({ length: MAX_TOKENS }, (_, index) => (seed + 7 * index) % 512);
const usage = { prompt_tokens: 3, completion_tokens: MAX_TOKENS };
const wholeOf = (asked: Asked) => {
  const ids = idsOf(asked);
  return { choices: [{ text: ids.join(" "), token_ids: ids, finish_reason: "length" }], usage };
};

/** A gateway that answers by the request's seed and keeps its promises, until `breach` is set. */
async function brokenCluster() {
  const state: { breach: Breach } = { breach: {} };
  const streams = new Map<string, Asked>();
  let lines: readonly { readonly custom_id: string; readonly body: Asked }[] = [];
  const url = await listen(async (request, response) => {
    const body = await text(request);
    const { breach } = state;
    const path = request.url ?? "";
    if (path === "/v1/files") {
      lines = body.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
      return void response.end('{"id":"in"}');
    }
    if (path.startsWith("/v1/batches")) {
      const counts = { total: lines.length, completed: lines.length, failed: 0 };
      const files = { output_file_id: "out", error_file_id: null };
      return void response.end(JSON.stringify({ id: "b", status: "completed", request_counts: counts, ...files }));
    }
    if (path.endsWith("/content")) {
      const results = lines.map(({ custom_id, body: asked }) =>
        JSON.stringify({ custom_id, response: { status_code: 200, body: wholeOf(asked) }, error: null }),
      );
      return void response.end((breach.lines?.(results) ?? results).join("\n"));
    }
    if (path.startsWith("/v1/files/")) return void response.end("{}");
    const id = path.startsWith("/v1/streams/") ? path.slice("/v1/streams/".length) : randomUUID();
    const asked = streams.get(id) ?? (JSON.parse(body) as Asked);
    streams.set(id, asked);
    if (asked.stream !== true) return void response.end(JSON.stringify(wholeOf(asked)));
    response.setHeader("content-location", `/v1/streams/${id}`);
    send(response, request, { ids: breach.ids?.(idsOf(asked)) ?? idsOf(asked), breach });
  });
  const asking = { url, patienceMs: PATIENCE_MS, signal: new AbortController().signal };
  return { state, asking };
}

function send(
  response: ServerResponse,
  request: IncomingMessage,
  { ids, breach }: { readonly ids: readonly number[]; readonly breach: Breach },
): void {
  const { silentAfter = ids.length, repeatsAfter } = breach;
  const isFirst = request.method === "POST";
  const read = Number(request.headers["last-event-id"] ?? 0);
  // An id of 0 is behind nothing.
  const from = isFirst || repeatsAfter === undefined ? read : read - 2;
  const to = isFirst && repeatsAfter !== undefined ? repeatsAfter : silentAfter;
  for (const [index, id] of ids.slice(from, to).entries())
    response.write(
      `id: ${from + index + 1}\ndata: ${JSON.stringify({ choices: [{ text: `${id}`, token_ids: [id] }] })}\n\n`,
    );
  if (to === ids.length) {
    const end = { choices: [{ text: "", finish_reason: "length" }], usage };
    response.end(`data: ${JSON.stringify(end)}\n\ndata: [DONE]\n\n`);
  } else if (to === repeatsAfter) setTimeout(() => response.destroy(), 20); // what was written has to arrive first
}

async function failuresAfter(breach: Breach) {
  const { state, asking } = await brokenCluster();
  const { known } = await askKnown(QUESTIONS, asking);
  const load = new ChaosLoad({ ...asking, known, clients: 1, batchLines: 3 });
  await expect.poll(() => load.streams.length > 2 && load.batches.length > 1).toBe(true);
  state.breach = breach;
  const { length } = load.streams;
  await expect.poll(() => load.streams.length > length + 1, { timeout: 5000 }).toBe(true);
  await expect.poll(() => load.batches.some(({ kind }) => kind === "judged")).toBe(true);
  const batches = load.batches.length;
  await expect.poll(() => load.batches.length > batches + 1, { timeout: 5000 }).toBe(true);
  await load.stop();
  const facts = { seed: 1, skipped: {}, endedBy: null, epochs: { seen: 1, last: [1] }, seconds: 1, struck: [] };
  return failuresOf(figuresOf({ ...facts, streams: load.streams, batches: load.batches }));
}

test("a cluster that keeps its promises has no failures", async () => {
  expect(await failuresAfter({})).toEqual([]);
});

test.each<[string, Breach, RegExp]>([
  ["a token is lost", { ids: (ids) => ids.toSpliced(5, 1) }, /^\d+ streams lost something$/],
  ["a token is doubled", { ids: (ids) => ids.toSpliced(5, 0, ids[4] ?? 0) }, /^\d+ streams have something twice$/],
  ["a token is wrong", { ids: (ids) => ids.with(5, 511) }, /^\d+ streams are wrong$/],
  ["a resumed stream repeats events", { repeatsAfter: 6 }, /^\d+ streams have something twice$/],
  ["a request hangs", { silentAfter: 4 }, /^\d+ streams hung$/],
  ["a line of a batch is lost", { lines: (lines) => lines.slice(1) }, /^\d+ lines of batches are lost$/],
  [
    "a line of a batch is there twice",
    { lines: (lines) => [...lines, ...lines.slice(2)] },
    /^\d+ lines of batches are there twice$/,
  ],
])("%s", async (_, breach, failure) => {
  const failures = await failuresAfter(breach);
  expect(failures).toHaveLength(1);
  expect(failures[0]).toMatch(failure);
});
