import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { scratchFolder } from "../testing/scratch-folder.js";
import { CATALOGUE, findModel, findModelOfFile } from "./catalogue.js";
import { nearestNames } from "./nearest-names.js";
import { resolveModel } from "./resolve-model.js";

test("no two entries share a name, an alias or a file", () => {
  const names = CATALOGUE.flatMap((entry) => [entry.name, ...entry.aliases]);
  expect(new Set(names).size).toBe(names.length);
  expect(new Set(CATALOGUE.map(({ file }) => file)).size).toBe(CATALOGUE.length);
});

test("both files of Mistral v0.1 get the window that they lack", () => {
  expect(findModel("mistral-7b-v0.1")?.slidingWindow).toBe(4096);
  expect(findModel("mistral-7b-instruct-v0.1")?.slidingWindow).toBe(4096);
  expect(findModel("mistral-7b-instruct-v0.2")?.slidingWindow).toBeUndefined();
});

test.each(["mistral", "MISTRAL-7B", "Mistral-7B-Instruct-v0.3-Q4_K_M.gguf"])("%s is found", (name) => {
  expect(findModel(name)?.name).toBe("mistral-7b-instruct-v0.3");
});

test.each([
  ["breze", ["breeze"]],
  ["mistral", ["mistral-7b"]],
  ["gpt", []],
])("near %s is %s", (typed, expected) => {
  expect(nearestNames(typed, ["breeze", "mistral-7b", "llama-2-7b"])).toEqual(expected);
});

describe("resolveModel", () => {
  test("finds the embedded model without a models folder", async () => {
    const { path, entry } = await resolveModel("breeze", { modelsDir: "/nowhere" });
    expect(path).toMatch(/models\/breeze-q8_0\.gguf$/);
    expect(entry?.name).toBe("breeze");
  });

  test("finds pulled models by name, and files by path or by name in the folder", async () => {
    const modelsDir = join(await scratchFolder(), "models");
    await mkdir(modelsDir);
    const pulled = join(modelsDir, "llama-2-7b.Q4_K_M.gguf");
    await writeFile(pulled, "");
    await writeFile(join(modelsDir, "own.gguf"), "");
    expect(await resolveModel("llama-2-7b", { modelsDir })).toMatchObject({
      path: pulled,
      entry: { name: "llama-2-7b" },
    });
    expect(await resolveModel(pulled, { modelsDir })).toMatchObject({ path: pulled, entry: { name: "llama-2-7b" } });
    expect(await resolveModel("own.gguf", { modelsDir })).toEqual({
      path: join(modelsDir, "own.gguf"),
      entry: undefined,
    });
  });

  test("takes an existing file of any name, so that its reader says what is wrong with it", async () => {
    const found = await resolveModel("package.json", { modelsDir: await scratchFolder() });
    expect(found).toEqual({ path: resolve("package.json"), entry: undefined });
  });

  test.each([
    ["packages", /no model named packages/],
    ["mistral", /rhone model pull mistral-7b-instruct-v0.3/],
    ["llama-2-7", /Did you mean llama-2-7b/],
    ["zebra", /no model named zebra\. List models with `rhone model ls`/],
    ["./missing.gguf", /no file .*missing\.gguf/],
    ["missing.gguf", /no file .*missing\.gguf/],
  ])("%s is not found, and the message says what to do", async (name, message) => {
    const resolved = resolveModel(name, { modelsDir: await scratchFolder() });
    await expect(resolved).rejects.toMatchObject({ code: "MODEL_NOT_FOUND", message: expect.stringMatching(message) });
  });

  test.each([
    ["mistral", /fetch it with: \.\/rhone model pull mistral-7b-instruct-v0\.3 --data-dir \/d$/],
    ["zebra", /with `\.\/rhone model ls --data-dir \/d`, fetch one with `\.\/rhone model pull NAME --data-dir \/d`/],
  ])("%s is refused with commands as the caller writes them", async (name, message) => {
    const rhone = (args: string) => `./rhone ${args} --data-dir /d`;
    await expect(resolveModel(name, { modelsDir: await scratchFolder(), rhone })).rejects.toThrow(message);
  });
});

test.each([
  ["/m/Mistral-7B-Instruct-v0.3-Q4_K_M.gguf", "mistral-7b-instruct-v0.3"],
  ["/m/Mistral-7B-Instruct-v0.3-Q4_K_M-00002-of-00003.gguf", "mistral-7b-instruct-v0.3"],
  ["/m/mine.gguf", undefined],
])("%s is a file of %s", (path, name) => expect(findModelOfFile(path)?.name).toBe(name));
