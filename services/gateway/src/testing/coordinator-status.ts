import type { ClusterStatus } from "@rhone/common";

/** What a coordinator of the model "tiny" publishes. */
export const status = (coordinator: string, changes: Partial<ClusterStatus> = {}): ClusterStatus => ({
  coordinator,
  operations: "127.0.0.1:1",
  updatedAtMs: 1,
  startedAtMs: 1,
  state: "ready",
  reason: null,
  model: {
    name: "tiny",
    path: "/tiny.gguf",
    fingerprint: "abc",
    contextLength: 64,
    slidingWindow: null,
    vocabSize: 256,
    nLayers: 2,
    parameters: 1000,
    fileBytes: 1000,
  },
  simulated: false,
  epoch: 1,
  kvType: "f16",
  workers: [],
  pages: { size: 32, total: 1, free: 1, cached: 0 },
  sequences: { running: 0, waiting: 0, limit: 1 },
  tokens: { prompt: 0, cached: 0, generated: 0, drafted: 0, accepted: 0 },
  ...changes,
});
