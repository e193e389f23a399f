import { type KernelChoice, RhoneError } from "@rhone/common";
import { findKernels } from "@rhone/kernels";
import type { KernelBindings } from "../bindings/kernels.js";
import { native } from "../bindings/pointer.js";
import type { Engine } from "../native/engine.js";
import type { NativeEngine } from "../native/load-native.js";
import { checkLayout } from "./check-layout.js";
import { Kernels } from "./kernels.js";

/** The kernels that were chosen. */
export interface ChosenKernels {
  /** Undefined: ggml computes everything. */
  readonly kernels: Kernels | undefined;
  /** Why there are none although "auto" asked for the best; undefined otherwise. */
  readonly notice: RhoneError | undefined;
}

/**
 * What `choice` names: with "auto" the best variant of this processor, or a notice why there is none, for ggml computes
 * as well. Throws KERNELS_UNAVAILABLE for a variant by name that can't be used here.
 */
export function chooseKernels(engine: Engine, choice: KernelChoice): ChosenKernels {
  if (choice === "ggml") return { kernels: undefined, notice: undefined };
  try {
    return { kernels: openKernels(engine[native], choice), notice: undefined };
  } catch (error) {
    if (choice !== "auto" || !(error instanceof RhoneError)) throw error;
    return { kernels: undefined, notice: error };
  }
}

/** Another choice replaces the one before in the whole process, so make it while nothing is computed. */
function openKernels(engine: NativeEngine, choice: Exclude<KernelChoice, "ggml">): Kernels {
  const bindings = loadKernels(engine);
  const variants = bindings.variants().split(",").filter(Boolean);
  const [best] = variants;
  const variant = choice === "auto" ? best : choice;
  if (variant !== undefined && bindings.choose(variant) === 0) return new Kernels(bindings, variant, variants);
  const runs = variants.length === 0 ? "none of the kernels" : variants.join(", ");
  const message =
    `This processor can't run ${variant === undefined ? "Rhone's kernels" : `the kernels ${variant}`}; it runs ${runs}. ` +
    "Set RHONE_KERNELS to auto or ggml.";
  throw new RhoneError("KERNELS_UNAVAILABLE", message);
}

const loaded = new WeakMap<NativeEngine, KernelBindings>();

function loadKernels(engine: NativeEngine): KernelBindings {
  const known = loaded.get(engine);
  if (known !== undefined) return known;
  const bindings = engine.loadKernels(findKernels().path);
  checkLayout(engine, bindings);
  loaded.set(engine, bindings);
  return bindings;
}
