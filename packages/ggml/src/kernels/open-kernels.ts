import { type KernelChoice, RhoneError } from "@rhone/common";
import { findKernels, isVerified } from "@rhone/kernels";
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
 * What `choice` names: with "auto" the best verified variant of this processor, or a notice why there is none, for ggml
 * computes as well. Throws KERNELS_UNAVAILABLE for a variant by name that can't be used here.
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

/** The variants that this processor runs, best first, verified or not; none when there is no library for it. */
export function kernelVariants(engine: Engine): readonly string[] {
  try {
    return variantsOf(loadKernels(engine[native]));
  } catch (error) {
    if (!(error instanceof RhoneError)) throw error;
    return [];
  }
}

/** Another choice replaces the one before in the whole process, so make it while nothing is computed. */
function openKernels(engine: NativeEngine, choice: Exclude<KernelChoice, "ggml">): Kernels {
  const bindings = loadKernels(engine);
  const variants = variantsOf(bindings);
  const variant = choice === "auto" ? variants.find((name) => isVerified(name)) : choice;
  if (variant !== undefined && bindings.choose(variant) === 0) return new Kernels(bindings, variant, variants);
  throw new RhoneError("KERNELS_UNAVAILABLE", whyNot(variant, variants));
}

const variantsOf = (bindings: KernelBindings): readonly string[] => bindings.variants().split(",").filter(Boolean);

/** Why `variant` does not compute, or with undefined why `auto` has chosen none of `variants`, and what to do. */
export function whyNot(variant: string | undefined, variants: readonly string[]): string {
  const [best] = variants;
  if (variant === undefined && best !== undefined)
    return (
      `This machine can run Rhone's kernels ${best}, whose tests nobody has run on such hardware yet, so ggml computes. ` +
      `RHONE_KERNELS=${best} tries them.`
    );
  const wanted = variant === undefined ? "Rhone's kernels" : `the kernels ${variant}`;
  const runs = best === undefined ? "none of the kernels" : variants.join(", ");
  return `This processor can't run ${wanted}; it runs ${runs}. Set RHONE_KERNELS to auto or ggml.`;
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
