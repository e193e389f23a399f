import { type GenerationJob, RhoneError } from "@rhone/common";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { MOST_LOSSES } from "../scheduler/scheduler.js";
import { CONSTRAINT, EngineBench, prompt, turn } from "../testing/engine-bench.js";
import { fakeJob } from "../testing/fake-job.js";
import { runAlone } from "../testing/next-token.js";
import { NOTHING_RECORDED } from "../token-log/recorded.js";

describe("Engine, when pipelines are lost", () => {
  it("ends a sequence that begins with six pipelines in a row that are lost", async () => {
    const bench = new EngineBench({});
    const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(3) }));
    for (let attempt = 0; attempt < MOST_LOSSES; attempt++) {
      expect(bench.log.of("a")).toEqual([]);
      bench.connect(1);
      await turn();
      bench.lose();
    }
    await done;
    expect(bench.log.of("a").at(-1)?.finish).toMatchObject({
      reason: "error",
      code: "REQUEST_BREAKS_PIPELINE",
      message: expect.stringContaining("Worker w was lost."),
    });
    bench.engine.close();
  });

  it("counts those that ran until each has a token again", async () => {
    const bench = new EngineBench({ maxSequences: 2 });
    const { engine } = bench;
    const fresh = ["a", "b", "c"].map((requestId, index) =>
      engine.run(fakeJob({ requestId, promptIds: prompt(3), arrivedAtMs: 5000 + index })),
    );
    const recorded = { ...NOTHING_RECORDED, tokens: [runAlone(prompt(3), 1, 0).tokens[0] ?? 0] };
    bench.connect(1);
    await turn();
    expect(engine.interrupted.count).toBe(0);
    bench.lose();
    expect(engine.interrupted).toEqual({ count: 2, oldestAtMs: 5000 }); // "c" had no place
    const continued = engine.run(fakeJob({ requestId: "d", promptIds: prompt(3), arrivedAtMs: 4000 }), recorded);
    expect(engine.interrupted).toEqual({ count: 3, oldestAtMs: 4000 });
    bench.connect(1);
    await turn();
    expect(engine.interrupted.count).toBe(3);
    await bench.drain();
    await Promise.all([...fresh, continued]);
    expect(engine.interrupted).toEqual({ count: 0, oldestAtMs: null });
    engine.close();
  });

  it("blames nobody for pipelines that were given up", async () => {
    const bench = new EngineBench({});
    const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(3), maxTokens: 5 }));
    for (let change = 0; change < 2 * MOST_LOSSES; change++) {
      bench.connect(1);
      await turn();
      bench.engine.detach(new RhoneError("EPOCH_CHANGED", "The layers are cut again."));
    }
    bench.connect(1);
    await bench.drain();
    await done;
    expect(bench.tokens("a")).toEqual(runAlone(prompt(3), 5, 0).tokens);
  });

  it("blames no sequence that the stages were not told of, or that has drawn since", async () => {
    const bench = new EngineBench({ maxSequences: 1 });
    const done = ["a", "b"].map((requestId) =>
      bench.engine.run(fakeJob({ requestId, promptIds: prompt(3), maxTokens: 20 })),
    );
    for (let attempt = 0; attempt < 12; attempt++) {
      bench.connect(1);
      await turn();
      if (attempt % 3 === 2) bench.pipe.advance(0); // "a" draws a token; "b" never has a place
      bench.lose();
    }
    bench.connect(1);
    await bench.drain();
    await Promise.all(done);
    for (const id of ["a", "b"]) expect(bench.tokens(id)).toEqual(runAlone(prompt(3), 20, 0).tokens);
  });

  it("blames a sequence whose grammar is being prepared, although no row of it is in flight", async () => {
    const bench = new EngineBench({});
    const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(3), constraint: CONSTRAINT }));
    for (let attempt = 0; attempt < MOST_LOSSES; attempt++) {
      bench.connect(1);
      await turn();
      while (bench.pipe.busy.length > 0) bench.pipe.advance(0);
      bench.lose();
    }
    await done;
    expect(bench.log.of("a").at(-1)?.finish).toMatchObject({ code: "REQUEST_BREAKS_PIPELINE" });
    bench.engine.close();
  });

  it("ends the one sequence that loses every pipeline it begins in, and none of the others", async () => {
    const property = fc.asyncProperty(
      fc.record({
        lengths: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 }),
        culprit: fc.nat(9),
        stages: fc.integer({ min: 1, max: 4 }),
        losses: fc.array(fc.nat(120), { maxLength: 2 }),
        choices: fc.infiniteStream(fc.nat(1000)),
      }),
      async ({ lengths, culprit, stages, losses, choices }) => {
        const bench = new EngineBench({ extraPages: 40 });
        bench.connect(stages);
        const all = lengths.map((length, index) => {
          const job = fakeJob({ requestId: `r${index}`, promptIds: prompt(length, index), maxTokens: 12 });
          const seed = index === culprit % lengths.length ? 666 : 1;
          return { ...job, sampling: { ...job.sampling, seed } };
        });
        const pending = all.map((job) => bench.engine.run(job));
        const [bad] = all.filter(({ sampling }) => sampling.seed === 666);
        let deaths = 0;
        for (let tick = 0; bench.engine.counts.running + bench.engine.counts.waiting > 0; tick++) {
          const { busy } = bench.pipe;
          const stage = busy[(choices.next().value ?? 0) % Math.max(1, busy.length)] ?? 0;
          const kills = bench.pipe.next(stage)?.opens?.some(({ sampling }) => sampling?.seed === 666) ?? false;
          if (kills) deaths++;
          if (kills || losses.includes(tick)) {
            bench.lose();
            bench.connect(stages);
          } else bench.pipe.advance(stage);
          if (tick % 3 === 0) await turn();
        }
        await bench.drain();
        await Promise.all(pending);
        expect(deaths).toBeLessThanOrEqual(MOST_LOSSES);
        for (const job of all) {
          const finish = bench.log.of(job.requestId).at(-1)?.finish;
          if (job === bad) expect(finish).toMatchObject({ reason: "error", code: "REQUEST_BREAKS_PIPELINE" });
          else expect(bench.tokens(job.requestId)).toEqual(runAlone(job.promptIds, 12, 0).tokens);
        }
      },
    );
    await fc.assert(property, { numRuns: 100 });
  }, 30_000);

  it.each([1, 4, 8])(
    "ends none of %i streams when 80 pipelines are lost for reasons of their own",
    async (streams) => {
      let state = streams;
      const random = (): number => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 32;
      };
      const bench = new EngineBench({ extraPages: 40 });
      bench.connect(3);
      const job = (index: number): GenerationJob =>
        fakeJob({ requestId: `r${index}`, promptIds: prompt(3 + 2 * (index % 8), index), maxTokens: 40 });
      let started = 0;
      const pending: Promise<void>[] = [];
      for (let loss = 0; loss < 80; loss++) {
        while (bench.engine.counts.running + bench.engine.counts.waiting < streams) {
          pending.push(bench.engine.run(job(started++)));
        }
        // A stream alone needs about 12 turns of a stage for its next token: one loss in ten comes before that.
        for (let ticks = Math.floor(random() * 240); ticks > 0; ticks--) {
          const { busy } = bench.pipe;
          bench.pipe.advance(busy[Math.floor(random() * busy.length)] ?? 0);
          await turn();
        }
        bench.lose();
        bench.connect(3);
      }
      await bench.drain();
      await Promise.all(pending);
      for (let index = 0; index < started; index++) expect(bench.tokens(`r${index}`)).toHaveLength(40);
    },
    30_000,
  );

  describe("without a pipeline", () => {
    beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
    afterEach(() => void vi.useRealTimers());

    it("ends every sequence when no pipeline has come within 60 s", async () => {
      const bench = new EngineBench({});
      bench.connect(2);
      const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(3) }));
      bench.lose();
      vi.advanceTimersByTime(59_999);
      expect(bench.log.of("a")).toEqual([]);
      vi.advanceTimersByTime(1);
      await done;
      expect(bench.log.of("a").at(-1)?.finish).toMatchObject({
        reason: "error",
        code: "WORKER_LOST",
        message: "The pipeline was lost and did not come back within 60 s. Why it was lost: Worker w was lost.",
      });
    });

    it("ends none when one has come", async () => {
      const bench = new EngineBench({});
      bench.connect(2);
      const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(3) }));
      bench.lose();
      vi.advanceTimersByTime(59_999);
      bench.connect(2);
      vi.advanceTimersByTime(60_000);
      await bench.drain();
      await done;
      expect(bench.tokens("a")).toEqual(runAlone(prompt(3), 8, 0).tokens);
    });
  });

  it("resumes a sequence that was evicted with rows in flight when the pipeline was lost", async () => {
    const bench = new EngineBench({ extraPages: 0 });
    bench.connect(5);
    const ids = prompt(12);
    const evicted = bench.engine.run(fakeJob({ requestId: "a", promptIds: ids, maxTokens: 40, lane: "batch" }));
    const other = bench.engine.run(fakeJob({ requestId: "b", promptIds: prompt(12, 2), maxTokens: 40 }));
    await turn();
    while (bench.engine.counts.evictions === 0) {
      bench.pipe.advance(bench.pipe.busy.at(-1) ?? 0);
      await turn();
    }
    bench.lose();
    bench.connect(2);
    await bench.drain();
    await Promise.all([evicted, other]);
    expect(bench.tokens("a")).toEqual(runAlone(ids, 40, 0).tokens);
  });
});
