import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { listen } from "../testing/listen.js";
import { answerOf } from "./answer.js";
import { askBatch, type BatchLine } from "./asked-batch.js";

const body = { choices: [{ text: "ab", token_ids: [1, 2], finish_reason: "length" }] };
const LINE: BatchLine = {
  question: { kind: "greedy", variant: 0, path: "/v1/completions", body: { prompt: [1] } },
  known: answerOf(body),
};
const result = (id: string) => JSON.stringify({ custom_id: id, response: { status_code: 200, body }, error: null });

interface Plan {
  /** Of each look at the batch. */
  readonly statuses: readonly string[];
  readonly output: readonly string[];
}

/** A gateway that breaks the first connection of each request, and counts batches by their keys. */
async function gatewayOf({ statuses, output }: Plan) {
  const broken = new Set<string>();
  const keys = new Set<unknown>();
  const removed: string[] = [];
  let looks = 0;
  const batch = (status: string) =>
    JSON.stringify({
      ...{ id: "b1", endpoint: "", created_at: 0, errors: null, output_file_id: "out", error_file_id: null, status },
      request_counts: { total: 2, completed: looks, failed: 0 },
    });
  const url = await listen(async (request, response) => {
    const asked = `${request.method} ${request.url}`;
    await text(request);
    if (request.method === "POST") keys.add(request.headers["idempotency-key"]);
    if (request.method === "DELETE") {
      // The first try removes the file, and its answer is lost.
      removed.push(request.url ?? "");
      if (broken.has(asked)) response.writeHead(404).end('{"error":{"message":"no file","code":"not_found"}}');
    }
    if (!broken.has(asked)) {
      broken.add(asked);
      response.destroy();
    } else if (response.headersSent) return;
    else if (asked === "POST /v1/files") response.end('{"id":"f1"}');
    else if (asked === "POST /v1/batches") response.end(batch("validating"));
    else if (asked === "GET /v1/batches/b1")
      response.end(batch(statuses[Math.min(looks++, statuses.length - 1)] ?? ""));
    else response.end(output.map((line) => `${line}\n`).join(""));
  });
  return { url, keys, removed };
}

const { signal } = new AbortController();
const ask = async (plan: Plan, patienceMs = 5000) => {
  const { url, keys, removed } = await gatewayOf(plan);
  return { story: await askBatch([LINE, LINE], { url, patienceMs, signal }), keys, removed };
};

test("a batch is asked for patiently, made once, judged, and its files removed", async () => {
  const { story, keys, removed } = await ask({
    statuses: ["in_progress", "completed"],
    output: [result("line-0"), result("line-1")],
  });
  expect(story).toMatchObject({
    kind: "judged",
    judgement: { lines: 2, lost: [], doubled: [], failed: [], wrong: [] },
  });
  expect(keys.size).toBe(2); // the file's and the batch's, each sent twice
  expect(new Set(removed)).toEqual(new Set(["/v1/files/f1", "/v1/files/out"]));
});

test("a line that is there twice, and one that is not there, are found", async () => {
  const { story } = await ask({ statuses: ["completed"], output: [result("line-0"), result("line-0")] });
  expect(story).toMatchObject({ judgement: { lost: ["line-1"], doubled: ["line-0"] } });
});

test("a batch that ends otherwise has failed", async () => {
  const { story } = await ask({ statuses: ["expired"], output: [] });
  expect(story).toMatchObject({
    kind: "failed",
    lines: 2,
    why: "The batch is expired: 1 of its 2 lines were answered, 0 failed.",
  });
});

test("a batch of which no line ends hangs", async () => {
  const counts = '"request_counts":{"total":2,"completed":0,"failed":0}';
  const url = await listen((_, response) => response.end(`{"id":"b1","status":"in_progress",${counts}}`));
  const story = await askBatch([LINE, LINE], { url, patienceMs: 200, signal });
  expect(story).toMatchObject({ kind: "hung", lines: 2, why: "no line ended for 0.2 s" });
});
