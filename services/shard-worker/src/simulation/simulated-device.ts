import type { Simulation } from "@rhone/common";
import { rowSize } from "@rhone/ggml";
import { readModelConfig } from "@rhone/model";
import type { Device, LoadedShard, LoadRequest } from "../shard/device.js";
import type { StepLimits } from "../wire/read-step.js";
import { NullStage } from "./null-stage.js";

/** A device without arithmetic: its shards hold no weights and no pages, and their tokens follow `simulatedToken`. */
export function simulatedDevice(simulation: Simulation): Device {
  return {
    facts: {
      engine: "none",
      device: "simulated",
      kernels: "none",
      simulated: true,
      gflops: 0,
      bandwidth: 0,
      rowBlock: 1,
    },
    memoryFree: null,
    weightBytes: 0,
    load: (request) => loadNothing(request, simulation),
    hold: async () => ({ close: () => {} }),
  };
}

async function loadNothing({ order, files, ...request }: LoadRequest, simulation: Simulation): Promise<LoadedShard> {
  const { model, range, pages, pageSize, slidingWindow, maxRows } = order;
  const { file, close } = await files.find(model, { wanted: () => [], ...request });
  close();
  const { dim, vocabSize } = readModelConfig(file, { slidingWindow });
  const limits: StepLimits = {
    embeds: range.embeds,
    vocabSize,
    pages,
    pageSize,
    slidingWindow,
    maxRows,
    rowBytes: (type) => simulation.rowBytes ?? rowSize(type, dim),
  };
  const stage = new NullStage({ limits, heads: range.heads, ...simulation });
  return { stage, weightBytes: 0, pageBytes: 0, given: null, varies: "", measure: async () => [], close: () => {} };
}
