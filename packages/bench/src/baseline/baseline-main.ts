import { toRhoneError } from "@rhone/common";
import { openEngine } from "@rhone/ggml";
import { ReferenceBatch } from "@rhone/ggml/reference";
import type { BaselineAnswer, BaselineStart } from "./baseline-process.js";
import { type BaselineRequest, measureBaseline } from "./measure-baseline.js";

// llama.cpp in a process of its own, so that it can be measured beside a cluster. It sleeps between requests.

const { modelPath, ggmlDir } = JSON.parse(process.argv[2] ?? "{}") as BaselineStart;
let batch: ReferenceBatch | undefined;

function answer(request: BaselineRequest): BaselineAnswer {
  try {
    batch ??= ReferenceBatch.open(openEngine(ggmlDir === undefined ? {} : { dir: ggmlDir }), modelPath);
    return { kind: "measured", figures: measureBaseline(batch, request) };
  } catch (error) {
    const { code, message } = toRhoneError(error);
    return { kind: "failed", code, message };
  }
}

process.on("message", (request: BaselineRequest) => void process.send?.(answer(request)));
