import { createLogger, RhoneError, type WorkerMessage } from "@rhone/common";
import { fileAtPath } from "@rhone/weights";
import { expect, test, vi } from "vitest";
import { deferred } from "../../../../packages/common/src/grpc/testing/deferred.js";
import type { HeldWeights, HoldRequest } from "./device.js";
import { SpareWeights } from "./spare-weights.js";

const model = { name: "m", path: "/m.gguf", fingerprint: "f", stamp: "s" };
const layers = (...firsts: number[]) => firsts.map((firstLayer) => ({ firstLayer, lastLayer: firstLayer + 2 }));

/** On a device that keeps account of the first layer of each part: which it has read, and which it holds. */
function scene(load: (request: HoldRequest) => Promise<void> = async () => {}) {
  const read: number[] = [];
  const held = new Set<number>();
  const hold = async (request: HoldRequest): Promise<HeldWeights> => {
    const { first } = request.order.range;
    await load(request);
    read.push(first);
    held.add(first);
    return { close: () => held.delete(first) };
  };
  const logger = createLogger({ service: "test", level: "silent" });
  const spares = new SpareWeights({ device: { hold }, files: fileAtPath, logger });
  const answers: WorkerMessage[] = [];
  const order = (id: number, ...firsts: number[]) =>
    spares.hold({ load: id, model, layers: layers(...firsts) }, (answer) => answers.push(answer));
  return { spares, read, held, answers, order };
}

test("an order reads what is not held yet, and frees what it does not name", async () => {
  const { read, held, answers, order } = scene();
  await order(1, 0, 2);
  await order(2, 2, 4);
  expect([read, [...held]]).toEqual([
    [0, 2, 4],
    [2, 4],
  ]);
  expect(answers).toEqual([1, 2].map((load) => ({ ready: { load, spare: true } })));
});

test("a later order overtakes one that is being read, which answers nothing and keeps nothing more", async () => {
  const begun = deferred<void>();
  const slow = deferred<void>();
  const { held, answers, order } = scene(async ({ order: { range } }) => {
    if (range.first !== 2) return;
    begun.resolve();
    await slow.promise;
  });
  const first = order(1, 0, 2);
  await begun.promise;
  await order(2, 0);
  slow.resolve();
  await first;
  expect([[...held], answers]).toEqual([[0], [{ ready: { load: 2, spare: true } }]]);
});

test("a part that can't be read is told; those before it stay", async () => {
  const { held, answers, order } = scene(async ({ order: { range } }) => {
    if (range.first === 2) throw new RhoneError("OUT_OF_MEMORY", "no room");
  });
  await order(1, 0, 2);
  expect([[...held], answers]).toEqual([[0], [{ failed: { load: 1, code: "OUT_OF_MEMORY", message: "no room" } }]]);
});

test("dropping them frees all and ends what is being read", async () => {
  const signals: AbortSignal[] = [];
  const { spares, held, answers, order } = scene(async ({ order: { range }, signal }) => {
    if (range.first === 0) return;
    signals.push(signal);
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  const ordered = order(1, 0, 2);
  await vi.waitFor(() => expect(signals).toHaveLength(1));
  spares.drop();
  await ordered;
  expect([[...held], answers]).toEqual([[], []]);
});
