import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { GgmlType } from "@rhone/ggml";
import { expect, test } from "vitest";
import { scratchFolder } from "../testing/scratch-folder.js";
import { gguf } from "./gguf-value.js";
import { GgufWriter } from "./gguf-writer.js";
import { metadataStrings } from "./metadata.js";
import { openGguf } from "./open-gguf.js";

const tensors = [
  { name: "a", type: GgmlType.F32, ne: [3] },
  { name: "b", type: GgmlType.Q8_0, ne: [32, 2] },
];

async function writer() {
  const folder = await scratchFolder();
  const path = join(folder, "x.gguf");
  return { folder, path, writer: await GgufWriter.create(path, { metadata: new Map(), tensors }) };
}

test("the final name appears with the last byte, and nothing else stays", async () => {
  const { folder, path, writer: out } = await writer();
  await out.write("a", new Uint8Array(12));
  await out.write("b", new Uint8Array(34));
  expect(await readdir(folder)).not.toContain("x.gguf");
  await out.write("b", new Uint8Array(34));
  await out.commit();
  expect(await readdir(folder)).toEqual(["x.gguf"]);
  expect((await openGguf(path)).fileBytes).toBe(out.fileBytes);
});

test("an aborted file leaves nothing", async () => {
  const { folder, writer: out } = await writer();
  await out.write("a", new Uint8Array(12));
  await out.abort();
  expect(await readdir(folder)).toEqual([]);
});

test("tensors out of order, too long or missing are refused", async () => {
  const { writer: out } = await writer();
  await expect(out.write("b", new Uint8Array(34))).rejects.toThrow(/expected 12 bytes of a/);
  await expect(out.write("a", new Uint8Array(13))).rejects.toThrow(/got 13 bytes of a/);
  await out.write("a", new Uint8Array(12));
  await expect(out.commit()).rejects.toThrow(/b was not written completely/);
  await out.abort();
});

test("rows that do not fill a type's blocks are refused before anything is written", async () => {
  const folder = await scratchFolder();
  const odd = [{ name: "a", type: GgmlType.Q4_K, ne: [128, 2] }];
  const created = GgufWriter.create(join(folder, "x.gguf"), { metadata: new Map(), tensors: odd });
  await expect(created).rejects.toMatchObject({ code: "TENSOR_TYPE_UNSUPPORTED" });
  expect(await readdir(folder)).toEqual([]);
});

test("a vocabulary of 131,072 pieces fits into the header", async () => {
  const path = join(await scratchFolder(), "large.gguf");
  const pieces = Array.from({ length: 131_072 }, (_, id) => `piece ${id}`);
  const metadata = new Map([["tokenizer.ggml.tokens", gguf.strings(pieces)]]);
  const out = await GgufWriter.create(path, { metadata, tensors: [{ name: "a", type: GgmlType.F32, ne: [3] }] });
  await out.write("a", new Uint8Array(12));
  await out.commit();
  expect(metadataStrings(await openGguf(path), "tokenizer.ggml.tokens")).toEqual(pieces);
});
