import { describe, expect, it } from "vitest";
import { fakeSequence } from "../testing/scheduling.js";
import { FairQueue, PrefillQueue, WaitingQueue } from "./queues.js";
import type { Sequence } from "./sequence.js";

const ofKey = (keyId: string): Sequence => fakeSequence({ keyId });
const ofLane = (lane: "interactive" | "batch"): Sequence => fakeSequence({ lane });
const fill = (queue: FairQueue, keyId: string, count: number): void => {
  for (let index = 0; index < count; index++) queue.add(ofKey(keyId));
};

/** A sequence that was admitted and evicted. */
function evicted(sequence: Sequence): Sequence {
  sequence.start(0);
  sequence.evict();
  return sequence;
}

/** Takes the head `turns` times, each charging its key 10 rows, and returns the keys. */
function serve(queue: FairQueue, turns: number): string {
  let keys = "";
  for (let turn = 0; turn < turns; turn++) {
    const head = queue.head();
    if (head === undefined) break;
    queue.remove(head);
    queue.takeTurn(head.job.keyId);
    queue.charge(head.job.keyId, 10);
    keys += head.job.keyId;
  }
  return keys;
}

describe("FairQueue", () => {
  it("serves first come, first served within one key", () => {
    const queue = new FairQueue();
    const sequences = [ofKey("a"), ofKey("a"), ofKey("a")];
    for (const sequence of [2, 0, 1].map((index) => sequences[index])) if (sequence) queue.add(sequence);
    expect([...queue].map(({ rank }) => rank)).toEqual(sequences.map(({ rank }) => rank));
  });

  it("takes turns between keys, however many requests one of them has", () => {
    const queue = new FairQueue();
    fill(queue, "a", 6);
    fill(queue, "b", 2);
    expect(serve(queue, 8)).toBe("ababaaaa");
  });

  it("lets nobody save up turns while it is away", () => {
    const queue = new FairQueue();
    fill(queue, "a", 12);
    expect(serve(queue, 6)).toBe("aaaaaa");
    fill(queue, "b", 3);
    expect(serve(queue, 6)).toBe("bababa");
  });

  it("serves evicted sequences first, in the order of their arrival", () => {
    const queue = new FairQueue();
    const [first, second] = [evicted(ofKey("a")), evicted(ofKey("a"))];
    for (const sequence of [ofKey("b"), second, first]) queue.add(sequence);
    expect(queue.head()).toBe(first);
    queue.remove(first);
    expect(queue.head()).toBe(second);
    queue.remove(second);
    expect(queue.size).toBe(1);
  });

  it("ignores sequences and keys that it does not hold", () => {
    const queue = new FairQueue();
    queue.remove(ofKey("a"));
    queue.charge("nobody", 10);
    expect([queue.size, queue.head()]).toEqual([0, undefined]);
  });

  it("forgets keys that wait for nothing once it knows more than 1024, and still serves them when they return", () => {
    const queue = new FairQueue();
    for (let key = 0; key <= 1024; key++) queue.add(ofKey(`key ${key}`));
    expect(serve(queue, 1025).split("key ")).toHaveLength(1026);
    fill(queue, "key 0", 1);
    expect(queue.head()?.job.keyId).toBe("key 0");
  });
});

describe("WaitingQueue", () => {
  it("serves interactive sequences before batch sequences", () => {
    const queue = new WaitingQueue();
    const [batch, interactive] = [ofLane("batch"), ofLane("interactive")];
    queue.add(batch);
    queue.add(interactive);
    expect([queue.head(), queue.size]).toEqual([interactive, 2]);
    queue.start(interactive, 10);
    expect([queue.head(), [...queue]]).toEqual([batch, [batch]]);
  });

  it("charges a key for prompt rows when it starts and for each token after", () => {
    const queue = new WaitingQueue();
    const [a, b] = [ofKey("a"), ofKey("b")];
    for (const sequence of [a, b, ofKey("a"), ofKey("b")]) queue.add(sequence);
    queue.start(a, 10);
    queue.start(b, 5);
    expect(queue.head()?.job.keyId).toBe("b"); // 5 rows against 10
    queue.charge(b, 6);
    expect(queue.head()?.job.keyId).toBe("a"); // 11 against 10
  });
});

describe("PrefillQueue", () => {
  it("keeps interactive before batch, each in order of admission", () => {
    const queue = new PrefillQueue();
    const [b1, b2, i1, i2] = [ofLane("batch"), ofLane("batch"), ofLane("interactive"), ofLane("interactive")];
    for (const sequence of [b1, i1, b2, i2]) queue.add(sequence);
    expect([...queue]).toEqual([i1, i2, b1, b2]);
    queue.remove(i1);
    expect([queue.first, queue.size]).toEqual([i2, 3]);
    queue.clear();
    expect([queue.first, queue.size]).toEqual([undefined, 0]);
  });

  it("can be changed while it is read", () => {
    const queue = new PrefillQueue();
    const sequences = [ofLane("batch"), ofLane("batch"), ofLane("batch")];
    for (const sequence of sequences) queue.add(sequence);
    const seen: Sequence[] = [];
    for (const sequence of queue) {
      queue.clear();
      seen.push(sequence);
    }
    expect(seen).toEqual(sequences);
  });

  it("sums an amount over its sequences", () => {
    const queue = new PrefillQueue();
    for (const promptLength of [3, 5]) queue.add(fakeSequence({ promptLength }));
    expect(queue.sum(({ prefillEnd }) => prefillEnd)).toBe(8);
  });
});
