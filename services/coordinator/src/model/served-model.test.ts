import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadServedModel } from "./served-model.js";

const BREEZE = fileURLToPath(new URL("../../../../models/breeze-q8_0.gguf", import.meta.url));
const load = (overrides: { slidingWindow?: number; context?: number } = {}) =>
  loadServedModel({
    path: BREEZE,
    origin: "",
    name: undefined,
    slidingWindow: overrides.slidingWindow,
    context: overrides.context,
    ggmlDir: undefined,
  });

describe("loadServedModel", () => {
  it("knows the embedded model", async () => {
    const { served, file, weights, endTokens, pieces, pageBytes } = await load();
    expect(served).toMatchObject({ nLayers: 32, slidingWindow: 64 });
    expect(served.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(file?.headerFingerprint).toBe(served.fingerprint);
    expect(file?.stamp).toMatch(/^\d+-\d+-\d+-\d+$/);
    expect(weights.layerBytes).toHaveLength(32);
    expect(weights.wholeBytes).toBeLessThanOrEqual(served.fileBytes);
    expect(pageBytes("f32", 32)).toBe(2 * pageBytes("f16", 32));
    expect(endTokens.has(2)).toBe(true);
    expect(pieces.piece(2, false).text).toBe("");
    expect(pieces.piece(2, true).text).toBe("</s>");
  });

  it("obeys the operator's window and context", async () => {
    expect((await load({ slidingWindow: 0 })).served.slidingWindow).toBeNull();
    expect((await load({ context: 100 })).served.contextLength).toBe(100);
    await expect(load({ context: 1e6 })).rejects.toThrow(/--context 1000000 is longer than the model's context of \d+/);
  });
});
