import { afterEach, describe, expect, it } from "vitest";
import { RhoneError } from "../errors/rhone-error.js";
import { memoryTracing, treeOf } from "../testing/memory-tracing.js";
import { NO_TRACING, type Tracing, timed } from "./tracing.js";

const PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
const sampled = { traceparent: `${PARENT}-01` };
const unsampled = { traceparent: `${PARENT}-00` };

let opened: Tracing = NO_TRACING;
async function memory(env: Readonly<Record<string, string>> = {}) {
  const traces = await memoryTracing(env);
  opened = traces.tracing;
  return traces;
}
afterEach(() => opened.close());

describe("which traces are made", () => {
  it.each([
    ["all, without settings", {}, undefined, true],
    ["none of no share", { OTEL_TRACES_SAMPLER_ARG: "0" }, undefined, false],
    ["a caller's, of no share", { OTEL_TRACES_SAMPLER_ARG: "0" }, sampled, true],
    ["none that a caller does not trace", {}, unsampled, false],
    ["a caller's that it does not trace, when asked for", { OTEL_TRACES_SAMPLER: "always_on" }, unsampled, true],
    [
      "by share alone, when asked for",
      { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" },
      sampled,
      false,
    ],
    ["none, when asked for", { OTEL_TRACES_SAMPLER: "always_off" }, sampled, false],
    ["one of its own behind a parent that is none", {}, { traceparent: "nonsense" }, true],
  ])("%s", async (_, env, parent, isTraced) => {
    const { tracing } = await memory(env);
    expect(tracing.begin("request", { parent }) !== null).toBe(isTraced);
  });

  it("a share of them", async () => {
    const { tracing } = await memory({ OTEL_TRACES_SAMPLER_ARG: "0.25" });
    const traced = Array.from({ length: 4000 }, () => tracing.begin("request")).filter((span) => span !== null);
    expect(traced.length / 4000).toBeGreaterThan(0.2);
    expect(traced.length / 4000).toBeLessThan(0.3);
  });
});

describe("a span", () => {
  it("is a part of its caller's trace, and other processes make parts of it", async () => {
    const { tracing, spans } = await memory();
    const above = tracing.begin("gateway", { parent: { ...sampled, tracestate: "a=1" } });
    expect(above?.carrier).toEqual({
      traceparent: `00-4bf92f3577b34da6a3ce929d0e0e4736-${above?.spanId}-01`,
      tracestate: "a=1",
    });
    const below = tracing.begin("coordinator", { parent: above?.carrier });
    below?.child("decode").end();
    below?.end();
    above?.end();
    expect(treeOf(spans())).toEqual(["gateway", "  coordinator", "    decode"]);
    expect(new Set(spans().map(({ traceId }) => traceId))).toEqual(new Set(["4bf92f3577b34da6a3ce929d0e0e4736"]));
  });

  it("keeps what it is told", async () => {
    const { tracing, spans } = await memory();
    const other = tracing.begin("batch");
    const span = tracing.begin("line", { links: [sampled], attributes: { a: 1 } });
    if (other !== null) span?.link(other.carrier);
    span?.set({ b: [1, 2] });
    span?.event("retry", { c: "x" });
    span?.end();
    expect(spans()).toMatchObject([
      {
        attributes: { a: 1, b: [1, 2] },
        events: [{ name: "retry", attributes: { c: "x" } }],
        links: ["00f067aa0ba902b7", other?.spanId],
        hasFailed: false,
      },
    ]);
  });

  it.each([
    [new RhoneError("WORKER_LOST", "Worker w was lost."), true],
    [new RhoneError("INVALID_REQUEST", "secret words"), false],
    [new RhoneError("CANCELLED", "The client left."), false],
  ])("has failed unless it is the client's own doing: $code", async (error, hasFailed) => {
    const { tracing, spans } = await memory();
    const span = tracing.begin("request");
    span?.fail(error);
    span?.end();
    expect(spans()).toMatchObject([{ attributes: { "error.type": error.code }, hasFailed }]);
    expect(JSON.stringify(spans())).not.toContain("secret");
  });

  it("may have begun before, but not later", async () => {
    const { tracing, spans } = await memory();
    for (const ms of [-5000, 5000]) tracing.begin("queue", { startedAtMs: Date.now() + ms })?.end();
    const [before, later] = spans().map(({ ms }) => ms);
    expect(before).toBeGreaterThanOrEqual(5000);
    expect(later).toBeLessThan(5000);
  });

  it("times work, also work that fails", async () => {
    const { tracing, spans } = await memory();
    const span = tracing.begin("request");
    expect(await timed(span, "tokenize", async () => 7)).toBe(7);
    const failing = timed(span, "admit", () => Promise.reject(new RhoneError("REDIS_UNAVAILABLE", "Redis is away.")));
    await expect(failing).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
    expect(spans()).toMatchObject([
      { name: "tokenize", hasFailed: false },
      { name: "admit", hasFailed: true },
    ]);
    expect(await timed(null, "tokenize", async () => 8)).toBe(8);
  });
});
