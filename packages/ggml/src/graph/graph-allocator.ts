import { RhoneError } from "@rhone/common";
import type { NativeBackend } from "../backend/backend.js";
import type { Pointer } from "../bindings/pointer.js";
import { describeDevice } from "../native/device.js";

/** Memory for intermediate results. It grows to the greatest graph seen and is used again for the next. */
export class GraphAllocator {
  readonly #host: NativeBackend;
  readonly #allocator: Pointer;
  #open = true;

  constructor(host: NativeBackend) {
    this.#host = host;
    this.#allocator = host.native.alloc.gallocrNew(host.native.backend.devBufferType(host.device));
  }

  /** Throws OUT_OF_MEMORY, telling what was needed. */
  allocate(graph: Pointer): void {
    const { alloc } = this.#host.native;
    if (alloc.gallocrAllocGraph(this.#allocator, graph)) return;
    const needed = new BigUint64Array(1);
    alloc.gallocrReserveNSize(this.#allocator, graph, null, null, needed);
    const { name, memoryTotal } = describeDevice(this.#host.native.backend, this.#host.device);
    const message = `A step needs ${needed[0]} bytes for intermediate results; device ${name} has ${memoryTotal} in all. Lower the tokens per step.`;
    throw new RhoneError("OUT_OF_MEMORY", message);
  }

  get bytes(): number {
    return this.#open ? this.#host.native.alloc.gallocrGetBufferSize(this.#allocator, 0) : 0;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#host.native.alloc.gallocrFree(this.#allocator);
  }
}
