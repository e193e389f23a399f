import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { OtlpReceiver, type ReceivedSpan } from "../cluster/otlp-receiver.js";
import { RunningCluster } from "../cluster/start-cluster.js";

const STAGES = 3;
const WAIT = { timeout: 60_000, interval: 50 };

let receiver: OtlpReceiver;
let cluster: RunningCluster;
beforeAll(async () => {
  receiver = await OtlpReceiver.open();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_TRACES_SAMPLER_ARG: "1" };
  cluster = await RunningCluster.start(["--workers", String(STAGES), "--simulate", "null"], { env });
});
afterAll(async () => {
  await cluster?.stop();
  await receiver?.close();
});

const named = (spans: readonly ReceivedSpan[], name: string): ReceivedSpan | undefined =>
  spans.find((span) => span.name === name);

/** Each span as "service name", below the one above it. */
function treeOf(spans: readonly ReceivedSpan[], above: string, depth = 0): readonly string[] {
  return spans
    .filter(({ parentSpanId }) => parentSpanId === above)
    .flatMap(({ service, name, spanId }) => [
      `${"  ".repeat(depth)}${service.replace("rhone-", "")} ${name}`,
      ...treeOf(spans, spanId, depth + 1),
    ]);
}

/** The spans of a trace, once it has all these names. */
async function traceWith(traceId: string, ...names: readonly string[]): Promise<readonly ReceivedSpan[]> {
  await vi.waitFor(() => {
    const found = receiver.trace(traceId).map(({ name }) => name);
    expect(found).toEqual(expect.arrayContaining([...names]));
  }, WAIT);
  return receiver.trace(traceId);
}

test("a streamed request is one trace, from its caller over the queue and three stages", {
  timeout: 120_000,
}, async () => {
  const [traceId, caller] = ["4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"];
  const messages = [{ role: "user", content: "Say it." }];
  const answer = await fetch(`${cluster.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", traceparent: `00-${traceId}-${caller}-01` },
    body: JSON.stringify({ messages, stream: true, max_tokens: 20, ignore_eos: true }),
  });
  expect(await answer.text()).toContain("[DONE]");
  const spans = await traceWith(traceId, "POST /v1/chat/completions", "generate");
  expect(treeOf(spans, caller)).toEqual([
    "gateway POST /v1/chat/completions",
    ...["admit", "parse", "find model", "tokenize", "find room", "chat breeze"].map((part) => `  gateway ${part}`),
    ...["queue", "generate"].map((part) => `    coordinator ${part}`),
    ...["wait", "prefill", "decode"].map((part) => `      coordinator ${part}`),
  ]);
  const decode = named(spans, "decode");
  expect(decode?.attributes).toMatchObject({ "rhone.tokens": 19, "rhone.steps": 19, "rhone.rows": 19 });
  expect(decode?.attributes["rhone.stages.compute_s"]).toHaveLength(STAGES);
  expect(named(spans, "chat breeze")?.attributes).toMatchObject({
    "gen_ai.usage.output_tokens": 20,
    "gen_ai.response.finish_reasons": ["length"],
  });
  const [whole, chat, generate] = ["POST /v1/chat/completions", "chat breeze", "generate"].map((name) =>
    named(spans, name),
  );
  expect([whole?.kind, chat?.kind, generate?.kind]).toEqual([
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_CONSUMER",
  ]);
  const log = readFileSync(join(cluster.dataDir, "logs", "gateway.log"), "utf8");
  const line = log.split("\n").find((text) => text.includes(traceId) && text.includes('"msg":"request"'));
  expect(JSON.parse(line ?? "{}")).toMatchObject({ span_id: whole?.spanId, completionTokens: 20, outcome: "ok" });
});

test("a batch line is a trace of its own, linked to the request that made its batch", {
  timeout: 120_000,
}, async () => {
  const { id } = await cluster.ask<{ readonly id: string }>("/v1/batch/jobs", {
    endpoint: "/v1/completions",
    model: "breeze",
    requests: [{ body: { prompt: "Say it.", max_tokens: 5 } }],
  });
  const line = await vi.waitFor(() => {
    const found = receiver.spans.find(
      ({ name, attributes }) => name === "batch line" && attributes["rhone.batch"] === id,
    );
    if (found === undefined) throw new Error(`no span of ${id} came`);
    return found;
  }, WAIT);
  const spans = await traceWith(line.traceId, "generate");
  expect(treeOf(spans, "")).toEqual([
    "gateway batch line",
    ...["find model", "tokenize", "text_completion breeze"].map((part) => `  gateway ${part}`),
    ...["queue", "generate"].map((part) => `    coordinator ${part}`),
    ...["wait", "prefill", "decode"].map((part) => `      coordinator ${part}`),
  ]);
  const [link] = line.links;
  const made = named(await traceWith(link?.traceId ?? "", "POST /v1/batch/jobs"), "POST /v1/batch/jobs");
  expect(made).toMatchObject({ spanId: link?.spanId, attributes: { "rhone.batch": id } });
});
