import { RhoneError } from "@rhone/common";
import koffi from "koffi";
import { TENSOR_LAYOUT } from "../bindings/ggml.js";
import { type KernelBindings, QUANTIZE_HOW } from "../bindings/kernels.js";
import type { Pointer } from "../bindings/pointer.js";
import type { NativeEngine } from "../native/load-native.js";

const CONTEXT_BYTES = 64 * 1024;
/** `GGML_TYPE_F32`, `GGML_TYPE_I8`; the type of weights does not matter here. */
const [F32, I8] = [0, 24];
const [ROWS, K] = [3, 256];

/**
 * The kernels read ggml's tensors in place. Describes one node of theirs and reads it back where the kernels' own copy
 * of `struct ggml_tensor` has its fields: throws KERNELS_UNAVAILABLE when this ggml has them elsewhere.
 */
export function checkLayout({ ggml }: NativeEngine, kernels: KernelBindings): void {
  const memory = new ArrayBuffer(CONTEXT_BYTES);
  const base = koffi.address(memory) as Pointer;
  const context = ggml.init({ mem_size: CONTEXT_BYTES, mem_buffer: base, no_alloc: true });
  const graph = kernels.graphNew(1, null);
  if (context === null || graph === null) throw new RhoneError("OUT_OF_MEMORY", "There is no memory for a graph.");
  try {
    const x = ggml.newTensor4d(context, F32, K, ROWS, 1, 1);
    const node = kernels.quantize(graph, context, QUANTIZE_HOW.plain, 0, x, null, 0);
    const found = node === null ? "no node" : describe(new DataView(memory), Number(node - base));
    const expected = describeExpected(x, kernels.activationBytes(0, ROWS, K));
    if (found !== expected) throw otherLayout(`its tensor has ${found}, not ${expected}`);
    if (kernels.tensorSize() !== TENSOR_LAYOUT.size)
      throw otherLayout(`a tensor takes ${TENSOR_LAYOUT.size} bytes, there ${kernels.tensorSize()}`);
  } finally {
    kernels.graphFree(graph);
    ggml.free(context);
  }
}

/** The fields that the kernels read, as text. */
function describe(memory: DataView, at: number): string {
  const { type, ne, nb, opParams, src } = TENSOR_LAYOUT;
  const long = (offset: number) => memory.getBigInt64(at + offset, true);
  const tasks = memory.getInt32(at + opParams + 8, true);
  const hasFunction = long(opParams) !== 0n && long(opParams + 16) !== 0n;
  return text(memory.getInt32(at + type, true), {
    ne: long(ne),
    stride: long(nb + 8),
    tasks,
    hasFunction,
    x: long(src),
  });
}

function describeExpected(x: Pointer, bytes: number): string {
  return text(I8, { ne: BigInt(bytes), stride: BigInt(bytes), tasks: -1, hasFunction: true, x });
}

interface Fields {
  readonly ne: bigint;
  readonly stride: bigint;
  /** `GGML_N_TASKS_MAX` is -1. */
  readonly tasks: number;
  readonly hasFunction: boolean;
  readonly x: bigint;
}

const text = (type: number, { ne, stride, tasks, hasFunction, x }: Fields): string =>
  `type ${type}, ${ne} elements, rows ${stride} bytes apart, ${tasks} tasks, ` +
  `${hasFunction ? "a" : "no"} function, source ${x.toString(16)}`;

function otherLayout(difference: string): RhoneError {
  return new RhoneError(
    "KERNELS_UNAVAILABLE",
    `Rhone's kernels were compiled for another layout of ggml's tensors: ${difference}. Run \`npm ci\`, or set ` +
      "RHONE_KERNELS=ggml.",
  );
}
