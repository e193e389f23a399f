import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chat } from "../cluster/chat.js";
import { pidsOf, residentMiB } from "../cluster/processes.js";
import { RunningCluster } from "../cluster/start-cluster.js";
import { FuzzClient } from "./fuzz-client.js";
import { type FuzzRequest, fuzzRequests } from "./fuzz-request.js";
import { complaintAbout } from "./judge.js";
import { type OpenApiDocument, operationsOf } from "./operations.js";
import { type RawAttack, rawAttacks } from "./raw-attack.js";
import { sendRaw } from "./send-raw.js";

const REQUESTS = Number(process.env.RHONE_FUZZ_REQUESTS ?? 3000);
const SEED = Number(process.env.RHONE_FUZZ_SEED ?? Date.now() % 2 ** 31);
const AT_ONCE = 16;
const WARM_UP = 500;
const MOST_GROWTH_MIB = 300;
const MOST_TOLD = 20;

type Attempt = { readonly http: FuzzRequest } | { readonly raw: RawAttack };

/** How often each status was answered. */
const seen = new Map<string, number>();
const count = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1);

let cluster: RunningCluster;
beforeAll(async () => {
  cluster = await RunningCluster.start(["--workers", "2"]);
});
afterAll(async () => {
  await cluster?.stop();
});

/** Operations with a body are drawn four times as often as those without. */
async function attempts(): Promise<readonly Attempt[]> {
  const response = await fetch(`${cluster.url}/openapi.json`);
  const operations = operationsOf((await response.json()) as OpenApiDocument);
  const http = fc.oneof(
    ...operations.map((operation) => ({
      weight: operation.body === undefined ? 1 : 4,
      arbitrary: fuzzRequests(operation),
    })),
  );
  const any = fc.oneof(
    { weight: 4, arbitrary: http.map((made): Attempt => ({ http: made })) },
    { weight: 1, arbitrary: rawAttacks.map((made): Attempt => ({ raw: made })) },
  );
  return fc.sample(any, { numRuns: REQUESTS, seed: SEED });
}

/** Complaints about the answers to one attempt. */
async function complaintsAbout(attempt: Attempt, client: FuzzClient): Promise<readonly string[]> {
  if ("raw" in attempt) {
    const { responses, hung } = await sendRaw(cluster.url, attempt.raw);
    for (const { status } of responses) count(`raw ${status}`);
    const complaints = responses.map(({ status, headers, body }) => {
      return complaintAbout({
        status,
        body,
        contentType: headers.get("content-type") ?? "",
        cut: attempt.raw.label.startsWith("request line HEAD"),
      });
    });
    return [
      ...(hung ? ["no answer, and the socket stays open"] : []),
      ...complaints.filter((one) => one !== undefined),
    ];
  }
  const answer = await client.send(attempt.http);
  count(`${attempt.http.kind} ${answer?.status ?? "left"}`);
  const complaint = answer === undefined ? undefined : complaintAbout(answer, attempt.http.operation.answer);
  return complaint === undefined ? [] : [complaint];
}

/** A description of the attempt that a person can send again. */
function described(attempt: Attempt): string {
  if ("raw" in attempt) {
    const { label, parts, end } = attempt.raw;
    return `${label} (${parts.length} parts, ${end}): ${JSON.stringify(Buffer.concat(parts).toString("latin1").slice(0, 600))}`;
  }
  const { kind, operation, path, headers, body, leaves } = attempt.http;
  const sent = body?.toString("utf8") ?? "";
  return `${kind} ${operation.method} ${path} ${JSON.stringify(headers)} leaves ${leaves} ${body?.length} bytes: ${sent.slice(0, 1500)}`;
}

test(`${REQUESTS} fuzzed requests get an answer or a refusal, and leave nothing behind`, {
  timeout: 600_000,
}, async () => {
  process.stdout.write(`RHONE_FUZZ_SEED=${SEED}\n`);
  const client = new FuzzClient(cluster.url);
  const all = await attempts();
  const pids = pidsOf(cluster);
  const complaints: string[] = [];
  let [next, before] = [0, residentMiB(pids)];
  const work = async (): Promise<void> => {
    for (let index = next++; index < all.length; index = next++) {
      if (index === WARM_UP) before = residentMiB(pids);
      const attempt = all[index] as Attempt;
      const found = await complaintsAbout(attempt, client).catch((error: unknown) => [String(error)]);
      complaints.push(...found.map((complaint) => `#${index} ${complaint}\n  ${described(attempt)}`));
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  client.close();
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  process.stdout.write(`${seconds} s; ${JSON.stringify(Object.fromEntries([...seen].sort()))}\n`);
  complaints.push(...loggedErrors());
  expect(complaints.length, complaints.slice(0, MOST_TOLD).join("\n\n")).toBe(0);

  await cancelBatches();
  await expect
    .poll(leftovers, { timeout: 30_000, interval: 1000 })
    .toEqual({ pages: 0, running: 0, waiting: 0, requests: 0, batches: 0, unfinished: 0 });
  expect(pidsOf(cluster)).toEqual(pids);
  // The threads of grammars and texts end 20 s after their last use.
  await expect.poll(() => grownProcesses(pids, before), { timeout: 60_000, interval: 1000 }).toEqual([]);
  process.stdout.write(`MiB before ${JSON.stringify(before)}, after ${JSON.stringify(residentMiB(pids))}\n`);
  const { text } = await chat(cluster, { messages: [{ role: "user", content: "What is the capital of France?" }] });
  expect(text).toBe("The capital of France is Paris.");
});

/** The processes that hold MOST_GROWTH_MIB more than before, with their memory. */
function grownProcesses(pids: ReturnType<typeof pidsOf>, before: ReturnType<typeof residentMiB>): readonly string[] {
  return Object.entries(residentMiB(pids))
    .filter(([name, resident]) => resident - (before[name] ?? 0) >= MOST_GROWTH_MIB)
    .map(([name, resident]) => `${name}: ${before[name]} MiB before, ${resident} after`);
}

async function cancelBatches(): Promise<void> {
  const { data } = (await (await fetch(`${cluster.url}/v1/batches?limit=100`)).json()) as { data: { id: string }[] };
  for (const { id } of data) await fetch(`${cluster.url}/v1/batches/${id}/cancel`, { method: "POST" });
}

async function leftovers() {
  const { pages, sequences } = await cluster.status();
  const metrics = await (await fetch(`${cluster.url}/metrics`)).text();
  // By model, or one for all of the gateway.
  const gauge = (name: string) => {
    const series = [...metrics.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, "gm"))];
    return series.length === 0 ? Number.NaN : series.reduce((sum, [, value]) => sum + Number(value), 0);
  };
  const files = readdirSync(join(cluster.dataDir, "storage", "files"));
  return {
    pages: pages.total - pages.free - pages.cached,
    running: sequences.running,
    waiting: sequences.waiting,
    requests: gauge("rhone_requests_running"),
    batches: gauge("rhone_batches_running"),
    unfinished: files.filter((name) => name.endsWith(".part")).length,
  };
}

/** Log lines of level error or fatal. */
function loggedErrors(): readonly string[] {
  const folder = join(cluster.dataDir, "logs");
  const lines = readdirSync(folder).flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n"));
  return lines.filter((line) => /"level":"(error|fatal)"/.test(line)).slice(0, MOST_TOLD);
}
