import { expect, it } from "vitest";
import { fakeMember } from "../testing/fake-member.js";
import { fakeModel } from "../testing/fake-model.js";
import { clusterStatus, type StatusSources } from "./cluster-status.js";

const tokens = { prompt: 9, cached: 1, generated: 5, drafted: 0, accepted: 0 };
const drafts = { rounds: 2, guessed: [2, 1], right: [1, 0] };

const sources: StatusSources = {
  coordinator: "c1",
  address: "127.0.0.1:7100",
  operations: () => "127.0.0.1:7101",
  startedAtMs: 1000,
  model: fakeModel().served,
  simulated: false,
  kvType: "f16",
  activationType: "f16",
  activationBytes: 8192,
  pageSize: 32,
  maxSequences: 64,
  pipeline: { state: "loading", reason: "2 workers are loading their layers", epochNumber: 3, detours: [0] },
  registry: { members: [fakeMember({ worker: "w0" }).member, fakeMember({ worker: "w1" }).member] },
  engine: {
    counts: {
      pages: { total: 8, free: 5, cached: 1 },
      running: 2,
      waiting: 3,
      evictions: 4,
      tokens,
      drafts,
      hopMs: 0.4,
    },
    interrupted: { count: 1, oldestAtMs: 5 },
  },
};

it("puts the state of every part into one value, at the time of the call", () => {
  const before = Date.now();
  const status = clusterStatus(sources);
  expect(status.updatedAtMs).toBeGreaterThanOrEqual(before);
  expect(status).toMatchObject({
    coordinator: "c1",
    address: "127.0.0.1:7100",
    operations: "127.0.0.1:7101",
    state: "loading",
    reason: "2 workers are loading their layers",
    epoch: 3,
    model: { name: "fake", slidingWindow: null },
    pages: { size: 32, total: 8, free: 5, cached: 1 },
    sequences: { running: 2, waiting: 3, interrupted: 1, oldestInterruptedAtMs: 5, limit: 64 },
    tokens,
    drafts,
    evictions: 4,
    hopMs: 0.4,
  });
  expect(status.workers.map(({ worker }) => worker)).toEqual(["w0", "w1"]);
});

it("survives JSON, as which it travels", () => {
  const status = clusterStatus(sources);
  expect(JSON.parse(JSON.stringify(status))).toEqual(status);
});
