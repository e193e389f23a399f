import { RhoneError } from "@rhone/common/rhone-error";
import type { NativeBackend } from "../backend/backend.js";
import { native, type Pointer } from "../bindings/pointer.js";
import { GgmlType, rowSize, typeInfo } from "../elements/ggml-type.js";
import type { Kernels } from "../kernels/kernels.js";
import { describeDevice } from "../native/device.js";
import { MetadataArena } from "../tensors/metadata-arena.js";
import { arena, type Shape, Tensor } from "../tensors/tensor.js";

/**
 * Inputs take whole cache lines. ggml allocates in steps of 32 bytes, so one odd input would make every tensor behind
 * it straddle cache lines: matrix products into such memory took 1.6 times as long on an AMX processor.
 */
const CACHE_LINE = 64;

interface TypedShape {
  readonly type: GgmlType;
  readonly shape: Shape;
}

/** The memory behind a graph: descriptions of one step's tensors, their data, and what may be done with both now. */
export class GraphMemory {
  readonly context: Pointer;
  readonly #host: NativeBackend;
  readonly #arena: MetadataArena;
  /** Gives intermediate results their memory; grows to the largest graph so far. */
  readonly #allocator: Pointer;
  readonly #maxTensors: number;
  /** Arenas of the weights and caches that this step reads. */
  readonly #borrowed = new Set<MetadataArena>();
  /** Where the kernels keep the parameters of this graph's nodes; null where there are no kernels. */
  readonly kernelGraph: Pointer | null;
  #graph: Pointer;
  #tensors = 0;
  #phase: "building" | "allocated" | "computing" | "closed" = "building";

  constructor(host: NativeBackend, maxTensors: number) {
    const { engine } = host;
    // An odd input describes two tensors after one check.
    const bytes =
      MetadataArena.tensorBytes(engine, maxTensors + 1) + engine.ggml.graphOverheadCustom(maxTensors, false);
    this.#host = host;
    this.#arena = new MetadataArena(engine, "graph", bytes);
    this.#allocator = engine.alloc.gallocrNew(engine.backend.devBufferType(host.device));
    this.#maxTensors = maxTensors;
    this.context = this.#arena.context;
    this.kernelGraph = host.kernels === undefined ? null : openKernelGraph(host.kernels, maxTensors, host.team);
    this.#graph = engine.ggml.newGraphCustom(this.context, maxTensors, false);
  }

  /** Address of the ggml graph that is being built. */
  get graph(): Pointer {
    if (this.#phase !== "building") this.#checkBuilding();
    return this.#graph;
  }

  /** The operand's address, for an operation that is about to be described. */
  use(tensor: Tensor): Pointer {
    this.#checkBuilding();
    const owner = tensor[arena];
    if (owner !== this.#arena) this.#borrowed.add(owner);
    return tensor[native];
  }

  /** The tensor that an operation described. */
  own(pointer: Pointer): Tensor {
    this.#tensors += 1;
    return new Tensor(this.#arena, pointer);
  }

  /** A tensor that `describe` describes when somebody uses it. */
  later(describe: () => Tensor): Tensor {
    return new Tensor(this.#arena, () => describe()[native]);
  }

  input(type: GgmlType, shape: Shape): Tensor {
    this.#checkBuilding();
    const bytes = rowSize(type, shape[0]) * shape[1] * shape[2] * shape[3];
    if (bytes % CACHE_LINE === 0) return this.own(this.#leaf(type, shape));
    const words = (Math.ceil(bytes / CACHE_LINE) * CACHE_LINE) / 4;
    this.#tensors += 1;
    return this.viewAs(this.#leaf(GgmlType.I32, [words, 1, 1, 1]), { type, shape });
  }

  #leaf(type: GgmlType, shape: Shape): Pointer {
    const { ggml } = this.#host.engine;
    const tensor = ggml.newTensor4d(this.context, type, ...shape);
    ggml.setInput(tensor);
    return tensor;
  }

  /**
   * The first bytes of `x`, packed as `shape` of `type`. ggml makes a view of one block; its real extent is patched in.
   */
  viewAs(x: Pointer, { type, shape }: TypedShape, blockSize = 1): Tensor {
    const view = this.#host.engine.ggml.view1d(this.context, x, blockSize, 0);
    const row = rowSize(type, shape[0]);
    const plane = row * shape[1];
    const nb = [typeInfo(type).typeSize, row, plane, plane * shape[2]] as const;
    this.#arena.patch(view, { type, ne: shape, nb });
    return this.own(view);
  }

  /** Gives every tensor of the graph its memory. Throws OUT_OF_MEMORY with the bytes needed and the device's. */
  allocate(): void {
    const { alloc, backend } = this.#host.engine;
    if (!alloc.gallocrAllocGraph(this.#allocator, this.graph)) {
      const needed = new BigUint64Array(1);
      alloc.gallocrReserveNSize(this.#allocator, this.graph, null, null, needed);
      const { name, memoryTotal } = describeDevice(backend, this.#host.device);
      const message =
        `A step needs ${needed[0]} bytes for intermediate results, but device ${name} has ${memoryTotal} in all. ` +
        "Lower the tokens per step.";
      throw new RhoneError("OUT_OF_MEMORY", message);
    }
    this.#phase = "allocated";
  }

  /** The address of a tensor that has data. Throws GGML_FAILED, naming `action`, for one that was not allocated. */
  withData(tensor: Tensor, action: string): Pointer {
    this.#checkIdle(action);
    const pointer = tensor[native];
    if (tensor[arena].hasData(pointer)) return pointer;
    const message = `${action}: ${tensor} has no memory. Expand or output what needs it, then allocate the graph.`;
    throw new RhoneError("GGML_FAILED", message);
  }

  /** Locks the memory until `finish` is called. */
  beginCompute(): { readonly graph: Pointer; readonly finish: () => void } {
    this.#checkIdle("compute");
    if (this.#phase === "building")
      throw new RhoneError("GGML_FAILED", "A graph must be allocated before it is computed.");
    for (const owner of this.#borrowed) owner.checkOpen();
    this.#phase = "computing";
    return {
      graph: this.#graph,
      finish: () => {
        this.#phase = "allocated";
      },
    };
  }

  /** Forgets every tensor and starts an empty graph. */
  reset(): void {
    this.#checkIdle("reset");
    this.#arena.reset();
    if (this.kernelGraph !== null) this.#host.kernels?.[native].graphReset(this.kernelGraph);
    this.#graph = this.#host.engine.ggml.newGraphCustom(this.context, this.#maxTensors, false);
    this.#borrowed.clear();
    this.#tensors = 0;
    this.#phase = "building";
  }

  close(): void {
    if (this.#phase === "closed") return;
    this.#checkIdle("close");
    this.#phase = "closed";
    this.#host.engine.alloc.gallocrFree(this.#allocator);
    if (this.kernelGraph !== null) this.#host.kernels?.[native].graphFree(this.kernelGraph);
    this.#arena.close();
  }

  #checkBuilding(): void {
    if (this.#phase === "building" && this.#tensors < this.#maxTensors) return;
    this.#checkIdle("Building");
    const message =
      this.#phase === "building"
        ? `A step describes more than ${this.#maxTensors} tensors; open the graph with a greater maxTensors.`
        : "A graph can't grow once it is allocated; call reset() to start the next step.";
    throw new RhoneError("GGML_FAILED", message);
  }

  #checkIdle(action: string): void {
    this.#arena.checkOpen();
    if (this.#phase !== "computing") return;
    throw new RhoneError("GGML_FAILED", `${action} must wait: the graph is being computed.`);
  }
}

function openKernelGraph(kernels: Kernels, mostNodes: number, team: Pointer | null): Pointer {
  const graph = kernels[native].graphNew(mostNodes, team);
  if (graph === null) throw new RhoneError("OUT_OF_MEMORY", `There is no memory for a graph of ${mostNodes} nodes.`);
  return graph;
}
