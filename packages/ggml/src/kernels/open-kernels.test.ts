import { describe, expect, it } from "vitest";
import { TENSOR_LAYOUT } from "../bindings/ggml.js";
import type { KernelBindings } from "../bindings/kernels.js";
import { native } from "../bindings/pointer.js";
import { openEngine } from "../native/engine.js";
import { checkLayout } from "./check-layout.js";
import { chooseKernels, kernelVariants, whyNot } from "./open-kernels.js";

const engine = openEngine();
const { kernels } = chooseKernels(engine, "auto");

describe("chooseKernels", () => {
  it("leaves everything to ggml when that is chosen", () => {
    expect(chooseKernels(engine, "ggml")).toEqual({ kernels: undefined, notice: undefined });
  });

  it.skipIf(kernels === undefined)("takes the best variant by itself, another one by its name", () => {
    expect(kernels?.variant).toBe(kernels?.variants[0]);
    for (const variant of kernels?.variants ?? [])
      expect(chooseKernels(engine, variant as "avx2").kernels?.variant).toBe(variant);
  });

  it("refuses a variant by name that the processor does not run, and says which ones it runs", () => {
    const foreign = process.arch === "arm64" ? "avx2" : "neon-dotprod";
    const message = expect.stringContaining(kernelVariants(engine).join(", "));
    expect(() => chooseKernels(engine, foreign)).toThrow(
      expect.objectContaining({ code: "KERNELS_UNAVAILABLE", message }),
    );
  });
});

describe("kernelVariants", () => {
  const variants = kernelVariants(engine);

  it.skipIf(kernels === undefined)("are those that the kernels list", () => {
    expect(variants).toEqual(kernels?.variants);
  });

  it("are all there to be chosen, verified or not", () => {
    const chosen = variants.map((variant) => chooseKernels(engine, variant as "avx2").kernels?.variant);
    expect(chosen).toEqual(variants);
  });
});

describe("whyNot", () => {
  it.each([
    [
      undefined,
      ["neon-dotprod"],
      "This machine can run Rhone's kernels neon-dotprod, whose tests nobody has run on such hardware yet, so ggml " +
        "computes. RHONE_KERNELS=neon-dotprod tries them.",
    ],
    [
      undefined,
      [],
      "This processor can't run Rhone's kernels; it runs none of the kernels. Set RHONE_KERNELS to auto or ggml.",
    ],
    [
      "amx-int8",
      ["avx512-vnni", "avx2"],
      "This processor can't run the kernels amx-int8; it runs avx512-vnni, avx2. Set RHONE_KERNELS to auto or ggml.",
    ],
  ])("says of %s, where %j run, what to do", (variant, variants, message) => {
    expect(whyNot(variant, variants)).toBe(message);
  });
});

describe.skipIf(kernels === undefined)("Kernels", () => {
  it.each([
    { what: "a matrix", ne: [64, 16], packed: true },
    { what: "one of a single row", ne: [64], packed: true },
    { what: "rows that are no whole blocks", ne: [40, 16], packed: false },
    { what: "matrices of experts", ne: [64, 16, 2], packed: false },
  ] as const)("take $what of Q4_0: $packed", ({ ne, packed }) => {
    expect(kernels?.supports({ type: 2, ne })).toBe(packed);
  });

  it("leave numbers of 64 bits to ggml", () => {
    expect(kernels?.supports({ type: 28, ne: [64, 16] })).toBe(false);
  });
});

describe.skipIf(kernels === undefined)("checkLayout", () => {
  const bindings = kernels?.[native] as KernelBindings;
  const { quantize } = bindings ?? {};

  it("accepts kernels that were compiled for this ggml", () => {
    expect(() => checkLayout(engine[native], bindings)).not.toThrow();
  });

  it.each([
    [
      "tensors of another size",
      { tensorSize: (() => TENSOR_LAYOUT.size + 8) as never },
      "a tensor takes 336 bytes, there 344",
    ],
    ["results of another size", { activationBytes: (() => 7) as never }, "elements, rows"],
    ["no node", { quantize: (() => null) as never }, "its tensor has no node, not"],
    [
      "another source",
      {
        quantize: ((...[graph, context, how, kind, , , eps]: Parameters<typeof quantize>) =>
          quantize(
            graph,
            context,
            how,
            kind,
            engine[native].ggml.newTensor4d(context as never, 0, 256, 3, 1, 1),
            null,
            eps,
          )) as never,
      },
      "source ",
    ],
  ])("refuses kernels that make %s", (_, other, message) => {
    expect(() => checkLayout(engine[native], { ...bindings, ...other })).toThrow(
      expect.objectContaining({ code: "KERNELS_UNAVAILABLE", message: expect.stringContaining(message) }),
    );
  });
});
