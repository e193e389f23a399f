import { RhoneError } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { collect, event } from "../testing/events.js";
import { mostInATurn } from "../testing/most-in-a-turn.js";
import { type Events, mergeEvents } from "./merge-events.js";

describe("mergeEvents", () => {
  it("begins no more sources than may run at a time, the next as soon as one ends", async () => {
    let [running, most] = [0, 0];
    const source = async function* (name: string) {
      most = Math.max(most, ++running);
      yield event({ requestId: name });
      await new Promise(setImmediate);
      running--;
    };
    const names = ["a", "b", "c", "d", "e"];
    const seen: string[] = [];
    for await (const { choice, event } of mergeEvents(names.map(source), 2)) seen.push(`${choice}${event.requestId}`);
    expect(seen.toSorted()).toEqual(["0a", "1b", "2c", "3d", "4e"]);
    expect(most).toBe(2);
  });

  it("runs all of them together when no limit is given", async () => {
    let release: () => void = () => {};
    const last = new Promise<void>((resolve) => {
      release = resolve;
    });
    const waits = async function* () {
      await last;
      yield event();
    };
    const releases = async function* () {
      release();
      yield event();
    };
    const seen: number[] = [];
    for await (const { choice } of mergeEvents([waits(), releases()])) seen.push(choice);
    expect(seen.toSorted()).toEqual([0, 1]);
  });

  it.each([1, 2])("closes all of %d sources when its reader stops", async (count) => {
    let closed = 0;
    const source = async function* () {
      try {
        yield event();
        yield event();
      } finally {
        closed++;
      }
    };
    for await (const _ of mergeEvents(Array.from({ length: count }, source))) break;
    await expect.poll(() => closed).toBe(count);
  });

  it("costs as much per event with 2,048 choices that wait as with one", async () => {
    async function* endless(): Events {
      for (let ordinal = 0; ; ordinal++) yield { requestId: "a", ordinal, tokens: [], text: "" };
    }
    async function* waiting(): Events {
      await new Promise(() => {});
    }
    const sources = [endless(), ...Array.from({ length: 2047 }, waiting)];
    let events = 0;
    const heapBefore = process.memoryUsage().heapUsed;
    for await (const _ of mergeEvents(sources)) if (++events === 10_000) break;
    // A reaction per choice and event would be 20 million objects, more than 1 GB.
    expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(200e6);
  });

  it("begins 2,048 sources in turns", async () => {
    let begun = 0;
    const most = await mostInATurn((work) => {
      const source = async function* () {
        work();
        begun++;
        yield event();
      };
      return collect(mergeEvents(Array.from({ length: 2048 }, source)));
    });
    expect(begun).toBe(2048);
    expect(most).toBeLessThan(64);
  });

  it("begins no further source once one has failed", async () => {
    let begun = 0;
    async function* failing(): Events {
      begun++;
      yield* [];
      throw new RhoneError("QUEUE_FULL", "full");
    }
    await expect(collect(mergeEvents(Array.from({ length: 2048 }, failing)))).rejects.toThrow("full");
    expect(begun).toBeLessThan(64);
  });

  it("yields nothing of no sources", async () => expect(await collect(mergeEvents([]))).toEqual([]));
});
