import { RhoneError } from "@rhone/common/rhone-error";
import type { NativeBackend } from "../backend/backend.js";
import { type BufferType, bufferTypesOf } from "../backend/buffer-type.js";
import { native, type Pointer } from "../bindings/pointer.js";
import { type GgmlType, rowSize } from "../elements/ggml-type.js";
import { describeDevice } from "../native/device.js";
import { preferHugePages } from "./huge-pages.js";
import { MetadataArena } from "./metadata-arena.js";
import { type Ne, shapeOf, Tensor } from "./tensor.js";

export interface TensorSpec {
  readonly name: string;
  readonly type: GgmlType;
  readonly ne: Ne;
}

export interface StorageOptions {
  /** The device's default buffer type when absent. */
  readonly bufferType?: BufferType;
  /**
   * Whether graphs read all of it, as they do weights: it then gets huge pages, which become resident 2 MiB at a time.
   */
  readonly readWhole?: boolean;
}

/** Tensors with their memory, which the caller frees: the arena, and the buffer unless it is null. */
export interface AllocatedTensors {
  readonly arena: MetadataArena;
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Null when the tensors take no bytes. */
  readonly buffer: Pointer | null;
}

/** Describes the tensors and gives them one buffer. Throws OUT_OF_MEMORY, TENSOR_TYPE_UNSUPPORTED, GGML_FAILED. */
export function allocateTensors(
  host: NativeBackend,
  specs: readonly TensorSpec[],
  { bufferType, readWhole = false }: StorageOptions,
): AllocatedTensors {
  const { engine } = host;
  const arena = new MetadataArena(engine, "tensor storage", MetadataArena.tensorBytes(engine, specs.length + 1));
  try {
    const tensors = new Map(specs.map((spec) => [spec.name, declare(host, arena, spec)]));
    const buffer = allocate(host, bufferType ?? defaultBufferType(host), { arena, tensors });
    if (buffer !== null && readWhole) preferHugePages(host, buffer);
    return { arena, tensors, buffer };
  } catch (error) {
    arena.close();
    throw error;
  }
}

function declare(host: NativeBackend, arena: MetadataArena, { name, type, ne }: TensorSpec): Tensor {
  rowSize(type, ne[0]);
  if (ne.some((n) => n !== undefined && !(Number.isSafeInteger(n) && n >= 0))) {
    throw new RhoneError("GGML_FAILED", `Tensor "${name}" has the impossible shape [${ne.join(", ")}].`);
  }
  return new Tensor(arena, host.engine.ggml.newTensor4d(arena.context, type, ...shapeOf(ne)));
}

/** Null when the tensors take no bytes. */
function allocate(
  host: NativeBackend,
  place: BufferType,
  { arena, tensors }: Omit<AllocatedTensors, "buffer">,
): Pointer | null {
  const { alloc, backend, log } = host.engine;
  const type = place[native];
  const bytes = alloc.allocCtxTensorsFromBuftSize(arena.context, type);
  if (bytes === 0) return null;
  const { name, memoryTotal } = describeDevice(backend, host.device);
  // Linux grants more memory than there is and kills the process later, so refuse what can never fit.
  const fits = memoryTotal === 0 || bytes <= memoryTotal;
  const { result, complaints } = log.capture(() => (fits ? alloc.allocCtxTensorsFromBuft(arena.context, type) : null));
  if (result === null) {
    const message =
      `${tensors.size} tensors need ${bytes} bytes of ${place.name} memory, but device ${name} has ${memoryTotal}. ` +
      (complaints || "Use more workers, a smaller type or a shorter context.");
    throw new RhoneError("OUT_OF_MEMORY", message);
  }
  return result;
}

function defaultBufferType(host: NativeBackend): BufferType {
  const plain = bufferTypesOf(host.engine, host.device).at(-1);
  if (plain === undefined) throw new RhoneError("GGML_FAILED", "The device has no buffer type.");
  return plain;
}
