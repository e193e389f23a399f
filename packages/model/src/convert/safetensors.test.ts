import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RhoneError } from "@rhone/common";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { encodeSafetensors, withHeader, writeCheckpoint } from "../testing/checkpoint.js";
import { readSafetensorsHeader } from "./safetensors.js";

const entry = (shape: number[], begin: number, end: number, dtype = "F32") => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});
const data = Buffer.alloc(16);

const faults: [string, Buffer, string, RegExp][] = [
  ["of 3 bytes", Buffer.alloc(3), "CHECKPOINT_MALFORMED", /only 3 bytes/],
  [
    "whose header is longer than the file",
    Buffer.alloc(16, 0xff),
    "CHECKPOINT_MALFORMED",
    /claims \d+ bytes, but at most 8/,
  ],
  ["whose header is not JSON", withHeader("{", data), "CHECKPOINT_MALFORMED", /not JSON/],
  ["whose header is a list", withHeader("[]", data), "CHECKPOINT_MALFORMED", /not a JSON object/],
  ["with a broken entry", withHeader({ a: { shape: [4] } }, data), "CHECKPOINT_MALFORMED", /entry of a/],
  ["with a negative extent", withHeader({ a: entry([-4], 0, 16) }, data), "CHECKPOINT_MALFORMED", /entry of a/],
  ["with integers", withHeader({ a: entry([4], 0, 16, "I32") }, data), "TENSOR_TYPE_UNSUPPORTED", /a is stored as I32/],
  [
    "whose shape contradicts its bytes",
    withHeader({ a: entry([3], 0, 16) }, data),
    "CHECKPOINT_MALFORMED",
    /needs 12 bytes, but has 16/,
  ],
  ["with a gap", withHeader({ a: entry([2], 8, 16) }, data), "CHECKPOINT_MALFORMED", /a starts at byte/],
  [
    "with an overlap",
    withHeader({ a: entry([3], 0, 12), b: entry([2], 8, 16) }, data),
    "CHECKPOINT_MALFORMED",
    /b starts at byte/,
  ],
  ["that was cut", withHeader({ a: entry([8], 0, 32) }, data), "CHECKPOINT_MALFORMED", /fetch it again/],
];

test.each(faults)("a file %s is refused by name", async (_, bytes, code, message) => {
  const dir = await writeCheckpoint({ "x.safetensors": bytes });
  const read = readSafetensorsHeader(join(dir, "x.safetensors"));
  await expect(read).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
});

test("a file that was damaged anywhere is read or refused by name", async () => {
  const sound = encodeSafetensors({ "a.weight": [2, 3], b: [4] });
  const path = join(await writeCheckpoint({}), "x.safetensors");
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: sound.length }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
      async (length, flips) => {
        const bytes = Buffer.from(sound.subarray(0, length));
        for (const [at, value] of flips) if (at < bytes.length) bytes[at] = value;
        await writeFile(path, bytes);
        await readSafetensorsHeader(path).catch((error: unknown) => expect(error).toBeInstanceOf(RhoneError));
      },
    ),
    { numRuns: 200 },
  );
});
