import { RhoneError } from "@rhone/common/rhone-error";
import type { BackendBindings } from "../bindings/backend.js";
import type { Pointer } from "../bindings/pointer.js";
import type { NativeEngine } from "./load-native.js";

const KINDS = ["cpu", "gpu", "integrated-gpu", "accelerator", "meta"] as const;
export type DeviceKind = (typeof KINDS)[number] | "unknown";

export interface DeviceInfo {
  /** ggml's name, such as "CPU", "CUDA0", "Metal". */
  readonly name: string;
  readonly description: string;
  readonly kind: DeviceKind;
  /** Bytes. */
  readonly memoryTotal: number;
  /** Bytes, as the device reports them; ggml's CPU device reports all of its memory as free. */
  readonly memoryFree: number;
}

export function describeDevice(backend: BackendBindings, device: Pointer): DeviceInfo {
  const free = new BigUint64Array(1);
  const total = new BigUint64Array(1);
  backend.devMemory(device, free, total);
  return {
    name: backend.devName(device),
    description: backend.devDescription(device),
    kind: KINDS[backend.devType(device)] ?? "unknown",
    memoryTotal: Number(total[0]),
    memoryFree: Number(free[0]),
  };
}

/** The device called `name`, in any case. Throws DEVICE_NOT_FOUND listing the devices. */
export function findDevice(native: NativeEngine, name: string): Pointer {
  const devices = native.devicePointers();
  const names = devices.map((device) => native.backend.devName(device));
  const device = devices[names.findIndex((candidate) => candidate.toLowerCase() === name.toLowerCase())];
  if (device !== undefined) return device;
  throw new RhoneError("DEVICE_NOT_FOUND", `There is no device "${name}"; this machine has ${names.join(", ")}.`);
}
