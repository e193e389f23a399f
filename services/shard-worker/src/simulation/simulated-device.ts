import type { Simulation } from "@rhone/common";
import { rowSize } from "@rhone/ggml";
import { readModelConfig } from "@rhone/model";
import type { Device, LoadedShard, LoadRequest } from "../shard/device.js";
import { findModelFile } from "../shard/find-model-file.js";
import { ggmlTypeOf } from "../stage/activations.js";
import { NullStage } from "./null-stage.js";

/** A device without arithmetic: its shards hold no weights and no pages, and their tokens follow `simulatedToken`. */
export function simulatedDevice(simulation: Simulation): Device {
  return {
    facts: { engine: "none", device: "simulated", simulated: true, gflops: 0, bandwidth: 0 },
    load: (request) => loadNothing(request, simulation),
  };
}

async function loadNothing({ load, modelsDir }: LoadRequest, simulation: Simulation): Promise<LoadedShard> {
  const file = await findModelFile(load.model ?? {}, modelsDir);
  const { dim, vocabSize } = readModelConfig(file, { slidingWindow: load.slidingWindow ?? 0 });
  const stage = new NullStage({
    vocabSize,
    embeds: load.embeds ?? false,
    heads: load.heads ?? false,
    stageMs: simulation.stageMs,
    rowBytes: (type) => simulation.rowBytes ?? rowSize(ggmlTypeOf(type), dim),
  });
  return { stage, weightBytes: 0, pageBytes: 0, measure: async () => [], close: () => {} };
}
