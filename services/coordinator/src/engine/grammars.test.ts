import { type GenerationJob, RhoneError } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { CONSTRAINT, EngineBench, prompt, sum, turn } from "../testing/engine-bench.js";
import { fakeJob } from "../testing/fake-job.js";
import { runAlone } from "../testing/next-token.js";

describe("Engine, with grammars", () => {
  it("computes a constrained prompt up to the row that draws, which waits for the grammar alone", async () => {
    const bench = new EngineBench({});
    bench.connect(2);
    const ask = (requestId: string, length: number, constraint: GenerationJob["constraint"]): Promise<void> =>
      bench.engine.run(fakeJob({ requestId, promptIds: prompt(length), maxTokens: 4, constraint, cachePrompt: false }));
    const done = [ask("long", 11, CONSTRAINT), ask("one", 1, CONSTRAINT), ask("free", 5, null)];
    const settle = async (): Promise<void> => {
      for (let round = 0; round < 20; round++) {
        await turn();
        for (const stage of bench.pipe.busy) bench.pipe.advance(stage);
      }
    };
    await settle();
    await done[2];
    expect(sum(bench.pipe.sentRows)).toBe(10 + 5 + 3);
    expect([bench.tokens("long"), bench.tokens("one"), bench.pipe.preparing.length]).toEqual([[], [], 2]);
    const [first = 0, second = 0] = bench.pipe.preparing;
    bench.prepare(second);
    await settle();
    await done[1];
    expect(bench.tokens("one")).toEqual(runAlone(prompt(1), 4, 0).tokens);
    bench.prepare(second); // it has ended and is nobody's
    bench.prepare(first);
    await settle();
    await done[0];
    expect(bench.tokens("long")).toEqual(runAlone(prompt(11), 4, 0).tokens);
  });

  it("ends a sequence whose grammar is refused, by name, and no other", async () => {
    const bench = new EngineBench({});
    bench.connect(1);
    const refused = bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(9), constraint: CONSTRAINT }));
    const other = bench.engine.run(fakeJob({ requestId: "b", promptIds: prompt(9) }));
    await turn();
    bench.pipe.advance(0);
    bench.prepare(bench.pipe.preparing[0] ?? 0, new RhoneError("INVALID_REQUEST", "no grammar"));
    await bench.drain();
    await Promise.all([refused, other]);
    const finish = { reason: "error", code: "INVALID_REQUEST", message: "no grammar" };
    expect(bench.log.of("a").map((event) => event.finish)).toEqual([finish]);
    expect(bench.tokens("b")).toEqual(runAlone(prompt(9), 8, 0).tokens);
    expect(bench.pipe.openSequences).toBe(0);
  });
});
