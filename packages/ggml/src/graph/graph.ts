import { RhoneError } from "@rhone/common/rhone-error";
import type { Backend, Computable, ComputableGraph, NativeBackend } from "../backend/backend.js";
import { type GgmlBindings, PREC_F32, ROPE_TYPE } from "../bindings/ggml.js";
import { native, type Pointer } from "../bindings/pointer.js";
import { type GgmlType, rowSize, typeInfo } from "../elements/ggml-type.js";
import { arena, checkRange, type Ne, type Shape, shapeOf, type Tensor } from "../tensors/tensor.js";
import { GraphMemory } from "./graph-memory.js";
import { KernelOperations } from "./kernel-operations.js";
import type { AttentionOperands, RopeOptions, ViewLayout } from "./operation-options.js";

export interface GraphOptions {
  /** Most tensors that a step may describe, inputs and views included; 8192 when absent. Each takes about 400 bytes. */
  readonly maxTensors?: number;
}

/**
 * One step's computation, described operation by operation and used again for the next step:
 * `reset`, build, `output`, `allocate`, `setInput`, `backend.compute(graph)`, `read`.
 * Its memory is kept between steps, so that describing an operation takes well under a microsecond.
 * Shapes below are `ne`, innermost first. A shape that an operation can't take stops the process, with ggml's message.
 */
export class Graph implements Computable {
  /** Operations of Rhone's own kernels; undefined where the backend has none. */
  readonly kernels: KernelOperations | undefined;
  readonly #host: NativeBackend;
  readonly #ggml: GgmlBindings;
  readonly #memory: GraphMemory;
  readonly #context: Pointer;
  /** Whether ggml computes so much of this step that all threads should share it. */
  #needsGgml = false;

  private constructor(host: NativeBackend, maxTensors: number) {
    this.#host = host;
    this.#ggml = host.engine.ggml;
    this.#memory = new GraphMemory(host, maxTensors);
    this.#context = this.#memory.context;
    const nodes = this.#memory.kernelGraph;
    this.kernels =
      nodes === null || host.kernels === undefined
        ? undefined
        : new KernelOperations(host.kernels[native], this.#memory, nodes);
  }

  /** An empty graph, for `backend` to compute. */
  static open(backend: Backend, options: GraphOptions = {}): Graph {
    const host = backend[native];
    host.checkOpen();
    return new Graph(host, options.maxTensors ?? 8192);
  }

  /** Starts a new step; the last one's tensors are gone. Throws GGML_FAILED while it is being computed. */
  reset(): void {
    this.#memory.reset();
    this.#needsGgml = false;
  }

  /** Frees the memory. Throws GGML_FAILED while the graph is being computed. */
  close(): void {
    this.#memory.close();
  }

  // — Building —

  /** A tensor whose contents come from `setInput`, after `allocate`. */
  input(type: GgmlType, ne: Ne): Tensor {
    return this.#memory.input(type, shapeOf(ne));
  }

  /** Has `tensor` computed, and kept readable after the computation. */
  output(tensor: Tensor): Tensor {
    this.#ggml.setOutput(tensor[native]);
    return this.expand(tensor);
  }

  /** Has `tensor` computed after everything expanded before it: this is how a cache is written before it is read. */
  expand(tensor: Tensor): Tensor {
    this.#ggml.buildForwardExpand(this.#memory.graph, tensor[native]);
    return tensor;
  }

  /** A tensor that `describe` describes when an operation, `output` or a look at its shape first needs it. */
  later(describe: () => Tensor): Tensor {
    return this.#memory.later(describe);
  }

  /** a + b; b is repeated to a's shape. */
  add(a: Tensor, b: Tensor): Tensor {
    return this.#byGgml(this.#ggml.add(this.#context, this.#memory.use(a), this.#memory.use(b)));
  }

  /** a * b, element by element; b is repeated to a's shape. */
  mul(a: Tensor, b: Tensor): Tensor {
    return this.#byGgml(this.#ggml.mul(this.#context, this.#memory.use(a), this.#memory.use(b)));
  }

  /** weight [k, n] · x [k, m] -> f32 [n, m]: each row of the weight times each row of x. */
  mulMat(weight: Tensor, x: Tensor): Tensor {
    return this.#byGgml(this.#ggml.mulMat(this.#context, this.#memory.use(weight), this.#memory.use(x)));
  }

  /** x / sqrt(mean(x²) + eps) along ne0. */
  rmsNorm(x: Tensor, eps: number): Tensor {
    return this.#byGgml(this.#ggml.rmsNorm(this.#context, this.#memory.use(x), eps));
  }

  /** silu(gate) * up, element by element. */
  swigluSplit(gate: Tensor, up: Tensor): Tensor {
    return this.#byGgml(this.#ggml.swigluSplit(this.#context, this.#memory.use(gate), this.#memory.use(up)));
  }

  /** Rotary position embedding. x [headDim, nHeads, nTokens], positions i32 [nTokens] -> x's shape. */
  ropeExt(x: Tensor, positions: Tensor, options: RopeOptions): Tensor {
    const { mode, dims, freqBase, freqScale = 1, nCtxOrig = 0, freqFactors } = options;
    const factors = freqFactors === undefined ? null : this.#memory.use(freqFactors);
    const [a, b, type] = [this.#memory.use(x), this.#memory.use(positions), ROPE_TYPE[mode]];
    return this.#byGgml(
      this.#ggml.ropeExt(this.#context, a, b, factors, dims, type, nCtxOrig, freqBase, freqScale, 0, 1, 32, 1),
    );
  }

  /**
   * Attention, accumulated in f32. q f32 [headDim, nTokens, nHeads], k and v [headDim, nKv, nKvHeads]
   * -> f32 [headDim, nHeads, nTokens]: heads and tokens change places.
   */
  flashAttnExt({ q, k, v, mask, scale }: AttentionOperands): Tensor {
    const visible = mask === undefined ? null : this.#memory.use(mask);
    const [a, b, c] = [this.#memory.use(q), this.#memory.use(k), this.#memory.use(v)];
    const result = this.#ggml.flashAttnExt(this.#context, a, b, c, visible, scale, 0, 0);
    this.#ggml.flashAttnExtSetPrec(result, PREC_F32);
    return this.#byGgml(result);
  }

  /**
   * Writes the rows of source (f32 [n, m]) over rows `rows` (i64 or i32 [m]) of cache [n, …], converting them.
   * The result is the written cache.
   */
  setRows(cache: Tensor, source: Tensor, rows: Tensor): Tensor {
    const [a, b, c] = [this.#memory.use(cache), this.#memory.use(source), this.#memory.use(rows)];
    return this.#byGgml(this.#ggml.setRows(this.#context, a, b, c));
  }

  /** Rows `rows` (i32 [m]) of table [n, …] -> [n, m]: f32, or i32 when the table is i32. */
  getRows(table: Tensor, rows: Tensor): Tensor {
    return this.#memory.own(this.#ggml.getRows(this.#context, this.#memory.use(table), this.#memory.use(rows)));
  }

  /** Copies source over target, converting it. The result is the written target. */
  cpy(source: Tensor, target: Tensor): Tensor {
    return this.#byGgml(this.#ggml.cpy(this.#context, this.#memory.use(source), this.#memory.use(target)));
  }

  /** x converted to `type`, packed. */
  cast(x: Tensor, type: GgmlType): Tensor {
    return this.#memory.own(this.#ggml.cast(this.#context, this.#memory.use(x), type));
  }

  /** a and b one after the other along `dimension`, 0 being the innermost. */
  concat(a: Tensor, b: Tensor, dimension: number): Tensor {
    return this.#byGgml(this.#ggml.concat(this.#context, this.#memory.use(a), this.#memory.use(b), dimension));
  }

  // — Views: the same bytes in another shape —

  reshape2d(x: Tensor, ne: readonly [number, number]): Tensor {
    return this.#memory.own(this.#ggml.reshape2d(this.#context, this.#memory.use(x), ne[0], ne[1]));
  }

  reshape3d(x: Tensor, ne: readonly [number, number, number]): Tensor {
    return this.#memory.own(this.#ggml.reshape3d(this.#context, this.#memory.use(x), ne[0], ne[1], ne[2]));
  }

  /** The first bytes of x. `nb`: stride of the outer dimension, in bytes. */
  view2d(x: Tensor, ne: readonly [number, number], nb: readonly [number]): Tensor {
    return this.#memory.own(this.#ggml.view2d(this.#context, this.#memory.use(x), ne[0], ne[1], nb[0], 0));
  }

  view4d(x: Tensor, ne: Shape, { nb, offsetBytes = 0 }: ViewLayout): Tensor {
    const source = this.#memory.use(x);
    return this.#memory.own(
      this.#ggml.view4d(this.#context, source, ne[0], ne[1], ne[2], ne[3], nb[0], nb[1], nb[2], offsetBytes),
    );
  }

  /**
   * x's bytes as elements of another type. Pages of f16 rows become i32 rows, which `getRows` gathers page by page, and
   * f16 rows again afterwards. x must be packed, and `ne` of `type` must take as many bytes; throws GGML_FAILED
   * otherwise.
   */
  reinterpret(x: Tensor, type: GgmlType, ne: Ne): Tensor {
    const shape = shapeOf(ne);
    const bytes = rowSize(type, shape[0]) * shape[1] * shape[2] * shape[3];
    if (!x.isPacked || bytes !== x.packedBytes) {
      const gaps = x.isPacked ? "" : ", with gaps between them";
      const message =
        `${x} can't be reinterpreted as ${typeInfo(type).name} [${shape.join(", ")}]: ` +
        `that takes ${bytes} bytes, the tensor ${x.packedBytes}${gaps}.`;
      throw new RhoneError("GGML_FAILED", message);
    }
    return this.#memory.viewAs(this.#memory.use(x), { type, shape }, typeInfo(x.type).blockSize);
  }

  // — Running —

  /** Gives every tensor of the built graph its memory. Throws OUT_OF_MEMORY with the bytes needed and the device's. */
  allocate(): void {
    this.#memory.allocate();
  }

  /** Whether anything that is computed needs `tensor`; after `allocate`. */
  isNeeded(tensor: Tensor): boolean {
    return tensor[arena].hasData(tensor[native]);
  }

  /**
   * Fills a whole input from `data`, borrowed during the call. A computation may reuse the memory of its inputs, so
   * they are filled again before it is repeated.
   */
  setInput(tensor: Tensor, data: ArrayBufferView): void {
    const pointer = this.#memory.withData(tensor, "setInput");
    const { packedBytes } = tensor;
    if (data.byteLength !== packedBytes) {
      const message = `The input ${tensor} takes ${packedBytes} bytes; ${data.byteLength} were given.`;
      throw new RhoneError("GGML_FAILED", message);
    }
    this.#host.engine.backend.tensorSet(pointer, data, 0, data.byteLength);
  }

  /** Fills `into` from `offsetBytes` of an output, after the computation. */
  read<T extends ArrayBufferView>(tensor: Tensor, into: T, offsetBytes = 0): T {
    const pointer = this.#memory.withData(tensor, "read");
    checkRange(tensor, { offsetBytes, bytes: into.byteLength, total: this.#ggml.nbytes(pointer) });
    this.#host.engine.backend.tensorGet(pointer, into, offsetBytes, into.byteLength);
    return into;
  }

  /** @internal Locks the graph for `Backend.compute`. */
  [native](): ComputableGraph {
    return { ...this.#memory.beginCompute(), byKernels: this.kernels !== undefined && !this.#needsGgml };
  }

  /** The tensor of an operation of ggml's. Looking up rows and a last cast are too little to count. */
  #byGgml(pointer: Pointer): Tensor {
    this.#needsGgml = true;
    return this.#memory.own(pointer);
  }
}
