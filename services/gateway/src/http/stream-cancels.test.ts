import { RhoneError } from "@rhone/common";
import { expect, it } from "vitest";
import type { StreamRecord } from "../answers/stream-records.js";
import { StreamCancels } from "./stream-cancels.js";

/** Streams of two jobs, each of owner "a" unless its id begins with another. Cancels wait for `go`. */
function fake() {
  const told = { loaded: [] as string[], cancelled: [] as string[] };
  let go: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  const cancels = new StreamCancels({
    streams: {
      head: async (id, { owner }) => {
        if (!id.startsWith(owner)) throw new RhoneError("NOT_FOUND", "other");
        return { version: 1, owner, choices: 2 };
      },
      load: async (id, { owner }) => {
        told.loaded.push(id);
        return { owner, jobs: [0, 1].map((at) => ({ requestId: `${id}-${at}` })) } as unknown as StreamRecord;
      },
    },
    client: {
      cancel: async ({ requestId }) => {
        told.cancelled.push(requestId);
        await gate;
      },
    },
  });
  return { cancels, told, go };
}

it("a hundred requests for one stream cancel each of its jobs once, and a later one again", async () => {
  const { cancels, told, go } = fake();
  const all = Array.from({ length: 100 }, () => cancels.cancel("a1", { owner: "a" }));
  await new Promise(setImmediate);
  go();
  await Promise.all(all);
  expect(told.loaded).toEqual(["a1"]);
  await cancels.cancel("a1", { owner: "a" });
  expect(told.cancelled).toEqual(["a1-0", "a1-1", "a1-0", "a1-1"]);
});

it("nobody shares in what another may do", async () => {
  const { cancels, told, go } = fake();
  const own = cancels.cancel("a1", { owner: "a" });
  await expect(cancels.cancel("a1", { owner: "b" })).rejects.toMatchObject({ code: "NOT_FOUND" });
  go();
  await own;
  expect(told.loaded).toEqual(["a1"]);
});

it("owners take turns", async () => {
  const { cancels, told, go } = fake();
  const attack = Array.from({ length: 40 }, (_, i) => cancels.cancel(`a${i}`, { owner: "a" }));
  const other = cancels.cancel("b1", { owner: "b" });
  await new Promise(setImmediate);
  expect(told.loaded).toHaveLength(16);
  go();
  await other;
  expect(told.loaded.indexOf("b1")).toBeLessThan(24);
  await Promise.all(attack);
});

it("more than 1,024 that wait are GATEWAY_BUSY for the owner of the most", async () => {
  const { cancels, go } = fake();
  const attack = Array.from({ length: 16 + 1025 }, (_, i) => cancels.cancel(`a${i}`, { owner: "a" }));
  const refused = Promise.allSettled(attack);
  const other = cancels.cancel("b1", { owner: "b" });
  go();
  await other;
  const reasons = (await refused).flatMap((one) => (one.status === "rejected" ? [one.reason.code] : []));
  expect(reasons).toEqual(["GATEWAY_BUSY", "GATEWAY_BUSY"]);
});
