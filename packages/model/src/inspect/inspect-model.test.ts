import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { inspectModel } from "./inspect-model.js";

test("sums up Breeze", async () => {
  const path = fileURLToPath(new URL("../../../../models/breeze-q8_0.gguf", import.meta.url));
  const summary = await inspectModel(path);
  expect(summary).toMatchObject({
    fileBytes: 6_758_304,
    catalogueName: "breeze",
    chatTemplate: "mistral-v1",
    license: "apache-2.0",
    nParameters: 6_299_776,
    config: { slidingWindow: 64, nLayers: 32 },
    tensorTypes: [
      { type: "Q8_0", tensors: 226, bytes: 6_684_672 },
      { type: "F32", tensors: 65, bytes: 33_280 },
    ],
    kvBytesPerPosition: 4096,
  });
  const { total, embedding, head, layers } = summary.weightBytes;
  expect(embedding + head + layers.reduce((sum, bytes) => sum + bytes, 0)).toBe(total);
  expect(JSON.parse(JSON.stringify(summary)).headerFingerprint).toMatch(/^[0-9a-f]{64}$/);
});
