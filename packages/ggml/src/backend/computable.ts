import type { Pointer } from "../bindings/pointer.js";

/** How a backend takes a graph: the graph is locked until `finish` is called. */
export const beginCompute: unique symbol = Symbol("beginCompute");

export interface Computable {
  [beginCompute](): { readonly graph: Pointer; readonly finish: () => void };
}
