import { RhoneError } from "@rhone/common";
import { GgmlType } from "@rhone/ggml";
import { rhone } from "@rhone/proto";
import { expect, test } from "vitest";
import { writeOutput, writeReady } from "./write-result.js";

const { Frame, ActivationType } = rhone.v1;
const TIMING = { stage: 1, computeUs: 30 };
const received = {
  spans: [{ sequence: 4, count: 1 }],
  tokens: Uint8Array.of(1, 0, 0, 0),
  hidden: Uint8Array.of(9),
  timings: [{ stage: 0, computeUs: 20 }],
};

test("a step goes on with this stage's activations and timing in it, and everything else as it came", () => {
  const bytes = Uint8Array.of(1, 2, 3, 4);
  const { stepBody } = writeOutput({ kind: "hidden", hidden: { type: GgmlType.Q8_0, bytes } }, received, TIMING);
  expect(stepBody).toEqual({
    ...received,
    hidden: bytes,
    hiddenType: ActivationType.ACTIVATION_Q8_0,
    timings: [{ stage: 0, computeUs: 20 }, TIMING],
  });
  expect(stepBody?.hidden).toBe(bytes); // never copied
});

test("results carry what was asked for and nothing else", () => {
  const plain = { token: 5, logprob: null, top: [] };
  const scored = {
    token: 6,
    logprob: -0.5,
    top: [
      [6, -0.5],
      [7, -2],
    ] as const,
  };
  const pooled = Float32Array.of(0, 1.5, -2).subarray(1);
  const spans = [
    { sequence: 1, tokens: [plain], scores: [], pooled: null, error: null },
    { sequence: 2, tokens: [], scores: [scored], pooled, error: new RhoneError("STAGE_FAILED", "no") },
  ];
  const body = writeOutput({ kind: "results", spans }, received, TIMING);
  const { result } = Frame.decode(Frame.encode(body).finish());
  expect(result?.spans?.map(({ sequence }) => sequence)).toEqual([1, 2]);
  const [first, second] = result?.spans ?? [];
  expect(first?.tokens).toEqual([expect.objectContaining({ token: 5, logprob: 0, topTokens: [] })]);
  expect(first?.pooled).toHaveLength(0);
  expect(second?.scores).toMatchObject([{ token: 6, logprob: -0.5, topTokens: [6, 7], topLogprobs: [-0.5, -2] }]);
  expect(new Float32Array(Uint8Array.from(second?.pooled ?? []).buffer)).toEqual(Float32Array.of(1.5, -2));
  expect([first?.error, second?.error]).toEqual([
    null,
    expect.objectContaining({ code: "STAGE_FAILED", message: "no" }),
  ]);
  expect(result?.timings).toHaveLength(2);
});

test("a sequence is ready, or has an error", () => {
  const onWire = (error: RhoneError | null) => Frame.decode(Frame.encode(writeReady({ sequence: 4, error })).finish());
  expect(onWire(null).ready).toMatchObject({ sequence: 4, error: null });
  expect(onWire(new RhoneError("GGML_FAILED", "no")).ready?.error).toMatchObject({
    code: "GGML_FAILED",
    message: "no",
  });
});

test("activations of a type that the wire does not know are a broken invariant", () => {
  const hidden = { type: GgmlType.Q4_0, bytes: new Uint8Array() };
  expect(() => writeOutput({ kind: "hidden", hidden }, received, TIMING)).toThrow(RangeError);
});
