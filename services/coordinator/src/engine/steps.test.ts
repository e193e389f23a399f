import { RhoneError } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { EngineBench, MAX_ROWS, prompt, turn } from "../testing/engine-bench.js";
import { fakeJob } from "../testing/fake-job.js";
import { runAlone } from "../testing/next-token.js";

describe("Engine, what its steps compute", () => {
  it("holds prompts back for streams that had begun before they came, and only for those", async () => {
    const stepMs = (rows: number): number => 10 + rows;
    const rowsOf = async (late: boolean): Promise<readonly number[]> => {
      const bench = new EngineBench({ stepMs });
      bench.connect(1);
      const ask = (requestId: string, length: number): Promise<void> =>
        bench.engine.run(fakeJob({ requestId, promptIds: prompt(length), maxTokens: 24, cachePrompt: false }));
      const done = [ask("warm", 3)]; // teaches what steps cost
      await bench.drain();
      done.push(ask("stream", 3));
      if (!late) done.push(ask("prompt", 40));
      await turn();
      for (let step = 0; step < 3; step++) {
        bench.pipe.advance(0);
        await turn();
      }
      if (late) done.push(ask("prompt", 40));
      await bench.drain();
      await Promise.all(done);
      return bench.pipe.sentRows;
    };
    const full = (rows: readonly number[]): number => rows.filter((count) => count === MAX_ROWS).length;
    // One row takes 11 ms, seven take 17 ms, which is less than 1.6 times as much, and eight take 18 ms.
    expect(full(await rowsOf(true))).toBe(0);
    expect(full(await rowsOf(false))).toBeGreaterThan(3);
  });

  it("sends no step more once it shall settle, until a new pipeline is there", async () => {
    const bench = new EngineBench({});
    bench.connect(2);
    const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(3), maxTokens: 9 }));
    await turn();
    let isSettled = false;
    const settled = bench.engine.settle().then(() => {
      isSettled = true;
    });
    await turn();
    expect([bench.pipe.busy.length > 0, isSettled]).toEqual([true, false]);
    while (bench.pipe.busy.length > 0) bench.pipe.advance(bench.pipe.busy[0] ?? 0);
    await settled;
    await turn();
    expect(bench.pipe.busy).toEqual([]);
    await bench.engine.settle(); // nothing is in flight
    bench.engine.detach(new RhoneError("EPOCH_CHANGED", "The layers are cut again."));
    await bench.engine.settle(); // there is no pipeline
    bench.connect(1);
    await bench.drain();
    await done;
    expect(bench.tokens("a")).toEqual(runAlone(prompt(3), 9, 0).tokens);
  });

  it("puts interactive sequences in the places of batch sequences, which lose no token", async () => {
    const bench = new EngineBench({ maxSequences: 2 });
    bench.connect(1);
    const order: string[] = [];
    const run = async (requestId: string, lane: "interactive" | "batch"): Promise<void> => {
      await bench.engine.run(fakeJob({ requestId, promptIds: prompt(6, requestId.length), maxTokens: 30, lane }));
      order.push(requestId);
    };
    const batch = [run("a", "batch"), run("b", "batch")];
    for (let step = 0; step < 12; step++) {
      await turn();
      bench.pipe.advance(0);
    }
    expect(bench.tokens("a").length).toBeGreaterThan(2);
    const interactive = [run("cc", "interactive"), run("dd", "interactive")];
    await bench.drain();
    await Promise.all([...batch, ...interactive]);
    expect(order.slice(0, 2).toSorted()).toEqual(["cc", "dd"]);
    expect(bench.engine.counts.evictions).toBe(2);
    for (const id of ["a", "b"]) expect(bench.tokens(id)).toEqual(runAlone(prompt(6, 1), 30, 0).tokens);
  });

  it("computes an interactive prompt before the batch prompts that came first", async () => {
    const bench = new EngineBench({ maxSequences: 8 });
    bench.connect(1);
    const order: string[] = [];
    const run = async (requestId: string, lane: "interactive" | "batch"): Promise<void> => {
      await bench.engine.run(fakeJob({ requestId, promptIds: prompt(40, requestId.length), maxTokens: 1, lane }));
      order.push(requestId);
    };
    const runs = ["a", "bb", "ccc", "dddd"].map((id) => run(id, "batch"));
    await turn();
    bench.pipe.advance(0);
    runs.push(run("urgent", "interactive"));
    await bench.drain();
    await Promise.all(runs);
    expect(order).toEqual(["urgent", "a", "bb", "ccc", "dddd"]);
  });

  it("sends several chunks of one prompt into the pipe at once", async () => {
    const bench = new EngineBench({});
    bench.connect(3);
    const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(40), maxTokens: 1 }));
    await turn();
    bench.pipe.advance(0);
    bench.pipe.advance(1);
    bench.pipe.advance(0);
    expect(bench.pipe.busy).toEqual([0, 1, 2]);
    await bench.drain();
    await done;
  });

  it("decides nothing while the token log is full", async () => {
    const bench = new EngineBench({});
    bench.log.full = true;
    bench.connect(1);
    const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(3) }));
    await turn();
    expect(bench.pipe.busy).toEqual([]);
    bench.log.full = false;
    bench.lose();
    bench.connect(1);
    await bench.drain();
    await done;
  });

  it("goes on as soon as the token log has written what filled it", async () => {
    const bench = new EngineBench({});
    bench.connect(1);
    const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(3) }));
    await turn();
    const append = bench.log.append.bind(bench.log);
    bench.log.append = (events) => {
      bench.log.full = false;
      return append(events);
    };
    bench.log.full = true;
    bench.pipe.advance(0);
    expect(bench.pipe.busy).toEqual([]);
    await bench.drain();
    await done;
    expect(bench.tokens("a")).toEqual(runAlone(prompt(3), 8, 0).tokens);
  });
});
