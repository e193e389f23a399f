import { RhoneError } from "@rhone/common";
import { expect, it } from "vitest";
import { type EndedSpan, memoryTracing, treeOf } from "../../../../packages/common/src/testing/memory-tracing.js";
import { EngineBench, prompt, turn } from "../testing/engine-bench.js";
import { fakeJob } from "../testing/fake-job.js";
import { NOTHING_RECORDED } from "../token-log/recorded.js";

/** An engine, and a way to run a traced job on it. */
async function setUp(options: ConstructorParameters<typeof EngineBench>[0] = {}) {
  const { tracing, spans } = await memoryTracing();
  const bench = new EngineBench({ stepMs: () => 10, ...options });
  const run = (requestId: string, length: number, maxTokens: number) => {
    const job = fakeJob({ requestId, promptIds: prompt(length), maxTokens });
    return bench.engine.run(job, NOTHING_RECORDED, tracing.begin(requestId));
  };
  return { bench, run, spans };
}

const only = (spans: readonly EndedSpan[], name: string): EndedSpan => {
  const found = spans.filter((span) => span.name === name);
  expect(found).toHaveLength(1);
  return found[0] as EndedSpan;
};

it("a sequence waits, is prefilled and decodes; steps, rows, tokens and the stages' times are counted", async () => {
  const { bench, run, spans } = await setUp();
  const done = run("a", 20, 5);
  bench.connect(3);
  await bench.drain();
  await done;
  expect(treeOf(spans())).toEqual(["a", "  wait", "  prefill", "  decode"]);
  expect(only(spans(), "a").attributes).toEqual({ "rhone.finish_reason": "length" });
  // Three steps with 8 rows at most, and one for each further token.
  const prefill = { "rhone.cached_positions": 0, "rhone.steps": 3, "rhone.rows": 20, "rhone.tokens": 1 };
  expect(only(spans(), "prefill").attributes).toMatchObject(prefill);
  const decode = only(spans(), "decode").attributes;
  expect(decode).toMatchObject({ "rhone.steps": 4, "rhone.rows": 4, "rhone.tokens": 4 });
  expect(decode["rhone.stages.compute_s"]).toEqual([0.04, 0.04, 0.04]);
});

it("a lost pipeline and an eviction are events, after which the sequence waits and is prefilled again", async () => {
  const { bench, run, spans } = await setUp();
  bench.connect(1);
  const done = run("a", 3, 5);
  await turn();
  bench.pipe.advance(0);
  bench.lose();
  bench.connect(2);
  await bench.drain();
  await done;
  const { events } = only(spans(), "a");
  expect(events).toEqual([
    { name: "pipeline lost", attributes: { "error.type": "WORKER_LOST", "rhone.generated": 1 } },
  ]);
  expect(treeOf(spans())).toEqual([
    ...["a", "  wait", "  prefill", "  decode"], // with the first pipeline
    ...["  wait", "  prefill", "  decode"],
  ]);

  const crowded = await setUp({ extraPages: 0 });
  crowded.bench.connect(1);
  const all = ["b", "c"].map((id) => crowded.run(id, 20, 30));
  await crowded.bench.drain();
  await Promise.all(all);
  expect(crowded.bench.engine.counts.evictions).toBeGreaterThan(0);
  const evicted = crowded.spans().flatMap((span) => span.events.filter(({ name }) => name === "evicted"));
  expect(evicted).toHaveLength(crowded.bench.engine.counts.evictions);
});

it("a failure is the span's, and what another coordinator goes on with is not one", async () => {
  const { bench, run, spans } = await setUp();
  const [failed, left] = [run("failed", 3, 5), run("left", 3, 5)];
  bench.engine.fail("failed", new RhoneError("LOGS_FULL", "Too many answers."));
  await failed;
  bench.engine.close();
  await expect(left).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
  expect(only(spans(), "failed")).toMatchObject({ hasFailed: true, attributes: { "error.type": "LOGS_FULL" } });
  expect(only(spans(), "left")).toMatchObject({
    hasFailed: false,
    events: [{ name: "left to another coordinator", attributes: { "error.type": "SHUTTING_DOWN" } }],
  });
});
