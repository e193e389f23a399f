import { describe, expect, it } from "vitest";
import { type ClusterStatus, checkClusterStatus, parseClusterStatus } from "./cluster-status.js";

const status: ClusterStatus = {
  coordinator: "c1",
  operations: "127.0.0.1:7101",
  updatedAtMs: 1_700_000_001_000,
  startedAtMs: 1_700_000_000_000,
  state: "ready",
  reason: null,
  model: {
    name: "breeze",
    path: "/models/breeze.gguf",
    fingerprint: "ab",
    contextLength: 4096,
    slidingWindow: 64,
    vocabSize: 32_000,
    nLayers: 8,
    parameters: 6_300_000,
    fileBytes: 7_000_000,
  },
  simulated: false,
  epoch: 3,
  kvType: "f16",
  workers: [
    {
      worker: "w1",
      address: "127.0.0.1:7201",
      operations: "127.0.0.1:7301",
      hostname: "here",
      pid: 1,
      device: "CPU",
      threads: 2,
      memoryTotal: 1e9,
      resident: 1e8,
      layers: [0, 8],
      loadedBytes: 7e6,
      totalBytes: 7e6,
      pageBytes: 1e6,
      stepTimes: { curve: [{ rows: 1, layerMs: 0.5, headMs: 1 }], alone: [] },
      busy: 0.25,
    },
  ],
  pages: { size: 32, total: 100, free: 60, cached: 20 },
  sequences: { running: 2, waiting: 0, limit: 64 },
  tokens: { prompt: 10, cached: 4, generated: 20, drafted: 0, accepted: 0 },
};

const parse = (changes: object) => parseClusterStatus(JSON.stringify({ ...status, ...changes }));

describe("parseClusterStatus", () => {
  it("reads back what was published", () => expect(parseClusterStatus(JSON.stringify(status))).toEqual(status));

  it("reads a cluster that waits for its workers", () => {
    const spare = { ...status.workers[0], layers: null, stepTimes: null };
    const waiting = { state: "waiting_for_workers", reason: "1 of 2 workers has joined", workers: [spare] };
    expect(parse(waiting)).toEqual({ ...status, ...waiting });
  });

  it("leaves out fields that a later version adds", () => expect(parse({ region: "fr" })).toEqual(status));

  it.each([
    ["another version", { version: 2 }],
    ["an unknown state", { state: "hibernating" }],
    ["a missing field", { tokens: undefined }],
    ["half a range of layers", { workers: [{ ...status.workers[0], layers: [0] }] }],
    ["an unknown K/V type", { kvType: "q2_k" }],
  ])("is null for %s", (_, changes) => expect(parse(changes)).toBeNull());
});

describe("checkClusterStatus", () => {
  it("returns a status that it knows", () => expect(checkClusterStatus(status, "c")).toEqual(status));

  it.each<[unknown, RegExp]>([
    [{ ...status, version: 2 }, /\(version is 2; it must be 1\)/],
    [{ ...status, tokens: undefined }, /\(tokens is missing\)/],
    [null, /\(the status is null; it must be an object\)/],
  ])("names the sender and what it can't read: %#", (sent, problem) => {
    const refusal = { code: "RECORD_UNREADABLE", message: expect.stringMatching(problem) };
    expect(() => checkClusterStatus(sent, "The coordinator at a:1")).toThrow(expect.objectContaining(refusal));
    expect(() => checkClusterStatus(sent, "The coordinator at a:1")).toThrow(/^The coordinator at a:1 sent a status/);
  });
});
