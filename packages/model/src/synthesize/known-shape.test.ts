import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CATALOGUE, type CatalogueEntry, findModel } from "../catalogue/catalogue.js";
import { inspectModel } from "../inspect/inspect-model.js";
import { parseQuantization } from "../quantization/quantization.js";
import { scratchFolder } from "../testing/scratch-folder.js";
import { knownShape } from "./known-shape.js";
import { synthesize } from "./synthesize.js";

const [BREEZE] = CATALOGUE;

describe("knownShape", () => {
  test.each([
    ["tiny", "q4_k_m"],
    ["tiny", "q4_1"],
    ["tiny-tied", "q4_0"],
    ["tiny-tied", "f16"],
  ])("has the sizes of a file of %s in %s", async (preset, type) => {
    const path = join(await scratchFolder(), "model.gguf");
    await synthesize({ preset, type: parseQuantization(type), seed: 1, out: path });
    const { weightBytes, nParameters, config } = await inspectModel(path);
    const shape = knownShape({ ...(BREEZE as CatalogueEntry), shape: { preset, type }, contextLength: 99 });
    expect(shape).toMatchObject({ weightBytes, nParameters, config: { nLayers: config.nLayers, contextLength: 99 } });
  });

  test("fits the file, where its size is known: the rest is its vocabulary", () => {
    const entry = findModel("smollm2") as CatalogueEntry;
    const rest = (entry.bytes ?? 0) - (knownShape(entry)?.weightBytes.total ?? 0);
    expect(rest).toBeGreaterThan(1.5e6);
    expect(rest).toBeLessThan(2e6);
  });

  test("is known of every model but the embedded one, which is there", () => {
    expect(CATALOGUE.filter((entry) => knownShape(entry) === null).map(({ name }) => name)).toEqual(["breeze"]);
    const sizes = CATALOGUE.map((entry) => [entry.name, (knownShape(entry)?.weightBytes.total ?? 0) / 1e9] as const);
    // As downloads list them: 4.4 GB for Mistral 7B in Q4_K_M, 7.9 GB for 13B.
    const gigabytes = new Map(sizes);
    expect(gigabytes.get("mistral-7b-instruct-v0.3")).toBeCloseTo(4.37, 1);
    expect(gigabytes.get("llama-2-13b")).toBeCloseTo(7.87, 1);
    expect(findModel("mistral-7b-v0.1")).toBeDefined();
    expect(knownShape(findModel("mistral-7b-v0.1") as CatalogueEntry)?.config.slidingWindow).toBe(4096);
  });
});
