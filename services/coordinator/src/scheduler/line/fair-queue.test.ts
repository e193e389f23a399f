import { describe, expect, it } from "vitest";
import { fakeJob } from "../../testing/fake-job.js";
import { Sequence } from "../sequence.js";
import { FairLine } from "./fair-queue.js";

let arrivals = 0;
const sequenceOf = (keyId: string): Sequence =>
  new Sequence({
    job: fakeJob({ requestId: `${keyId}${arrivals}`, promptIds: [1], keyId }),
    generated: [],
    arrival: arrivals++,
    pageSize: 4,
  });

/** Takes the head `turns` times, each costing its key 10 rows, and returns the keys. */
function serve(line: FairLine, turns: number): string {
  let keys = "";
  for (let turn = 0; turn < turns; turn++) {
    const head = line.head();
    if (head === undefined) break;
    line.remove(head);
    line.started(head.job.keyId);
    line.charge(head.job.keyId, 10);
    keys += head.job.keyId;
  }
  return keys;
}

describe("FairLine", () => {
  it("serves first come first served within one key", () => {
    const line = new FairLine();
    const sequences = [sequenceOf("a"), sequenceOf("a"), sequenceOf("a")];
    for (const sequence of [2, 0, 1].map((index) => sequences[index])) if (sequence) line.add(sequence);
    expect([...line].map(({ rank }) => rank)).toEqual(sequences.map(({ rank }) => rank));
  });

  it("takes turns between keys, however many requests one of them has", () => {
    const line = new FairLine();
    for (let index = 0; index < 6; index++) line.add(sequenceOf("a"));
    for (let index = 0; index < 2; index++) line.add(sequenceOf("b"));
    expect(serve(line, 8)).toBe("ababaaaa");
  });

  it("lets nobody save up turns while it is away", () => {
    const line = new FairLine();
    for (let index = 0; index < 12; index++) line.add(sequenceOf("a"));
    expect(serve(line, 6)).toBe("aaaaaa");
    for (let index = 0; index < 3; index++) line.add(sequenceOf("b"));
    expect(serve(line, 6)).toBe("bababa");
  });

  it("takes up those that ran before first", () => {
    const line = new FairLine();
    const evicted = sequenceOf("a");
    line.add(sequenceOf("b"));
    evicted.started = true;
    line.add(evicted);
    expect(line.head()).toBe(evicted);
    line.remove(evicted);
    expect(line.size).toBe(1);
  });
});
