import { RhoneError } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { base64, CONTEXT, EngineBench, prompt, turn } from "../testing/engine-bench.js";
import { fakeJob } from "../testing/fake-job.js";
import { runAlone } from "../testing/next-token.js";
import { NOTHING_RECORDED } from "../token-log/recorded.js";

describe("Engine, request by request", () => {
  it("stops at an end token, whose text is not shown", async () => {
    const ids = prompt(5);
    const alone = runAlone(ids, 4, 0).tokens;
    const bench = new EngineBench({ endTokens: [alone[2] ?? 0] });
    bench.connect(2);
    const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: ids, ignoreEos: false }));
    await bench.drain();
    await done;
    expect(bench.tokens("a")).toEqual(alone.slice(0, 3));
    expect(bench.text("a")).toBe(`<${alone[0]}><${alone[1]}>`);
    const last = bench.log.of("a").at(-1);
    expect(last?.finish).toEqual({ reason: "stop", matched: alone[2] });
    expect(last?.usage).toEqual({ promptTokens: 5, completionTokens: 3, cachedTokens: 0 });
  });

  it("stops at a stop string that spans tokens, and shows the text before it", async () => {
    const ids = prompt(5);
    const alone = runAlone(ids, 4, 0).tokens;
    const stop = `${String(alone[1])}><${String(alone[2])[0]}`;
    const bench = new EngineBench({});
    bench.connect(1);
    const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: ids, stop: [stop] }));
    await bench.drain();
    await done;
    expect(bench.text("a")).toBe(`<${alone[0]}><`);
    expect(bench.log.of("a").at(-1)?.finish).toEqual({ reason: "stop", matched: stop });
  });

  it("lets neither end tokens nor stop strings end a text before minTokens", async () => {
    const ids = prompt(5);
    const alone = runAlone(ids, 8, 0).tokens;
    const bench = new EngineBench({ endTokens: [alone[1] ?? 0] });
    bench.connect(1);
    const stop = [`<${alone[2]}>`];
    const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: ids, ignoreEos: false, minTokens: 3, stop }));
    await bench.drain();
    await done;
    expect(bench.tokens("a")).toEqual(alone);
    expect(bench.log.of("a").at(-1)?.finish).toEqual({ reason: "length" });
  });

  it("continues from a token log", async () => {
    const ids = prompt(7);
    const alone = runAlone(ids, 8, 0).tokens;
    const bench = new EngineBench({});
    bench.connect(2);
    const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: ids }), {
      ...NOTHING_RECORDED,
      tokens: alone.slice(0, 3),
      ordinal: 3,
    });
    await bench.drain();
    await done;
    expect(bench.tokens("a")).toEqual(alone.slice(3));
    expect(bench.log.of("a")[0]?.ordinal).toBe(3);
    expect(bench.log.of("a").at(-1)?.usage?.completionTokens).toBe(8);
  });

  it("loses a request that another coordinator has taken, and goes on with the others", async () => {
    const bench = new EngineBench({});
    bench.connect(2);
    const [lost, kept] = ["a", "b"].map((requestId) => bench.engine.run(fakeJob({ requestId, promptIds: prompt(7) })));
    await turn();
    bench.engine.lose("a");
    bench.engine.lose("nobody's");
    await expect(lost).rejects.toMatchObject({ code: "EPOCH_CHANGED" });
    expect(["a", "b"].map((requestId) => bench.engine.isRunning(requestId))).toEqual([false, true]);
    await bench.drain();
    await kept;
    expect(bench.tokens("a")).toEqual([]);
    expect(bench.tokens("b")).toEqual(runAlone(prompt(7), 8, 0).tokens);
    expect(bench.engine.counts.running).toBe(0);
  });

  it("embeds a prompt that fills the context, and leaves its pages to others", async () => {
    const bench = new EngineBench({});
    bench.connect(3);
    const ids = prompt(CONTEXT);
    const embed = (requestId: string): Promise<void> =>
      bench.engine.run(fakeJob({ requestId, promptIds: ids, maxTokens: 0, pooling: "mean" }));
    const done = [embed("a"), bench.engine.run(fakeJob({ requestId: "b", promptIds: prompt(5), maxTokens: 20 }))];
    await bench.drain();
    done.push(bench.engine.run(fakeJob({ requestId: "d", promptIds: ids.slice(0, 40), maxTokens: 1 })));
    await bench.drain();
    done.push(embed("c"));
    await bench.drain();
    await Promise.all(done);
    for (const id of ["a", "c"]) {
      const [event, ...others] = bench.log.of(id);
      expect(others).toEqual([]);
      expect(event).toMatchObject({ tokens: [], text: "", finish: { reason: "length" } });
      expect(event?.usage).toEqual({ promptTokens: CONTEXT, completionTokens: 0, cachedTokens: 0 });
      expect(event?.embedding).toBe(base64(runAlone(ids, 0, 0).embedding));
    }
    expect(bench.log.of("d").at(-1)?.usage?.cachedTokens).toBe(39);
  });

  it("lacks what its cache has not, and learns how long answers are", async () => {
    const bench = new EngineBench({ maxSequences: 1 });
    bench.connect(1);
    expect(bench.engine.workload.answerTokens).toBe(100);
    const first = bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(30), maxTokens: 10 }));
    await bench.drain();
    await first;
    expect(bench.engine.workload.answerTokens).toBeCloseTo(90.9);
    const others = ["b", "c"].map((requestId) =>
      bench.engine.run(fakeJob({ requestId, promptIds: [...prompt(30), 1, 2, 3], maxTokens: 10 })),
    );
    await turn();
    // 7 pages of 4 are cached; the one that runs has no rows that it lacks.
    expect(["a", "b", "c", "d"].map((id) => bench.engine.lackingOf(id))).toEqual([null, null, 33 - 28, null]);
    await bench.drain();
    await Promise.all(others);
  });

  it("refuses a prompt that fills the context", async () => {
    const bench = new EngineBench({});
    await bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(CONTEXT) }));
    expect(bench.log.of("a").at(-1)?.finish).toMatchObject({ reason: "error", code: "CONTEXT_LENGTH_EXCEEDED" });
  });

  it("ends a sequence whose deadline passes while there is no pipeline", async () => {
    const bench = new EngineBench({});
    await bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(3), deadlineAtMs: Date.now() + 20 }));
    expect(bench.log.of("a").at(-1)?.finish).toMatchObject({ reason: "error", code: "DEADLINE_EXCEEDED" });
  });

  it("frees the pages of a cancelled sequence at once", async () => {
    const bench = new EngineBench({});
    bench.connect(3);
    const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(30) }));
    await turn();
    expect(bench.engine.counts.pages.free).toBeLessThan(bench.engine.counts.pages.total);
    bench.engine.cancel("a");
    const { total, free, cached } = bench.engine.counts.pages;
    expect(free + cached).toBe(total);
    await bench.drain();
    await done;
    expect(bench.pipe.openSequences).toBe(0);
  });

  it("fails a request with a named error, and no other", async () => {
    const bench = new EngineBench({});
    bench.connect(2);
    const jobs = ["a", "b"].map((requestId) => fakeJob({ requestId, promptIds: prompt(4), maxTokens: 4 }));
    const done = jobs.map((job) => bench.engine.run(job));
    await turn();
    for (const id of ["a", "unknown"]) bench.engine.fail(id, new RhoneError("LOGS_FULL", "too long"));
    await bench.drain();
    await Promise.all(done);
    expect(bench.log.of("a").at(-1)?.finish).toEqual({ reason: "error", code: "LOGS_FULL", message: "too long" });
    expect(bench.tokens("b")).toHaveLength(4);
  });

  it("hands back a request that has not begun, and runs it again; one that has begun stays", async () => {
    const bench = new EngineBench({ maxSequences: 1 });
    bench.connect(2);
    const waiting = fakeJob({ requestId: "b", promptIds: prompt(4), maxTokens: 4 });
    const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(3), maxTokens: 4 }));
    const refused = expect(bench.engine.run(waiting)).rejects.toThrow("go back");
    await turn();
    const reason = new Error("go back");
    expect(["a", "b", "b", "c"].map((id) => bench.engine.handBack(id, reason))).toEqual([false, true, false, false]);
    await refused;
    expect([bench.engine.counts.waiting, bench.log.of("b")]).toEqual([0, []]);
    const again = bench.engine.run(waiting);
    await bench.drain();
    await Promise.all([done, again]);
    expect(bench.tokens("b")).toEqual(runAlone(waiting.promptIds, 4, 0).tokens);
  });
});
