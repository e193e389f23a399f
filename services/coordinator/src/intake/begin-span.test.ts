import { NO_TRACING } from "@rhone/common";
import { expect, it } from "vitest";
import { memoryTracing, treeOf } from "../../../../packages/common/src/testing/memory-tracing.js";
import { fakeJob } from "../testing/fake-job.js";
import { beginSpan } from "./begin-span.js";

const job = fakeJob({ requestId: "chatcmpl-1-0", promptIds: [1], lane: "batch" });

it("a job's span is a part of its gateway's, beside its time in the queue", async () => {
  const { tracing, spans } = await memoryTracing();
  const gateway = tracing.begin("chat fake");
  const trace = gateway?.carrier ?? { traceparent: "" };
  const span = beginSpan(tracing, { ...job, trace }, { queuedAtMs: Date.now() - 2000, recorded: 3 });
  span?.end();
  gateway?.end();
  expect(treeOf(spans())).toEqual(["chat fake", "  queue", "  generate"]);
  const [queue, generate] = spans();
  expect(queue?.ms).toBeGreaterThanOrEqual(2000);
  expect(generate?.attributes).toMatchObject({
    "messaging.destination.name": "generate-batch/fake",
    "messaging.message.id": "chatcmpl-1-0",
    "rhone.recorded": 3,
  });
});

it("a job that its gateway does not trace is not traced", async () => {
  const { tracing, spans } = await memoryTracing();
  const times = { queuedAtMs: undefined, recorded: 0 };
  expect(beginSpan(tracing, job, times)).toBeNull();
  const trace = { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-00` };
  expect(beginSpan(tracing, { ...job, trace }, times)).toBeNull();
  expect(
    beginSpan(NO_TRACING, { ...job, trace: { traceparent: trace.traceparent.replace(/0$/, "1") } }, times),
  ).toBeNull();
  expect(spans()).toEqual([]);
});
