import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { GgufFile } from "@rhone/model";
import { openGguf } from "@rhone/model";
import { expect, onTestFinished, test } from "vitest";
import { scratchFolder } from "../../../model/src/testing/scratch-folder.js";
import { fileStamp } from "../files/file-stamp.js";
import {
  damageTensor,
  fakeLogger,
  hashesOf,
  layers,
  openCache,
  PLAINTEXT,
  serveWeights,
  testThread,
  writeModel,
} from "../testing/weights-scene.js";
import { FetchedFiles } from "./model-files.js";

const { signal } = new AbortController();

/** A machine with a folder of its own, whose coordinator has `file`. */
async function machine(file: GgufFile, { isThere = true } = {}) {
  const own = join(await scratchFolder(), "own");
  await mkdir(own);
  const coordinator = isThere ? await serveWeights(file) : "127.0.0.1:1";
  const { logger, warnings } = fakeLogger();
  const counts = { bytes: 0 };
  const files = new FetchedFiles({
    coordinator,
    security: PLAINTEXT,
    modelsDir: own,
    cache: await openCache(),
    thread: testThread,
    counts: {
      received: (bytes) => {
        counts.bytes += bytes;
      },
      wrong: () => {},
    },
    logger,
    backoffMs: 1,
  });
  const stamp = await fileStamp(file);
  const find = async (path = `/elsewhere/${basename(file.path)}`) => {
    const model = { name: "m", path, fingerprint: file.headerFingerprint, stamp, origin: "", sources: [] };
    const found = await files.find(model, { wanted: layers(0, 2), onProgress: () => {}, signal });
    onTestFinished(() => found.close());
    return found.file;
  };
  return { own, find, counts, warnings, copy: join(own, basename(file.path)) };
}

test("the coordinator's own file is used without a question to anybody", async () => {
  const file = await writeModel();
  const { find } = await machine(file, { isThere: false });
  expect((await find(file.path)).path).toBe(file.path);
});

test("a copy in this machine's folder is used once its tensors have the right hashes", async () => {
  const file = await writeModel();
  const { find, copy, counts } = await machine(file);
  await copyFile(file.path, copy);
  expect((await find()).path).toBe(copy);
  expect(counts.bytes).toBe(0);
});

test("a copy with a changed byte is named, and the weights are fetched", async () => {
  const file = await writeModel();
  const { find, copy, counts, warnings } = await machine(file);
  await copyFile(file.path, copy);
  const tensor = layers(0, 2)(await openGguf(copy))[2];
  if (tensor === undefined) throw new Error("no tensor");
  await damageTensor(tensor);
  const found = await find();
  expect(found.path).not.toBe(copy);
  expect(await hashesOf(layers(0, 2)(found))).toEqual(await hashesOf(layers(0, 2)(file)));
  expect(counts.bytes).toBeGreaterThan(tensor.bytes);
  expect(warnings()[0]).toEqual([
    { path: copy, problem: expect.stringMatching(new RegExp(`^its ${tensor.name} has the SHA-256 `)) },
    "this is not the coordinator's model file",
  ]);
});

test.each([
  ["no GGUF file", (copy: string) => writeFile(copy, "hello")],
  ["nothing", async () => {}],
])("where there is %s the weights are fetched", async (_name, prepare) => {
  const file = await writeModel();
  const { find, copy } = await machine(file);
  await prepare(copy);
  expect(await hashesOf(layers(0, 2)(await find()))).toEqual(await hashesOf(layers(0, 2)(file)));
});

test("a coordinator that gives nothing is named, with the places that were tried", async () => {
  const file = await writeModel();
  const { find, copy } = await machine(file, { isThere: false });
  await expect(find("/elsewhere/random.gguf")).rejects.toMatchObject({
    code: "WORKER_LOST",
    message: expect.stringContaining(
      `The weights of m could not be fetched, which this machine lacks (there is no /elsewhere/random.gguf; there is no ${copy}): `,
    ),
  });
});
