import { describe, expect, it } from "vitest";
import { PromptEmbedding } from "./prompt-embedding.js";

const read = (base64: string): number[] => [...new Float32Array(Uint8Array.from(Buffer.from(base64, "base64")).buffer)];

describe("PromptEmbedding", () => {
  it("gives the sum of all spans at length 1", () => {
    const embedding = new PromptEmbedding();
    embedding.add({ position: 0, count: 2 }, Float32Array.of(1, 3));
    embedding.add({ position: 2, count: 1 }, Float32Array.of(2, 1));
    expect(read(embedding.toBase64())).toEqual([Math.fround(0.6), Math.fround(0.8)]);
  });

  it("begins again with the prompt", () => {
    const embedding = new PromptEmbedding();
    embedding.add({ position: 0, count: 5 }, Float32Array.of(9, 9));
    embedding.add({ position: 0, count: 3 }, Float32Array.of(0, 2));
    embedding.add({ position: 3, count: 3 }, Float32Array.of(0, 5));
    expect(read(embedding.toBase64())).toEqual([0, 1]);
  });

  it("refuses a span that does not follow, and a sum of another width", () => {
    const embedding = new PromptEmbedding();
    embedding.add({ position: 0, count: 2 }, Float32Array.of(1, 1));
    expect(() => embedding.add({ position: 3, count: 1 }, Float32Array.of(1, 1))).toThrow(
      /begins at position 3 with 2 values; expected position 2/,
    );
    expect(() => embedding.add({ position: 2, count: 1 }, Float32Array.of(1))).toThrow(/1 values/);
  });

  it("leaves zero as it is", () => {
    const embedding = new PromptEmbedding();
    embedding.add({ position: 0, count: 1 }, new Float32Array(2));
    expect(read(embedding.toBase64())).toEqual([0, 0]);
  });
});
