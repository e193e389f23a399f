import koffi from "koffi";
import { PROC_ADDRESSES } from "../bindings/backend.js";
import type { Pointer } from "../bindings/pointer.js";
import type { NativeEngine } from "../native/engine.js";

/** A kind of memory that a device computes from, such as "CPU" or "CPU_REPACK" (weights reordered for the processor). */
export class BufferType {
  readonly name: string;
  /** Whether tensors are stored in an order of the backend's own: good for weights only. */
  readonly isExtra: boolean;
  readonly #pointer: Pointer;

  constructor(name: string, isExtra: boolean, pointer: unknown) {
    this.name = name;
    this.isExtra = isExtra;
    this.#pointer = pointer as Pointer;
  }

  static readonly pointerOf = (type: BufferType): Pointer => type.#pointer;
}

/** The buffer types of `device`, best for weights first: the extra ones, then the default. */
export function bufferTypesOf(native: NativeEngine, device: Pointer): readonly BufferType[] {
  const describe = (pointer: Pointer, isExtra: boolean) =>
    new BufferType(native.backend.buftName(pointer), isExtra, pointer);
  const extra = extraBufferTypes(native, device).map((pointer) => describe(pointer, true));
  return [...extra, describe(native.backend.devBufferType(device), false)];
}

function extraBufferTypes(native: NativeEngine, device: Pointer): Pointer[] {
  const list = procAddress(native, device, "ggml_backend_dev_get_extra_bufts")?.(device) as Pointer | null | undefined;
  if (list === null || list === undefined) return [];
  const found: Pointer[] = [];
  for (let at: bigint = list; ; at += 8n) {
    const pointer = koffi.decode(at, "void *") as Pointer | null;
    if (pointer === null) return found;
    found.push(pointer);
  }
}

type ProcAddress = (...args: readonly (Pointer | ArrayBufferView | number | null)[]) => unknown;

/** A function that the device's registry hands out by name only; undefined when this kind of device has none. */
export function procAddress(
  native: NativeEngine,
  device: Pointer,
  name: keyof typeof PROC_ADDRESSES,
): ProcAddress | undefined {
  const address = native.backend.regGetProcAddress(native.backend.devBackendReg(device), name);
  return address === null ? undefined : (koffi.decode(address, PROC_ADDRESSES[name]) as ProcAddress);
}
