import { Backend, GgmlType, Graph, openEngine } from "@rhone/ggml";
import { afterAll, expect, test } from "vitest";
import { StepInputs } from "./step-inputs.js";

const backend = Backend.open(openEngine({}), { threads: 1 });
const graph = Graph.open(backend);
afterAll(() => {
  graph.close();
  backend.close();
});

test("fills what the computation needs, with the bytes as they are at that time, and leaves the rest", async () => {
  graph.reset();
  const inputs = new StepInputs(graph);
  const numbers = Float32Array.of(1, 2, 3);
  const a = inputs.add(GgmlType.F32, [3], numbers);
  inputs.add(GgmlType.F32, [3], Float32Array.of(7, 7, 7));
  const sum = graph.output(graph.add(a, a));
  graph.allocate();
  numbers[2] = 5;
  inputs.fill();
  await backend.compute(graph);
  expect([...graph.read(sum, new Float32Array(3))]).toEqual([2, 4, 10]);
});

test("data of another size than its input is refused", () => {
  graph.reset();
  const inputs = new StepInputs(graph);
  graph.output(graph.add(inputs.add(GgmlType.F32, [3], Float32Array.of(1, 2)), graph.input(GgmlType.F32, [3])));
  graph.allocate();
  expect(() => inputs.fill()).toThrow(/12 bytes; 8/);
});
