import { RhoneError } from "@rhone/common/rhone-error";
import type { Backend, NativeBackend } from "../backend/backend.js";
import type { BufferType } from "../backend/buffer-type.js";
import type { GgmlBindings } from "../bindings/ggml.js";
import { native, type Pointer } from "../bindings/pointer.js";
import { GgmlType, rowSize, typeInfo } from "../elements/ggml-type.js";
import type { TensorSpec } from "../tensors/allocate-tensors.js";
import { MetadataArena } from "../tensors/metadata-arena.js";
import { shapeOf } from "../tensors/tensor.js";

/** How a weight is used: as the left side of a matrix product, as a table of rows, or as a factor per element. */
export type WeightUse = "matmul" | "rows" | "norm";

interface PlacedSpec extends TensorSpec {
  readonly use: WeightUse;
}

/** Tokens in the trial operation. Some backends decide by batch size; llama.cpp tries the same number. */
const TRIED_TOKENS = 512;

/** Types without a matrix product; ggml's answer is wrong for some of them. */
const NOT_WEIGHTS: ReadonlySet<number> = new Set(
  (["I8", "I16", "I32", "I64", "F64", "Q8_1", "Q8_K"] as const).map((name) => GgmlType[name]),
);

/**
 * Chooses the buffer type of each weight: the first of `types` from which the device can compute the weight's use. As
 * in llama.cpp, the operation is described over a weight in an empty buffer of that type, and the device is asked.
 * Throws TENSOR_TYPE_UNSUPPORTED when there is none.
 */
export function placeWeight(backend: Backend, types: readonly BufferType[]): (spec: PlacedSpec) => BufferType {
  const host = backend[native];
  const known = new Map<string, BufferType>();
  return (spec) => {
    // Layers repeat, so there are few distinct questions.
    const key = `${spec.use} ${spec.type} ${spec.ne.join(" ")}`;
    const type = known.get(key) ?? types.find((candidate) => supports(host, candidate, spec));
    if (type === undefined) {
      const { name } = typeInfo(spec.type);
      const message =
        `${backend.device.name} can't compute with "${spec.name}", ${name} [${spec.ne.join(", ")}]. ` +
        "Convert the model to Q8_0 or F16, or choose another device.";
      throw new RhoneError("TENSOR_TYPE_UNSUPPORTED", message);
    }
    known.set(key, type);
    return type;
  };
}

function supports({ engine, device }: NativeBackend, type: BufferType, spec: PlacedSpec): boolean {
  rowSize(spec.type, spec.ne[0]);
  if (NOT_WEIGHTS.has(spec.type)) return false;
  const arena = new MetadataArena(engine, "trial operation", MetadataArena.tensorBytes(engine, 8));
  const buffer = engine.backend.buftAllocBuffer(type[native], 0);
  try {
    if (buffer === null) return false;
    const weight = engine.ggml.newTensor4d(arena.context, spec.type, ...shapeOf(spec.ne));
    arena.setBuffer(weight, buffer);
    return engine.backend.devSupportsOp(device, trialOperation(engine.ggml, { context: arena.context, weight, spec }));
  } finally {
    if (buffer !== null) engine.backend.bufferFree(buffer);
    arena.close();
  }
}

interface Trial {
  readonly context: Pointer;
  readonly weight: Pointer;
  readonly spec: PlacedSpec;
}

function trialOperation(ggml: GgmlBindings, { context, weight, spec }: Trial): Pointer {
  const [ne0, ne1, ne2, ne3] = shapeOf(spec.ne);
  switch (spec.use) {
    case "matmul":
      return ggml.mulMat(context, weight, ggml.newTensor4d(context, GgmlType.F32, ne0, TRIED_TOKENS, ne2, ne3));
    case "rows":
      return ggml.getRows(context, weight, ggml.newTensor4d(context, GgmlType.I32, TRIED_TOKENS, 1, 1, 1));
    case "norm":
      return ggml.mul(context, ggml.newTensor4d(context, GgmlType.F32, ne0, ne1, ne2, ne3), weight);
  }
}
