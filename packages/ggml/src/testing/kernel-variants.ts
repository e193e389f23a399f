import { KERNEL_CHOICES, type KernelChoice } from "@rhone/common";
import { Backend } from "../backend/backend.js";
import { chooseKernels, kernelVariants as variantsOf } from "../kernels/open-kernels.js";
import { openEngine } from "../native/engine.js";

const engine = openEngine();

/** The variants of our kernels that this processor runs, best first, verified or not; tests run once for each. */
export const kernelVariants: readonly KernelChoice[] = variantsOf(engine).flatMap((name) =>
  KERNEL_CHOICES.filter((choice) => choice === name),
);

/** A backend with kernels of that variant, or with ggml alone. Close it. */
export const backendWith = (choice: KernelChoice, threads = 2): Backend =>
  Backend.open(engine, { threads, kernels: chooseKernels(engine, choice).kernels });
