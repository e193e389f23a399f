import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CATALOGUE, modelPath } from "@rhone/model";
import { describe, expect, it } from "vitest";
import { styleFor } from "../terminal/style.js";
import { freshDataDir } from "../testing/recorded-cluster.js";
import { runCommand } from "../testing/run-command.js";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { formatModels, type ListedModel } from "./model.js";
import { outputName } from "./model-make.js";

const BREEZE = fileURLToPath(new URL("../../../models/breeze-q8_0.gguf", import.meta.url));

describe("rhone model ls", () => {
  it("lists the catalogue, with the size of what is on disk", async () => {
    const dataDir = await freshDataDir();
    const pulled = CATALOGUE.find(({ source }) => source.kind !== "embedded");
    if (pulled === undefined) throw new Error("the catalogue has nothing to pull");
    await writeFile(modelPath(pulled, dataDir.models), "12345");
    const { stdout } = await runCommand("model", "ls", "--json", "--data-dir", dataDir.root);
    const models = JSON.parse(stdout) as readonly ListedModel[];
    expect(models.map(({ name }) => name)).toEqual(CATALOGUE.map(({ name }) => name));
    expect(models.find(({ name }) => name === pulled.name)?.bytes).toBe(5);
    expect(models.find(({ name }) => name === "breeze")?.bytes).toBeGreaterThan(1e6);
    expect(models.some(({ bytes }) => bytes === null)).toBe(true);
  });

  it("is a table that ends with what to do next", () => {
    const model = { name: "m8", aliases: [], path: "/m8", contextLength: 4096, license: "MIT", notes: "small" };
    const models = [
      { ...model, bytes: 6.8e6 },
      { ...model, name: "other", bytes: null },
    ];
    expect(
      formatModels(models, { style: styleFor({}, undefined), pull: "./rhone model pull NAME", columns: undefined }),
    ).toBe(`NAME   ON DISK  CONTEXT  LICENSE  NOTES
m8      6.8 MB     4096  MIT      small
other        -     4096  MIT      small

Download one with: ./rhone model pull NAME`);
  });

  it.each([80, 100, 132])("fits into a terminal of %i columns", async (columns) => {
    const { stdout } = await runCommand("model", "ls", "--json");
    const models = JSON.parse(stdout) as readonly ListedModel[];
    const look = { style: styleFor({}, undefined), pull: "./rhone model pull NAME" };
    const [lines, whole] = [columns, undefined].map((width) => formatModels(models, { ...look, columns: width }));
    const widest = Math.max(...(lines ?? "").split("\n").map(({ length }) => length));
    expect(widest).toBeLessThanOrEqual(columns < 100 ? Number.POSITIVE_INFINITY : columns);
    const words = (text = "") => text.split(/\s+/).toSorted();
    expect(words(lines)).toEqual(words(whole));
  });
});

describe("rhone model pull", () => {
  it("refuses a file, which is no model of the catalogue", async () => {
    const { error } = await runCommand("model", "pull", BREEZE);
    expect(error).toMatchObject({
      code: "INVALID_REQUEST",
      message: `${BREEZE} is a file. Only models of the catalogue can be pulled.`,
    });
  });

  it("names the nearest models", async () => {
    expect((await runCommand("model", "pull", "mistrl-7b-v0.1")).error).toMatchObject({
      code: "MODEL_NOT_FOUND",
      message: expect.stringContaining("mistral-7b"),
    });
  });
});

describe("rhone model inspect", () => {
  it("shows the shape of a file", async () => {
    const { stdout } = await runCommand("model", "inspect", BREEZE);
    expect(stdout).toMatch(/^file +\S+breeze-q8_0\.gguf \(6\.\d MB, GGUF v3\)$/m);
    expect(stdout).toMatch(/^layers +32, \S+ kB each at most$/m);
    expect(stdout).toMatch(/^sliding window +64$/m);
  });

  it("prints everything as JSON", async () => {
    const { stdout } = await runCommand("model", "inspect", "breeze", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ ggufVersion: 3, config: { nLayers: 32, slidingWindow: 64 } });
  });

  it("prints no sliding window for a model without one", async () => {
    const path = join(await temporaryFolder(), "tiny.gguf");
    await runCommand("model", "synth", "-p", "tiny", "-o", path);
    const { stdout } = await runCommand("model", "inspect", path, "--json");
    expect(JSON.parse(stdout).config).not.toHaveProperty("slidingWindow");
  });
});

describe("rhone model synth", () => {
  it("writes a file of the preset's shape, and prints its path", async () => {
    const out = join(await temporaryFolder(), "tiny.gguf");
    const { stdout, stderr } = await runCommand("model", "synth", "-p", "tiny", "-o", out, "--layers", "3");
    expect(stdout).toBe(`${out}\n`);
    expect(stderr).toMatch(/^tiny .* (k|M)B\n$/s);
    const { stdout: shape } = await runCommand("model", "inspect", out, "--json");
    expect(JSON.parse(shape)).toMatchObject({ config: { nLayers: 3 }, fileBytes: (await stat(out)).size });
  });

  it("refuses a type that is none", async () => {
    const out = join(await temporaryFolder(), "x.gguf");
    const { error } = await runCommand("model", "synth", "-p", "tiny", "-o", out, "-t", "q9");
    expect(error).toMatchObject({ code: "INVALID_CONFIG", message: expect.stringContaining("q4_0") });
  });
});

describe("rhone model convert", () => {
  it("refuses a folder without a checkpoint", async () => {
    const folder = await temporaryFolder();
    const { error } = await runCommand("model", "convert", folder, "-o", join(folder, "x.gguf"));
    expect(error).toMatchObject({ code: "CHECKPOINT_MALFORMED", message: expect.stringContaining("config.json") });
  });

  it("writes into this folder whatever the model is called", () => {
    expect(outputName("acme/tiny:1", "q4_0")).toBe("acme-tiny:1-q4_0.gguf");
  });
});
