import { expect, onTestFinished } from "vitest";
import { Backend } from "../backend/backend.js";
import { Graph } from "../graph/graph.js";
import { openEngine } from "../native/engine.js";
import type { Tensor } from "../tensors/tensor.js";
import { worstDifference } from "./series.js";

/** A graph for 512 tensors on a backend of two threads, both closed when the test ends. */
export function openTestGraph() {
  const backend = Backend.open(openEngine(), { threads: 2 });
  const graph = Graph.open(backend, { maxTensors: 512 });
  onTestFinished(() => {
    graph.close();
    backend.close();
  });
  /** The numbers of `result`, f32, with these inputs. */
  const run = async (result: Tensor, inputs: ReadonlyMap<Tensor, ArrayBufferView>): Promise<Float32Array> => {
    graph.output(result);
    graph.allocate();
    for (const [tensor, data] of inputs) graph.setInput(tensor, data);
    await backend.compute(graph);
    return graph.read(result, new Float32Array(result.ne.reduce((a, b) => a * b)));
  };
  return { backend, graph, run };
}

export const expectClose = (actual: Float32Array, expected: ArrayLike<number>, tolerance: number) =>
  expect(worstDifference(actual, expected)).toBeLessThan(tolerance);
