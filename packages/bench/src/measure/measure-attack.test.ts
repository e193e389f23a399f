import { afterEach, describe, expect, it } from "vitest";
import type { Attack } from "../attacks/attack.js";
import { FakeGateway } from "../testing/fake-gateway.js";
import type { Sighting } from "../watch/watch.js";
import { BenchTarget } from "./bench-target.js";
import { type AttackFigures, measureAttack } from "./measure-attack.js";

const { signal } = new AbortController();
let gateway: FakeGateway;
let target: BenchTarget;
afterEach(async () => {
  target.close();
  await gateway.close();
});

const { pid } = process;
const seen = (changes: Partial<Sighting> & { readonly mb?: number }): Sighting => {
  const { mb = 100, ...rest } = changes;
  const memory = { [pid]: { last: mb * 1e6, most: mb * 1e6 } };
  return { gapMs: 10, beginMs: 0, healthMs: 2, tokens: 9, broken: 0, memory, ...rest };
};

/** What the watcher sees: before it is asked, before the attack, during it, and then until it ends. */
async function measure(sightings: readonly Sighting[], attack: Partial<Attack> = {}): Promise<AttackFigures> {
  gateway = await FakeGateway.open();
  target = await BenchTarget.open(gateway.url, { signal });
  Object.assign(target, { processes: () => [{ pid, name: "gateway" }] });
  const left = [...sightings];
  const watcher = { take: async () => (left.length > 1 ? left.shift() : left[0]) as Sighting };
  const send: Attack["send"] = async (sender) => [await sender.send({ path: "/status" })];
  const asked = { name: "a", description: "b", send, ...attack };
  return measureAttack({ target, watcher }, asked, { usualMs: 1, patienceMs: 100, afterMs: 3000 });
}

describe("measureAttack", () => {
  it("compares the gap during and after the attack with the usual one", async () => {
    const figures = await measure([
      seen({ gapMs: 999 }),
      seen({ gapMs: 20 }),
      seen({ gapMs: 300, healthMs: 200, broken: 1 }),
      seen({ gapMs: 400, beginMs: 700 }),
    ]);
    expect(figures).toMatchObject({ attack: "a", usualGapMs: 20, gapMs: 400, beginMs: 700, healthMs: 200, broken: 1 });
    expect(figures).toMatchObject({ losses: 0, replies: { 200: 1 } });
  });

  it("waits until memory is back", async () => {
    const { memory } = await measure([seen({}), seen({}), seen({ mb: 900 }), seen({ mb: 500 }), seen({ mb: 119 })]);
    expect(memory).toEqual([{ name: "gateway", before: 100e6, most: 900e6, after: 119e6 }]);
  });

  it("reports a process that has ended with no memory", async () => {
    const gone = { ...seen({}), memory: {} };
    const { memory } = await measure([seen({}), seen({}), seen({ mb: 900 }), gone]);
    expect(memory).toMatchObject([{ most: 900e6, after: 0 }]);
  });

  it("hangs up when the patience is over, and says so", async () => {
    const send: Attack["send"] = async (sender) => {
      await new Promise((resolve) => sender.signal.addEventListener("abort", resolve));
      return [await sender.send({ path: "/status" })];
    };
    expect((await measure([seen({})], { send })).replies).toEqual({ "no answer gave up": 1 });
  });
});
