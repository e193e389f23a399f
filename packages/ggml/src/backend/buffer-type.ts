import koffi from "koffi";
import { PROC_ADDRESSES } from "../bindings/backend.js";
import { native, type Pointer } from "../bindings/pointer.js";
import type { NativeEngine } from "../native/load-native.js";

/**
 * A kind of memory that a device computes from, such as "CPU" or "CPU_REPACK" (weights reordered for the processor).
 */
export class BufferType {
  readonly name: string;
  /** Whether the backend reorders what is written to it, which only weights can bear. */
  readonly isExtra: boolean;
  readonly [native]: Pointer;

  /** @internal Comes from `bufferTypesOf`. */
  constructor(name: string, isExtra: boolean, pointer: Pointer) {
    this.name = name;
    this.isExtra = isExtra;
    this[native] = pointer;
  }
}

/** The buffer types of `device`, best for weights first: the extra ones, then the default. */
export function bufferTypesOf(engine: NativeEngine, device: Pointer): readonly BufferType[] {
  const describe = (pointer: Pointer, isExtra: boolean) =>
    new BufferType(engine.backend.buftName(pointer), isExtra, pointer);
  const extra = extraBufferTypes(engine, device).map((pointer) => describe(pointer, true));
  return [...extra, describe(engine.backend.devBufferType(device), false)];
}

function extraBufferTypes(engine: NativeEngine, device: Pointer): Pointer[] {
  const list = procAddress(engine, device, "ggml_backend_dev_get_extra_bufts")?.(device) as Pointer | null | undefined;
  if (list === null || list === undefined) return [];
  const found: Pointer[] = [];
  for (let at: bigint = list; ; at += 8n) {
    const pointer = koffi.decode(at, "void *") as Pointer | null;
    if (pointer === null) return found;
    found.push(pointer);
  }
}

type ProcAddress = (...args: readonly (Pointer | ArrayBufferView | number | null)[]) => unknown;

/** A function that the device's registry gives out by name only; undefined when this kind of device has none. */
export function procAddress(
  engine: NativeEngine,
  device: Pointer,
  name: keyof typeof PROC_ADDRESSES,
): ProcAddress | undefined {
  const address = engine.backend.regGetProcAddress(engine.backend.devBackendReg(device), name);
  return address === null ? undefined : (koffi.decode(address, PROC_ADDRESSES[name]) as ProcAddress);
}
