import { copyFile, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { RhoneError } from "@rhone/common";
import { GgmlType, openEngine, Vocabulary } from "@rhone/ggml";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { scratchFolder } from "../testing/scratch-folder.js";
import { smallModel, writeSmallModel, writeSmallParts } from "../testing/small-gguf.js";
import { encodeHeader, type TensorPlacement } from "./encode-header.js";
import { type GgufValue, gguf } from "./gguf-value.js";
import { fileStem, openGguf } from "./open-gguf.js";
import { readTensorBytes } from "./read-tensor-bytes.js";

const BREEZE = fileURLToPath(new URL("../../../../models/breeze-q8_0.gguf", import.meta.url));

describe("a file that GgufWriter wrote", () => {
  test("comes back with every value of every type", async () => {
    const values: [string, GgufValue][] = [
      ["u8", { type: "u8", value: 255 }],
      ["i8", { type: "i8", value: -128 }],
      ["u16", { type: "u16", value: 65_535 }],
      ["i16", { type: "i16", value: -32_768 }],
      ["u32", { type: "u32", value: 2 ** 32 - 1 }],
      ["i32", { type: "i32", value: -(2 ** 31) }],
      ["f32", { type: "f32", value: 0.5 }],
      ["bool", { type: "bool", value: true }],
      ["string", { type: "string", value: "mistral ☼" }],
      ["u64", { type: "u64", value: 2n ** 64n - 1n }],
      ["i64", { type: "i64", value: -(2n ** 63n) }],
      ["f64", { type: "f64", value: Math.PI }],
      ["strings", gguf.strings(["", "a", "▁b"])],
      ["f32s", gguf.f32s(Float32Array.of(1, -2.5))],
      ["i32s", gguf.i32s(Int32Array.of(-1, 2 ** 31 - 1))],
      ["u64s", { type: "array", of: "u64", value: BigUint64Array.of(7n) }],
      ["bools", { type: "array", of: "bool", value: Uint8Array.of(1, 0) }],
      ["none", gguf.strings([])],
    ];
    const file = await writeSmallModel({ metadata: new Map(values), tensors: [] });
    expect([...file.metadata]).toEqual(values);
  });

  test("tells where its tensors are, in file order, aligned", async () => {
    const file = await writeSmallModel(smallModel());
    const names = [...file.tensors.keys()];
    expect(names.slice(0, 3)).toEqual(["token_embd.weight", "blk.0.attn_norm.weight", "blk.0.attn_q.weight"]);
    const handle = await open(file.path);
    for (const [index, name] of names.entries()) {
      const info = file.tensors.get(name);
      if (info === undefined) throw new Error(name);
      expect(info.offset % file.alignment).toBe(0);
      expect(new Set(await readTensorBytes(handle, info))).toEqual(new Set([index]));
    }
    await handle.close();
  });

  test("has a fingerprint of its header alone", async () => {
    const file = await writeSmallModel(smallModel());
    const bytes = await readFile(file.path);
    bytes[bytes.length - 1] = 99;
    await writeFile(file.path, bytes);
    expect((await openGguf(file.path)).headerFingerprint).toBe(file.headerFingerprint);
    const other = smallModel();
    other.metadata.set("general.name", gguf.string("smalm"));
    expect((await writeSmallModel(other)).headerFingerprint).not.toBe(file.headerFingerprint);
  });
});

describe("a model that was split", () => {
  const sizes = [0, 5, 16];

  test.each([1, 2, 3])("is whole when part %i is named", async (named) => {
    const whole = await writeSmallModel(smallModel());
    const paths = await writeSmallParts(smallModel(), sizes);
    const file = await openGguf(paths[named - 1] ?? "");
    expect(file).toMatchObject({ path: paths[0], parts: paths.map((path) => ({ path })) });
    expect([...file.tensors.keys()]).toEqual([...whole.tensors.keys()]);
    expect(file.metadata.get("llama.block_count")).toEqual(whole.metadata.get("llama.block_count"));
    for (const [index, info] of [...file.tensors.values()].entries()) {
      expect(info.path).toBe(index < 5 ? paths[1] : paths[2]);
      const handle = await open(info.path);
      expect(new Set(await readTensorBytes(handle, info))).toEqual(new Set([index]));
      await handle.close();
    }
    const bytes = await Promise.all(paths.map(async (path) => (await readFile(path)).length));
    expect(file.parts.map((part) => part.bytes)).toEqual(bytes);
    expect(file.fileBytes).toBe(bytes.reduce((sum, each) => sum + each, 0));
    const firstInPart = [...file.tensors.values()].find(({ path }) => path === paths[1]);
    expect(file.parts[1]?.headerBytes).toBe(firstInPart?.offset);
  });

  test("has the vocabulary of the whole for libllama", async () => {
    const breeze = await openGguf(BREEZE);
    const model = { metadata: new Map(breeze.metadata), tensors: [...breeze.tensors.values()] };
    const [first = ""] = await writeSmallParts(model, [1, 200, breeze.tensors.size - 201]);
    const idsOf = (path: string) => {
      const vocabulary = Vocabulary.open(openEngine(), path);
      const ids = vocabulary.tokenize("The wind </s>", { addSpecial: true, parseSpecial: true });
      vocabulary.close();
      return ids;
    };
    expect(idsOf(first)).toEqual(idsOf(BREEZE));
  });

  test("has one fingerprint, whichever part is named, that changes with each part's header", async () => {
    const [first = "", second = ""] = await writeSmallParts(smallModel(), sizes);
    const { headerFingerprint } = await openGguf(first);
    expect((await openGguf(second)).headerFingerprint).toBe(headerFingerprint);
    const [other = ""] = await writeSmallParts(smallModel(), [0, 6, 15]);
    expect((await openGguf(other)).headerFingerprint).not.toBe(headerFingerprint);
  });

  test.each<[string, (paths: readonly string[]) => Promise<void>, string, RegExp]>([
    [
      "a part that is missing",
      async ([, second = ""]) => rm(second),
      "MODEL_NOT_FOUND",
      /one of 3 parts of a model, and \S+ lacks small-00002-of-00003\.gguf\. Put all parts in one folder\./,
    ],
    [
      "two parts that are missing",
      async ([, second = "", third = ""]) => Promise.all([rm(second), rm(third)]).then(() => {}),
      "MODEL_NOT_FOUND",
      /lacks small-00002-of-00003\.gguf, small-00003-of-00003\.gguf\./,
    ],
    [
      "parts that changed places",
      async ([, second = "", third = ""]) => copyFile(second, third),
      "GGUF_MALFORMED",
      /small-00003-of-00003\.gguf: split\.no is 1 of 3, not 2 of 3/,
    ],
    [
      "a part of another split of the model",
      async ([, , third = ""]) => {
        const [, , other = ""] = await writeSmallParts(smallModel(), [0, 4, 17]);
        await copyFile(other, third);
      },
      "GGUF_MALFORMED",
      /small-00003-of-00003\.gguf: the tensor \S+ is also in \S+small-00002-of-00003/,
    ],
    [
      "a part without a tensor of the whole",
      async ([, , third = ""]) => {
        const [, , other = ""] = await writeSmallParts(smallModel(), [0, 6, 15]);
        await copyFile(other, third);
      },
      "GGUF_MALFORMED",
      /its 3 parts hold 20 tensors, not 21/,
    ],
  ])("is refused with %s", async (_, harm, code, message) => {
    const paths = await writeSmallParts(smallModel(), sizes);
    await harm(paths);
    await expect(openGguf(paths[0] ?? "")).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test("is refused under a name that does not say which part it is", async () => {
    const [first = ""] = await writeSmallParts(smallModel(), sizes);
    const renamed = join(dirname(first), "model.gguf");
    await rename(first, renamed);
    await expect(openGguf(renamed)).rejects.toMatchObject({
      code: "GGUF_MALFORMED",
      message: expect.stringMatching(/one of 3 parts of a model, so its name must end like \S*-00001-of-00003\.gguf/),
    });
  });

  test.each([
    ["/m/mistral-7b-00001-of-00004.gguf", "mistral-7b"],
    ["mistral-7b.gguf", "mistral-7b"],
    ["weights-00001-of-00004.bin", "weights-00001-of-00004.bin"],
  ])("%s is named %s", (path, stem) => expect(fileStem(path)).toBe(stem));
});

describe("a file that is not right", () => {
  const header = (metadata: [string, GgufValue][], tensors: TensorPlacement[] = []) =>
    encodeHeader(new Map(metadata), tensors, 32);
  const vector = (name: string, offset: number, extra: Partial<TensorPlacement> = {}): TensorPlacement => ({
    name,
    type: GgmlType.F32,
    ne: [8],
    offset,
    ...extra,
  });
  const withData = (bytes: Buffer, dataBytes = 64) => Buffer.concat([bytes, Buffer.alloc(dataBytes)]);
  const patched = (bytes: Buffer, patch: (bytes: Buffer) => void) => {
    patch(bytes);
    return bytes;
  };

  const cases: [string, Buffer, string, RegExp][] = [
    ["empty", Buffer.alloc(0), "GGUF_TRUNCATED", /ends at byte 0, inside the magic number/],
    ["of another kind", Buffer.from("<!DOCTYPE html>"), "GGUF_MALFORMED", /does not start with "GGUF"/],
    ["of version 1", patched(header([]), (b) => b.writeUInt32LE(1, 4)), "GGUF_MALFORMED", /version 1/],
    ["big-endian", patched(header([]), (b) => b.writeUInt32BE(3, 4)), "GGUF_MALFORMED", /big-endian/],
    [
      "promising 2^60 tensors",
      patched(header([]), (b) => b.writeBigUInt64LE(2n ** 60n, 8)),
      "GGUF_MALFORMED",
      /1152921504606846976/,
    ],
    [
      "promising a million pairs",
      patched(header([]), (b) => b.writeBigUInt64LE(1_000_000n, 16)),
      "GGUF_TRUNCATED",
      /metadata pairs is 1000000/,
    ],
    [
      "with an unknown value type",
      patched(header([["k", gguf.u32(1)]]), (b) => b.writeUInt32LE(13, 33)),
      "GGUF_MALFORMED",
      /byte 33: .*type 13/,
    ],
    [
      "with a boolean of 2",
      patched(header([["k", gguf.bool(true)]]), (b) => b.writeUInt8(2, 37)),
      "GGUF_MALFORMED",
      /"k" is 2, not a boolean/,
    ],
    [
      "with broken UTF-8",
      patched(header([["k", gguf.string("aé")]]), (b) => b.writeUInt8(0x28, 47)),
      "GGUF_MALFORMED",
      /not valid UTF-8/,
    ],
    [
      "with an array of arrays",
      patched(header([["k", gguf.strings([])]]), (b) => b.writeUInt32LE(9, 37)),
      "GGUF_MALFORMED",
      /array of arrays/,
    ],
    [
      "with an alignment of 24",
      header([["general.alignment", gguf.u32(24)]]),
      "GGUF_MALFORMED",
      /24, not a power of two/,
    ],
    [
      "with an alignment of text",
      header([["general.alignment", gguf.string("32")]]),
      "GGUF_MALFORMED",
      /type string, not u32/,
    ],
    [
      "with an unknown tensor type",
      header([], [vector("a", 0, { type: 99 as GgmlType })]),
      "GGUF_MALFORMED",
      /a has the unknown type 99/,
    ],
    [
      "with five dimensions",
      withData(header([], [vector("a", 0, { ne: [1, 1, 1, 1, 1] })])),
      "GGUF_MALFORMED",
      /5 dimensions/,
    ],
    [
      "with an extent of 0",
      withData(header([], [vector("a", 0, { ne: [8, 0] })])),
      "GGUF_MALFORMED",
      /dimension 1 of tensor a is 0/,
    ],
    [
      "with 2^60 elements",
      withData(header([], [vector("a", 0, { ne: [2 ** 30, 2 ** 30] })])),
      "GGUF_MALFORMED",
      /no file can hold/,
    ],
    [
      "with rows that fill no block",
      withData(header([], [vector("a", 0, { ne: [33], type: GgmlType.Q8_0 })])),
      "GGUF_MALFORMED",
      /rows of 33 elements/,
    ],
    ["with a long tensor name", withData(header([], [vector("a".repeat(64), 0)])), "GGUF_MALFORMED", /64 bytes/],
    [
      "with one tensor twice",
      withData(header([], [vector("a", 0), vector("a", 32)])),
      "GGUF_MALFORMED",
      /a appears twice/,
    ],
    ["with a misaligned tensor", withData(header([], [vector("a", 8)])), "GGUF_MALFORMED", /offset 8, not a multiple/],
    [
      "with overlapping tensors",
      withData(header([], [vector("a", 0, { ne: [16] }), vector("b", 32)])),
      "GGUF_MALFORMED",
      /b overlaps a/,
    ],
    ["with a tensor past the end", withData(header([], [vector("a", 64)])), "GGUF_TRUNCATED", /tensor a takes bytes/],
  ];

  test.each(cases)("%s is refused by name", async (_, bytes, code, message) => {
    const path = join(await scratchFolder(), "bad.gguf");
    await writeFile(path, bytes);
    await expect(openGguf(path)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    await expect(openGguf(path)).rejects.toMatchObject({ message: expect.stringContaining(path) });
  });

  test("with a key twice is refused", async () => {
    const path = join(await scratchFolder(), "bad.gguf");
    const bytes = header([
      ["ka", gguf.u32(1)],
      ["kb", gguf.u32(2)],
    ]);
    bytes.write("ka", bytes.indexOf("kb"));
    await writeFile(path, bytes);
    await expect(openGguf(path)).rejects.toMatchObject({
      code: "GGUF_MALFORMED",
      message: expect.stringMatching(/"ka" appears twice/),
    });
  });

  test("that does not exist is not found", async () => {
    await expect(openGguf("/nowhere/x.gguf")).rejects.toMatchObject({ code: "MODEL_NOT_FOUND" });
  });

  test("never does anything but open or fail by name, however it was damaged", async () => {
    const { path } = await writeSmallModel(smallModel());
    const sound = await readFile(path);
    const damage = fc.record({
      length: fc.integer({ min: 0, max: sound.length }),
      flips: fc.array(fc.tuple(fc.integer({ min: 0, max: 2200 }), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ length, flips }) => {
        const bytes = Buffer.from(sound.subarray(0, length));
        for (const [at, value] of flips) if (at < bytes.length) bytes[at] = value;
        await writeFile(path, bytes);
        await openGguf(path).catch((error: unknown) => expect(error).toBeInstanceOf(RhoneError));
      }),
      { numRuns: 400 },
    );
  });
});
