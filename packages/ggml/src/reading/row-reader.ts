import { setImmediate as nextTurn } from "node:timers/promises";
import { RhoneError } from "@rhone/common/rhone-error";
import type { Backend } from "../backend/backend.js";
import { GgmlType } from "../elements/ggml-type.js";
import { Graph } from "../graph/graph.js";
import { type RowReading, type RowRequest, readRow } from "../sampling/read-row.js";
import type { Tensor } from "../tensors/tensor.js";
import { packRequests, readingsBytes, unpackReadings } from "./row-records.js";

/** Computed logits, f32 [rows, nVocab] (ne [nVocab, rows]), an output of `graph`. */
export interface Logits {
  readonly graph: Graph;
  readonly tensor: Tensor;
}

/** How long rows are read at a stretch, so that nothing else waits longer for the event loop. */
const STRETCH_MS = 20;

/** Log-probabilities and tokens of rows of logits: by Rhone's kernels, in place, or in JavaScript to the same bits. */
export class RowReader {
  readonly #backend: Backend;
  /** Undefined where there are no kernels. */
  readonly #graph: Graph | undefined;

  constructor(backend: Backend) {
    this.#backend = backend;
    this.#graph = backend.kernels === undefined ? undefined : Graph.open(backend, { maxTensors: 8 });
  }

  /** One reading per request, in order. Throws GGML_FAILED, OUT_OF_MEMORY. */
  async read(logits: Logits, requests: readonly RowRequest[]): Promise<readonly RowReading[]> {
    if (requests.length === 0) return [];
    return this.#graph === undefined ? readInTurn(logits, requests) : this.#compute(this.#graph, logits, requests);
  }

  close(): void {
    this.#graph?.close();
  }

  async #compute(graph: Graph, { tensor: logits }: Logits, requests: readonly RowRequest[]) {
    const { kernels } = graph;
    if (kernels === undefined) throw new RhoneError("GGML_FAILED", "A graph without kernels can't read rows.");
    const records = packRequests(requests);
    const mostAlternatives = Math.max(...requests.map(({ alternatives = 0 }) => alternatives));
    graph.reset();
    const input = graph.input(GgmlType.I8, [records.byteLength]);
    const { threads } = this.#backend;
    const readings = graph.output(kernels.readRows({ logits, requests: input, mostAlternatives, threads }));
    graph.allocate();
    graph.setInput(input, records);
    await this.#backend.compute(graph);
    const bytes = graph.read(readings, new Uint8Array(readingsBytes(requests.length, mostAlternatives)));
    return unpackReadings(bytes, requests, { nVocab: logits.ne[0], mostAlternatives });
  }
}

async function readInTurn({ graph, tensor }: Logits, requests: readonly RowRequest[]): Promise<readonly RowReading[]> {
  const row = new Float32Array(tensor.ne[0]);
  const readings: RowReading[] = [];
  let since = performance.now();
  for (const request of requests) {
    if (performance.now() - since > STRETCH_MS) {
      await nextTurn();
      since = performance.now();
    }
    readings.push(readRow(graph.read(tensor, row, request.row * row.byteLength), request));
  }
  return readings;
}
