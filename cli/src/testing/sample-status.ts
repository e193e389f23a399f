import type { ClusterStatus, WorkerStatus } from "@rhone/common";

/** A worker of one thread whose layers take 10 ms each, and the head 15, for one row; twice that for four. */
export function workerStatus(
  name: string,
  layers: WorkerStatus["layers"],
  changes: Partial<WorkerStatus> = {},
): WorkerStatus {
  const curve = [
    { rows: 1, layerMs: 10, headMs: 15 },
    { rows: 4, layerMs: 20, headMs: 30 },
    { rows: 8, layerMs: 25, headMs: 45 },
  ];
  return {
    worker: name,
    address: "127.0.0.1:7001",
    hostname: "here",
    pid: 42,
    device: "CPU",
    threads: 1,
    memoryTotal: 8e9,
    resident: 150e6,
    layers,
    loadedBytes: 600e6,
    totalBytes: 600e6,
    pageBytes: 1e9,
    varies: "",
    stepTimes: { curve, alone: curve.slice(0, 1) },
    busy: 0,
    operations: "127.0.0.1:7101",
    ...changes,
  };
}

export function clusterStatus(workers: readonly WorkerStatus[]): ClusterStatus {
  return {
    coordinator: "c1",
    operations: "127.0.0.1:7100",
    startedAtMs: 0,
    updatedAtMs: 0,
    simulated: false,
    state: "ready",
    reason: null,
    epoch: 1,
    kvType: "f16",
    activationType: "f32",
    activationBytes: 16_384,
    model: {
      name: "m8",
      path: "/m8.gguf",
      fingerprint: "f",
      contextLength: 4096,
      slidingWindow: null,
      vocabSize: 512,
      nLayers: 8,
      parameters: 2e9,
      fileBytes: 1.2e9,
    },
    workers,
    pages: { size: 32, total: 100, free: 90, cached: 5 },
    sequences: { running: 0, waiting: 0, limit: 64 },
    tokens: { prompt: 0, generated: 0, cached: 0, drafted: 0, accepted: 0 },
  };
}
