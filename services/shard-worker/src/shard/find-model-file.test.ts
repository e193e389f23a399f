import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openGguf } from "@rhone/model";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findModelFile } from "./find-model-file.js";

const breeze = fileURLToPath(new URL("../../../../models/breeze-q8_0.gguf", import.meta.url));
let folder = "";
let own = "";
let fingerprint = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rhone-models-"));
  own = join(folder, "own");
  await mkdir(own);
  await copyFile(breeze, join(own, "m.gguf"));
  fingerprint = (await openGguf(breeze)).headerFingerprint;
});
afterAll(() => rm(folder, { recursive: true }));

const model = (path: string, print = fingerprint) => ({ name: "breeze", path, fingerprint: print });

test("the coordinator's path comes first, this worker's own folder second", async () => {
  expect((await findModelFile(model(breeze), own)).path).toBe(breeze);
  expect((await findModelFile(model("/elsewhere/m.gguf"), own)).path).toBe(join(own, "m.gguf"));
});

test("another file of that name is refused, with both fingerprints and what to do", async () => {
  await expect(findModelFile(model(breeze, "0123"))).rejects.toMatchObject({
    code: "MODEL_MISMATCH",
    message:
      `${breeze} is not the coordinator's file of breeze: the SHA-256 of its header is ${fingerprint}, ` +
      "the coordinator's 0123. Copy the coordinator's file here.",
  });
});

test.each([
  [undefined, "there is no /elsewhere/x.gguf. "],
  ["/own", "there is no /elsewhere/x.gguf and no /own/x.gguf. "],
])("a missing file is refused with the places that were tried, own folder %s", async (modelsDir, places) => {
  await expect(findModelFile(model("/elsewhere/x.gguf"), modelsDir)).rejects.toMatchObject({
    code: "MODEL_NOT_FOUND",
    message: `The file of breeze is not on this machine: ${places}Copy it there, or set --models-dir to its folder.`,
  });
});

test("a file that is no GGUF fails as its reader does", async () => {
  const path = join(folder, "text.gguf");
  await writeFile(path, "hello");
  await expect(findModelFile(model(path))).rejects.toMatchObject({ code: expect.stringMatching(/^GGUF_/) });
});
