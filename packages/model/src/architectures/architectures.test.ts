import type { Tensor } from "@rhone/ggml";
import { describe, expect, test } from "vitest";
import { qwenLike } from "../testing/qwen-like.js";
import type { Architecture } from "./architecture.js";
import { ARCHITECTURES, architectureNamed, architectureOfCheckpoint } from "./architectures.js";
import type { Layer } from "./block.js";
import { llama } from "./llama.js";

/** Runs a block on a layer that computes nothing, and records in order what the block asks for. */
function trace({ block }: Architecture): readonly string[] {
  const calls: string[] = [];
  const tensorOf = (name: string): Tensor => ({ toString: () => name }) as unknown as Tensor;
  const record = (call: string): Tensor => {
    calls.push(call);
    return tensorOf(call);
  };
  const layer: Layer = {
    norm: (_, weight) => record(`norm ${weight}`),
    linear: (_, weight) => record(`linear ${weight}`),
    bias: (_, bias) => record(`bias ${bias}`),
    heads: () => record("heads"),
    rope: () => record("rope"),
    attend: () => ({ attended: record("attend"), residual: tensorOf("residual") }),
    add: () => record("add"),
    swiglu: () => record("swiglu"),
  };
  block(tensorOf("x"), layer);
  return calls;
}

describe.each([...ARCHITECTURES, qwenLike].map((architecture) => ({ name: architecture.name, architecture })))(
  "$name",
  ({ architecture }) => {
    const calls = trace(architecture);

    test("computes with each of its tensors, and with no other", () => {
      const asked = calls.flatMap((call) => /^(?:norm|linear|bias) (.+)$/.exec(call)?.[1] ?? []);
      expect(asked.toSorted()).toEqual(Object.keys(architecture.layerTensors).toSorted());
    });

    test("uses matrices in linear, norms in norm, biases in bias", () => {
      const operation = { matrix: "linear", norm: "norm", bias: "bias" } as const;
      for (const [role, { kind }] of Object.entries(architecture.layerTensors)) {
        expect(calls).toContain(`${operation[kind]} ${role}`);
      }
    });

    test("attends once", () => {
      expect(calls.filter((call) => call === "attend")).toHaveLength(1);
    });

    test("gives no two tensors one name, in GGUF or in a checkpoint", () => {
      const tensors = Object.values(architecture.layerTensors);
      for (const key of ["name", "checkpointName"] as const) {
        expect(new Set(tensors.map((tensor) => tensor[key])).size).toBe(tensors.length);
      }
    });
  },
);

test("no two architectures share a name or a checkpoint class", () => {
  const names = ARCHITECTURES.map(({ name }) => name);
  const classes = ARCHITECTURES.flatMap(({ checkpoint }) => Object.keys(checkpoint.classes));
  expect(new Set(names).size).toBe(names.length);
  expect(new Set(classes).size).toBe(classes.length);
});

test("llama's block is Llama's, operation by operation", () => {
  expect(trace(llama)).toEqual([
    "norm attnNorm",
    ...["linear attnQ", "linear attnK", "linear attnV"],
    ...["heads", "rope", "heads", "rope", "attend", "linear attnOutput", "add"],
    ...["norm ffnNorm", "linear ffnGate", "linear ffnUp", "swiglu", "linear ffnDown", "add"],
  ]);
});

test("llama's attn_v and ffn_down get more bits in mixed files", () => {
  const marked = Object.entries(llama.layerTensors).filter(([, { traits }]) => traits.sensitive);
  expect(marked.map(([role]) => role)).toEqual(["attnV", "ffnDown"]);
});

test("llama's attention output and ffn_down write into the residual stream", () => {
  const marked = Object.entries(llama.layerTensors).filter(([, { traits }]) => traits.writesResidual);
  expect(marked.map(([role]) => role)).toEqual(["attnOutput", "ffnDown"]);
});

describe("an architecture", () => {
  test("is found by the name in its GGUF files", () => {
    expect(architectureNamed("llama", { path: "x.gguf" })).toBe(llama);
    expect(architectureNamed("qwen-like", { path: "x.gguf", among: [llama, qwenLike] })).toBe(qwenLike);
  });

  test.each([
    ["LlamaForCausalLM", llama],
    ["MistralForCausalLM", llama],
    ["QwenLikeForCausalLM", qwenLike],
  ])("is found by its checkpoints' class %s", (className, expected) => {
    expect(architectureOfCheckpoint(className, { path: "config.json", among: [llama, qwenLike] })).toBe(expected);
  });

  test.each(["unheard-of", "LLAMA", "", "toString"])("named %o is refused with the list of supported ones", (name) => {
    expect(() => architectureNamed(name, { path: "x.gguf", among: [llama, qwenLike] })).toThrow(
      expect.objectContaining({
        code: "MODEL_UNSUPPORTED",
        message:
          `x.gguf: architecture ${name} is not supported; supported are llama (Mistral 7B, Llama 1 to 3, Code Llama, ` +
          "SmolLM2 and their kin), qwen-like (models of tests).",
      }),
    );
  });

  test.each(["UnheardOfForCausalLM", "toString"])("of class %s is refused with the list of supported ones", (name) => {
    expect(() => architectureOfCheckpoint(name, { path: "config.json", among: [llama] })).toThrow(
      expect.objectContaining({
        code: "MODEL_UNSUPPORTED",
        message: `config.json: class ${name} is not supported; supported are LlamaForCausalLM, MistralForCausalLM.`,
      }),
    );
  });
});
