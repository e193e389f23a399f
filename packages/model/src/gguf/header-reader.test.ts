import { closeSync, openSync } from "node:fs";
import { stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { scratchFolder } from "../testing/scratch-folder.js";
import { HeaderReader } from "./header-reader.js";

const MIB = 1 << 20;

async function readerOf(bytes: Uint8Array): Promise<HeaderReader> {
  const path = join(await scratchFolder(), "x.gguf");
  await writeFile(path, bytes);
  const fd = openSync(path, "r");
  onTestFinished(() => closeSync(fd));
  return new HeaderReader({ path, fd, fileBytes: (await stat(path)).size });
}

/** A length of 64 bits and the text's bytes. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([length, bytes]);
}

describe("HeaderReader", () => {
  test("reads little-endian numbers and texts one after another", async () => {
    const reader = await readerOf(Buffer.concat([Buffer.of(1, 2, 0, 0, 9, 0, 0, 0, 0, 0, 0, 1), text("▁a")]));
    expect([reader.u32("a"), reader.u64("b"), reader.string("c")]).toEqual([513, 2n ** 56n + 9n, "▁a"]);
    expect([reader.offset, reader.remaining]).toEqual([24, 0]);
  });

  test("reads on across its window of 1 MiB", async () => {
    const bytes = Buffer.alloc(2 * MIB + 10);
    bytes.writeUInt32LE(7, 0);
    bytes.writeUInt32LE(77, MIB - 2);
    bytes.writeUInt32LE(777, 2 * MIB + 6);
    const reader = await readerOf(bytes);
    expect(reader.u32("first")).toBe(7);
    reader.bytes(MIB - 6, "filler");
    expect(reader.u32("over the edge")).toBe(77);
    reader.bytes(MIB + 4, "more than a window");
    expect(reader.u32("last")).toBe(777);
    expect(reader.remaining).toBe(0);
  });

  test("gives bytes on a buffer of their own", async () => {
    const reader = await readerOf(Buffer.of(1, 2, 3, 4));
    const first = reader.bytes(2, "first");
    expect(first.buffer.byteLength).toBe(2);
    first.fill(9);
    expect([...reader.bytes(2, "second")]).toEqual([3, 4]);
  });

  test("keeps a byte order mark", async () => {
    expect((await readerOf(text("\ufeffx"))).string("a token")).toBe("\ufeffx");
  });

  test.each<[string, Buffer, (reader: HeaderReader) => unknown, string, RegExp]>([
    [
      "a number",
      Buffer.alloc(3),
      (r) => r.u32("the version"),
      "GGUF_TRUNCATED",
      /ends at byte 3, inside the version.*takes 4 bytes; fetch the file again\.$/,
    ],
    ["a text's length", Buffer.alloc(7), (r) => r.string("a key"), "GGUF_TRUNCATED", /inside the length of a key/],
    [
      "a text",
      Buffer.concat([text("abc").subarray(0, 10)]),
      (r) => r.string("a key"),
      "GGUF_TRUNCATED",
      /the length of a key is 3, which needs at least 3 bytes, but the file ends 2 bytes later/,
    ],
    [
      "a list",
      text("").fill(5, 0, 1),
      (r) => r.count("the tokens", 8),
      "GGUF_TRUNCATED",
      /the tokens is 5, which needs at least 40 bytes/,
    ],
  ])("names the place where the file ends inside %s", async (_, bytes, read, code, message) => {
    const reader = await readerOf(bytes);
    expect(() => read(reader)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
  });

  test.each<[string, Buffer, (reader: HeaderReader) => unknown, RegExp]>([
    [
      "a count beyond 2^53",
      Buffer.alloc(8, 0xff),
      (r) => r.count("the tensors", 1),
      /byte 0: the tensors is 18446744073709551615, which no file can hold/,
    ],
    [
      "broken UTF-8",
      Buffer.concat([text("aa").subarray(0, 8), Buffer.of(0xc3, 0x28)]),
      (r) => r.string("a key"),
      /byte 8: a key is not valid UTF-8/,
    ],
  ])("refuses %s", async (_, bytes, read, message) => {
    const reader = await readerOf(bytes);
    const refusal = expect.objectContaining({ code: "GGUF_MALFORMED", message: expect.stringMatching(message) });
    expect(() => read(reader)).toThrow(refusal);
  });

  test("notices a file that shrinks while it is read", async () => {
    const reader = await readerOf(Buffer.alloc(2 * MIB));
    reader.u32("first");
    await truncate(reader.path, MIB + 5);
    expect(() => reader.bytes(2 * MIB - 4, "the rest")).toThrow(/shrank to 1048581 bytes/);
  });
});
