import type { KernelChoice } from "@rhone/common";
import { chooseKernels, openEngine } from "@rhone/ggml";

export interface Hardware {
  readonly device: string;
  readonly kernels: KernelChoice;
  /** llama.cpp's libraries, instead of the installed ones. */
  readonly ggmlDir: string | undefined;
}

/**
 * Refuses hardware that this machine lacks, as its workers would once they run. Throws DEVICE_NOT_FOUND and
 * KERNELS_UNAVAILABLE with the names that exist. What every machine has is not looked for, and loads nothing.
 */
export function checkHardware({ device, kernels, ggmlDir }: Hardware): void {
  if (device === "CPU" && (kernels === "auto" || kernels === "ggml")) return;
  const engine = openEngine(ggmlDir === undefined ? {} : { dir: ggmlDir });
  engine.checkDevice(device);
  chooseKernels(engine, kernels);
}
