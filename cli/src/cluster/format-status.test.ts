import type { ClusterStatus, WorkerStatus } from "@rhone/common";
import { expect, test } from "vitest";
import { styleFor } from "../terminal/style.js";
import { formatStatus } from "./format-status.js";

const worker = (name: string, layers: WorkerStatus["layers"]): WorkerStatus => ({
  worker: name,
  address: "127.0.0.1:7001",
  operations: "127.0.0.1:7002",
  hostname: "here",
  pid: 42,
  device: "CPU",
  threads: 1,
  memoryTotal: 8e9,
  resident: 150e6,
  layers,
  loadedBytes: 1e6,
  totalBytes: 1e6,
  pageBytes: 0,
  stepTimes: null,
  busy: 0.5,
});

const STATUS: ClusterStatus = {
  coordinator: "c1",
  operations: "127.0.0.1:7101",
  startedAtMs: 0,
  updatedAtMs: 62_000,
  state: "ready",
  reason: null,
  simulated: false,
  epoch: 1,
  kvType: "f16",
  model: {
    name: "breeze",
    path: "/breeze.gguf",
    fingerprint: "f",
    contextLength: 4096,
    slidingWindow: 64,
    vocabSize: 512,
    nLayers: 32,
    parameters: 6_300_000,
    fileBytes: 6_800_000,
  },
  workers: [worker("b", [16, 32]), worker("c", null), worker("a", [0, 16])],
  pages: { size: 32, total: 100, free: 90, cached: 5 },
  sequences: { running: 2, waiting: 1, limit: 64 },
  tokens: { prompt: 10, cached: 0, generated: 200, drafted: 0, accepted: 0 },
};

test("a cluster as a page, its workers in the order of their layers", () => {
  const before = {
    ...STATUS,
    updatedAtMs: 60_000,
    tokens: { prompt: 10, cached: 0, generated: 150, drafted: 0, accepted: 0 },
  };
  expect(formatStatus(STATUS, before, styleFor({}, undefined))).toBe(`breeze  ready
model      6.3 M parameters, 32 layers, context 4096, sliding window 64
pages      90 of 100 free, 5 cached, 32 positions each, f16
sequences  2 running, 1 waiting, limit 64
tokens     10 prompt (0.0/s), 200 generated (25.0/s)
epoch      1, up 1m 2s

WORKER  LAYERS  DEVICE  THREADS  MEMORY   LIMIT  BUSY  ADDRESS         PID
a       0-15    CPU           1  150 MB  8.0 GB  50 %  127.0.0.1:7001   42
b       16-31   CPU           1  150 MB  8.0 GB  50 %  127.0.0.1:7001   42
c       spare   CPU           1  150 MB  8.0 GB  50 %  127.0.0.1:7001   42`);
});

test("a simulated cluster says so", () => {
  const [title] = formatStatus({ ...STATUS, simulated: true }, STATUS, styleFor({}, undefined)).split("\n");
  expect(title).toBe("breeze  ready  simulated: its tokens are meaningless");
});
