import { packBias } from "@rhone/common";
import { expect, it } from "vitest";
import { fakeSequence } from "../testing/scheduling.js";
import { openBytes } from "./open-bytes.js";

const { sampling } = fakeSequence().job;
const logitBias = packBias({ tokens: new Int32Array(300), values: new Float32Array(300) });

it.each([
  ["nothing", {}, 0],
  ["generated tokens", { generated: [1, 2] }, 8],
  ["a prompt that is penalized", { promptIds: [1, 2, 3], sampling: { ...sampling, repetitionPenalty: 1.1 } }, 12],
  ["300 biases", { sampling: { ...sampling, logitBias } }, 2400],
  ["two grammars", { constraint: { grammar: "12345", trigger: 1, otherwise: "123" } }, 8],
])("counts %s", (_, job, expected) => expect(openBytes(fakeSequence(job))).toBe(expected));
