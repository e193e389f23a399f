import { RhoneError } from "@rhone/common";
import { type Backend, type NativeBackend, nativeBackendOf } from "../backend/backend.js";
import { beginCompute, type Computable } from "../backend/computable.js";
import { type GgmlBindings, PREC_F32, SORT_ORDER_DESC } from "../bindings/ggml.js";
import type { Pointer } from "../bindings/pointer.js";
import { GgmlType, rowSize, typeInfo } from "../elements/ggml-type.js";
import { MetadataArena } from "../tensors/metadata-arena.js";
import { arenaOf, type Ne, pointerOf, type Shape, Tensor } from "../tensors/tensor.js";
import { GraphAllocator } from "./graph-allocator.js";
import type { AttentionOptions, RopeOptions } from "./operation-options.js";

export interface GraphOptions {
  /** Tensors that a step may describe, inputs and views included; 8192 when absent. About 400 bytes each. */
  readonly maxTensors?: number;
}

/**
 * Inputs take whole cache lines. ggml hands out memory in steps of 32 bytes, so one odd input would make every tensor behind it
 * straddle cache lines: matrix products into such memory took 1.6 times as long on an AMX processor.
 */
const CACHE_LINE = 64;

/**
 * One step's computation, described operation by operation and used again for the next step:
 * `reset`, build, `output`, `allocate`, `setInput`, `backend.compute(graph)`, `read`.
 * Its memory is kept between steps, so building costs well under a microsecond per operation.
 * Shapes below are `ne`, innermost first. A shape that an operation can't take stops the process, with ggml's message.
 */
export class Graph implements Computable {
  readonly #host: NativeBackend;
  readonly #ggml: GgmlBindings;
  readonly #arena: MetadataArena;
  readonly #context: Pointer;
  readonly #allocator: GraphAllocator;
  readonly #maxTensors: number;
  /** Where weights and caches lie that this step reads. */
  readonly #borrowed = new Set<MetadataArena>();
  #graph: Pointer;
  #tensors = 0;
  /** False from `allocate` to `reset`, and once closed. */
  #growing = true;
  #computing = false;

  private constructor(host: NativeBackend, maxTensors: number) {
    const { native } = host;
    // Room for the graph itself, and for the operations that describe more than one tensor.
    const bytes =
      MetadataArena.tensorBytes(native, maxTensors + 64) + native.ggml.graphOverheadCustom(maxTensors, false);
    this.#host = host;
    this.#ggml = native.ggml;
    this.#arena = new MetadataArena(native, "the graph", bytes);
    this.#context = this.#arena.context;
    this.#allocator = new GraphAllocator(host);
    this.#maxTensors = maxTensors;
    this.#graph = this.#ggml.newGraphCustom(this.#context, maxTensors, false);
  }

  /** An empty graph, to be computed by `backend`. */
  static open(backend: Backend, options: GraphOptions = {}): Graph {
    const host = nativeBackendOf(backend);
    host.checkOpen();
    return new Graph(host, options.maxTensors ?? 8192);
  }

  /** Starts a new step; tensors of the last one are gone. Throws GGML_FAILED while it is being computed. */
  reset(): void {
    this.#checkIdle("reset");
    this.#arena.reset();
    this.#graph = this.#ggml.newGraphCustom(this.#context, this.#maxTensors, false);
    this.#borrowed.clear();
    this.#tensors = 0;
    this.#growing = true;
  }

  /** Frees the memory. Throws GGML_FAILED while the graph is being computed. */
  close(): void {
    if (!this.#arena.isOpen) return;
    this.#checkIdle("close");
    this.#growing = false;
    this.#allocator.close();
    this.#arena.close();
  }

  // — Building —

  /** A tensor whose contents come from `setInput`, after `allocate`. */
  input(type: GgmlType, ne: Ne): Tensor {
    this.#checkGrowing();
    const shape: Shape = [ne[0], ne[1] ?? 1, ne[2] ?? 1, ne[3] ?? 1];
    const bytes = rowSize(type, shape[0]) * shape[1] * shape[2] * shape[3];
    if (bytes % CACHE_LINE === 0) return this.#own(this.#leaf(type, shape));
    const words = (Math.ceil(bytes / CACHE_LINE) * CACHE_LINE) / 4;
    return this.#viewAs(this.#leaf(GgmlType.I32, [words, 1, 1, 1]), type, shape);
  }

  #leaf(type: GgmlType, [ne0, ne1, ne2, ne3]: Shape): Pointer {
    const tensor = this.#ggml.newTensor4d(this.#context, type, ne0, ne1, ne2, ne3);
    this.#ggml.setInput(tensor);
    this.#tensors += 1;
    return tensor;
  }

  /** Keeps `tensor` readable after the computation, and computes what it needs. */
  output(tensor: Tensor): Tensor {
    this.#ggml.setOutput(pointerOf(tensor));
    return this.expand(tensor);
  }

  /** Has `tensor` computed, after all that was expanded before: so a cache is written before it is read. */
  expand(tensor: Tensor): Tensor {
    if (!this.#growing) this.#checkGrowing();
    this.#ggml.buildForwardExpand(this.#graph, pointerOf(tensor));
    return tensor;
  }

  /** a + b; b is repeated to a's shape. */
  add(a: Tensor, b: Tensor): Tensor {
    return this.#own(this.#ggml.add(this.#context, this.#use(a), this.#use(b)));
  }

  /** a - b; b is repeated to a's shape. */
  sub(a: Tensor, b: Tensor): Tensor {
    return this.#own(this.#ggml.sub(this.#context, this.#use(a), this.#use(b)));
  }

  /** a * b, element by element; b is repeated to a's shape. */
  mul(a: Tensor, b: Tensor): Tensor {
    return this.#own(this.#ggml.mul(this.#context, this.#use(a), this.#use(b)));
  }

  /** a / b, element by element; b is repeated to a's shape. */
  div(a: Tensor, b: Tensor): Tensor {
    return this.#own(this.#ggml.div(this.#context, this.#use(a), this.#use(b)));
  }

  scale(a: Tensor, factor: number): Tensor {
    return this.#own(this.#ggml.scale(this.#context, this.#use(a), factor));
  }

  log(a: Tensor): Tensor {
    return this.#own(this.#ggml.log(this.#context, this.#use(a)));
  }

  exp(a: Tensor): Tensor {
    return this.#own(this.#ggml.exp(this.#context, this.#use(a)));
  }

  /** weight [k, n] · x [k, m] -> f32 [n, m]: each row of the weight against each row of x. */
  mulMat(weight: Tensor, x: Tensor): Tensor {
    return this.#own(this.#ggml.mulMat(this.#context, this.#use(weight), this.#use(x)));
  }

  /** x / sqrt(mean(x²) + eps) along ne0. */
  rmsNorm(x: Tensor, eps: number): Tensor {
    return this.#own(this.#ggml.rmsNorm(this.#context, this.#use(x), eps));
  }

  silu(x: Tensor): Tensor {
    return this.#own(this.#ggml.silu(this.#context, this.#use(x)));
  }

  /** silu(gate) * up. */
  swigluSplit(gate: Tensor, up: Tensor): Tensor {
    return this.#own(this.#ggml.swigluSplit(this.#context, this.#use(gate), this.#use(up)));
  }

  /** Rotates interleaved pairs (mode 0, as the `llama` architecture stores q and k). x [headDim, nHeads, nTokens], positions i32 [nTokens]. */
  ropeExt(x: Tensor, positions: Tensor, options: RopeOptions): Tensor {
    const { dims, freqBase, freqScale = 1, nCtxOrig = 0, freqFactors } = options;
    const factors = freqFactors === undefined ? null : this.#use(freqFactors);
    const [a, b] = [this.#use(x), this.#use(positions)];
    return this.#own(
      this.#ggml.ropeExt(this.#context, a, b, factors, dims, 0, nCtxOrig, freqBase, freqScale, 0, 1, 32, 1),
    );
  }

  /** softmax(x * scale + mask) along ne0. */
  softMaxExt(x: Tensor, options: AttentionOptions): Tensor {
    const mask = options.mask === undefined ? null : this.#use(options.mask);
    return this.#own(this.#ggml.softMaxExt(this.#context, this.#use(x), mask, options.scale, 0));
  }

  /**
   * Attention, accumulated in f32. q f32 [headDim, nTokens, nHeads], k and v [headDim, nKv, nKvHeads]
   * -> f32 [headDim, nHeads, nTokens]: heads and tokens change places.
   */
  flashAttnExt(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): Tensor {
    const mask = options.mask === undefined ? null : this.#use(options.mask);
    const [a, b, c] = [this.#use(q), this.#use(k), this.#use(v)];
    const result = this.#ggml.flashAttnExt(this.#context, a, b, c, mask, options.scale, 0, 0);
    this.#ggml.precSetAcc(result, PREC_F32);
    return this.#own(result);
  }

  /** Writes source's rows (f32 [n, m]) into rows `rows` (i64 or i32 [m]) of cache [n, …], converting. The result is the cache, written. */
  setRows(cache: Tensor, source: Tensor, rows: Tensor): Tensor {
    return this.#own(this.#ggml.setRows(this.#context, this.#use(cache), this.#use(source), this.#use(rows)));
  }

  /** Rows `rows` (i32 [m]) of table [n, …] -> [n, m]: f32, or i32 when the table is i32. */
  getRows(table: Tensor, rows: Tensor): Tensor {
    return this.#own(this.#ggml.getRows(this.#context, this.#use(table), this.#use(rows)));
  }

  /** Copies source over target, converting. The result is the target, written. */
  cpy(source: Tensor, target: Tensor): Tensor {
    return this.#own(this.#ggml.cpy(this.#context, this.#use(source), this.#use(target)));
  }

  cast(x: Tensor, type: GgmlType): Tensor {
    return this.#own(this.#ggml.cast(this.#context, this.#use(x), type));
  }

  /** x, packed. */
  cont(x: Tensor): Tensor {
    return this.#own(this.#ggml.cont(this.#context, this.#use(x)));
  }

  concat(a: Tensor, b: Tensor, dimension: number): Tensor {
    return this.#own(this.#ggml.concat(this.#context, this.#use(a), this.#use(b), dimension));
  }

  /** Sums along ne0. */
  sumRows(x: Tensor): Tensor {
    return this.#own(this.#ggml.sumRows(this.#context, this.#use(x)));
  }

  /** Index of the greatest element of each row, i32. */
  argmax(x: Tensor): Tensor {
    return this.#own(this.#ggml.argmax(this.#context, this.#use(x)));
  }

  /** Indices of each row's elements, greatest first, i32. */
  argsort(x: Tensor): Tensor {
    return this.#own(this.#ggml.argsort(this.#context, this.#use(x), SORT_ORDER_DESC));
  }

  /** Indices of each row's k greatest elements, greatest first, i32 [k, …]. */
  topK(x: Tensor, k: number): Tensor {
    this.#tensors += 1;
    return this.#own(this.#ggml.topK(this.#context, this.#use(x), k));
  }

  // — Views: the same bytes, seen otherwise —

  reshape2d(x: Tensor, ne0: number, ne1: number): Tensor {
    return this.#own(this.#ggml.reshape2d(this.#context, this.#use(x), ne0, ne1));
  }

  reshape3d(x: Tensor, ne0: number, ne1: number, ne2: number): Tensor {
    return this.#own(this.#ggml.reshape3d(this.#context, this.#use(x), ne0, ne1, ne2));
  }

  reshape4d(x: Tensor, ne: Shape): Tensor {
    return this.#own(this.#ggml.reshape4d(this.#context, this.#use(x), ne[0], ne[1], ne[2], ne[3]));
  }

  /** `nb` are strides in bytes of the outer dimensions (nb1, …). */
  view1d(x: Tensor, ne0: number, offsetBytes = 0): Tensor {
    return this.#own(this.#ggml.view1d(this.#context, this.#use(x), ne0, offsetBytes));
  }

  view2d(x: Tensor, ne: readonly [number, number], nb: readonly [number], offsetBytes = 0): Tensor {
    return this.#own(this.#ggml.view2d(this.#context, this.#use(x), ne[0], ne[1], nb[0], offsetBytes));
  }

  view3d(x: Tensor, ne: readonly [number, number, number], nb: readonly [number, number], offsetBytes = 0): Tensor {
    return this.#own(this.#ggml.view3d(this.#context, this.#use(x), ne[0], ne[1], ne[2], nb[0], nb[1], offsetBytes));
  }

  view4d(x: Tensor, ne: Shape, nb: readonly [number, number, number], offsetBytes = 0): Tensor {
    const source = this.#use(x);
    return this.#own(
      this.#ggml.view4d(this.#context, source, ne[0], ne[1], ne[2], ne[3], nb[0], nb[1], nb[2], offsetBytes),
    );
  }

  /** `axes[i]` is where dimension i goes. */
  permute(x: Tensor, axes: Shape): Tensor {
    return this.#own(this.#ggml.permute(this.#context, this.#use(x), axes[0], axes[1], axes[2], axes[3]));
  }

  transpose(x: Tensor): Tensor {
    return this.#own(this.#ggml.transpose(this.#context, this.#use(x)));
  }

  /**
   * x's bytes as elements of another type: pages of f16 rows seen as i32 rows can be gathered by `getRows` in one piece and
   * seen as f16 again. x is packed and both sides have the same number of bytes; throws GGML_FAILED otherwise.
   */
  reinterpret(x: Tensor, type: GgmlType, ne: Ne): Tensor {
    const shape: Shape = [ne[0], ne[1] ?? 1, ne[2] ?? 1, ne[3] ?? 1];
    const row = rowSize(type, shape[0]);
    const bytes = row * shape[1] * shape[2] * shape[3];
    if (!x.isPacked || bytes !== x.packedBytes) {
      const message = `${x} can't be seen as ${typeInfo(type).name} [${shape.join(", ")}]: ${bytes} bytes against ${x.packedBytes}${x.isPacked ? "" : ", with gaps"}.`;
      throw new RhoneError("GGML_FAILED", message);
    }
    return this.#viewAs(this.#use(x), type, shape, typeInfo(x.type).blockSize);
  }

  /** The first bytes of `x`, packed as `shape` of `type`. One block is the least that a view may hold; its true extent is patched in. */
  #viewAs(x: Pointer, type: GgmlType, shape: Shape, blockSize = 1): Tensor {
    const view = this.#ggml.view1d(this.#context, x, blockSize, 0);
    const row = rowSize(type, shape[0]);
    const plane = row * shape[1];
    this.#arena.patch(view, type, shape, [typeInfo(type).typeSize, row, plane, plane * shape[2]]);
    return this.#own(view);
  }

  // — Running —

  /** Gives every tensor of the built graph its memory. Throws OUT_OF_MEMORY with the numbers. */
  allocate(): void {
    if (!this.#growing) this.#checkGrowing();
    this.#allocator.allocate(this.#graph);
    this.#growing = false;
  }

  /** Operations to be computed. */
  get nodeCount(): number {
    this.#arena.checkOpen();
    return this.#ggml.graphNNodes(this.#graph);
  }

  /** Bytes of memory that intermediate results take, as of the greatest graph so far. */
  get computeBytes(): number {
    return this.#allocator.bytes;
  }

  /** Whether anything that is computed needs `tensor`; after `allocate`. */
  isNeeded(tensor: Tensor): boolean {
    return arenaOf(tensor).hasData(pointerOf(tensor));
  }

  /** Fills a whole input from `data`, borrowed during the call. */
  setInput(tensor: Tensor, data: ArrayBufferView): void {
    const pointer = this.#withData(tensor, "setInput");
    if (data.byteLength !== tensor.packedBytes) {
      throw new RhoneError(
        "GGML_FAILED",
        `The input ${tensor} takes ${tensor.packedBytes} bytes; ${data.byteLength} were given.`,
      );
    }
    this.#host.native.backend.tensorSet(pointer, data, 0, data.byteLength);
  }

  /** Fills `into` from `offsetBytes` of an output, after the computation. */
  read<T extends ArrayBufferView>(tensor: Tensor, into: T, offsetBytes = 0): T {
    const pointer = this.#withData(tensor, "read");
    const bytes = this.#ggml.nbytes(pointer);
    if (offsetBytes < 0 || offsetBytes + into.byteLength > bytes) {
      const message = `Bytes ${offsetBytes} to ${offsetBytes + into.byteLength} lie outside ${tensor}, which has ${bytes}.`;
      throw new RhoneError("GGML_FAILED", message);
    }
    this.#host.native.backend.tensorGet(pointer, into, offsetBytes, into.byteLength);
    return into;
  }

  /** Locks the graph for `Backend.compute`. */
  [beginCompute](): { readonly graph: Pointer; readonly finish: () => void } {
    this.#checkIdle("compute");
    if (this.#growing) throw new RhoneError("GGML_FAILED", "A graph must be allocated before it is computed.");
    for (const arena of this.#borrowed) arena.checkOpen();
    this.#computing = true;
    return {
      graph: this.#graph,
      finish: () => {
        this.#computing = false;
      },
    };
  }

  #use(tensor: Tensor): Pointer {
    this.#checkGrowing();
    const arena = arenaOf(tensor);
    if (arena !== this.#arena) this.#borrowed.add(arena);
    return pointerOf(tensor);
  }

  #own(pointer: Pointer): Tensor {
    this.#tensors += 1;
    return new Tensor(this.#arena, pointer);
  }

  #checkGrowing(): void {
    if (this.#growing && this.#tensors < this.#maxTensors) return;
    this.#checkIdle("Building");
    const message = this.#growing
      ? `A step describes more than ${this.#maxTensors} tensors; open the graph with a greater maxTensors.`
      : "A graph can't grow once it is allocated; call reset() to start the next step.";
    throw new RhoneError("GGML_FAILED", message);
  }

  #withData(tensor: Tensor, what: string): Pointer {
    this.#checkIdle(what);
    const pointer = pointerOf(tensor);
    if (arenaOf(tensor).hasData(pointer)) return pointer;
    throw new RhoneError(
      "GGML_FAILED",
      `${what}: ${tensor} has no memory; expand or output what needs it, then allocate the graph.`,
    );
  }

  #checkIdle(what: string): void {
    this.#arena.checkOpen();
    if (this.#computing) throw new RhoneError("GGML_FAILED", `${what} must wait: the graph is being computed.`);
  }
}
