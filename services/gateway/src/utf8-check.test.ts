import fc from "fast-check";
import { expect, test } from "vitest";
import { Utf8Check } from "./utf8-check.js";

function isUtf8In(bytes: Uint8Array, size: number): boolean {
  const check = new Utf8Check();
  let isGood = true;
  for (let at = 0; at < bytes.length; at += size)
    isGood = check.push(Buffer.from(bytes.slice(at, at + size))) && isGood;
  return check.end() && isGood;
}

function isDecodable(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

test("agrees with a decoder of the whole, whatever the pieces", () => {
  const text = fc.string({ unit: "binary" }).map((each) => new TextEncoder().encode(each));
  const parts = fc.array(fc.oneof(text, fc.uint8Array({ maxLength: 3 })), { maxLength: 4 });
  const bytes = parts.map((all) => new Uint8Array(all.flatMap((part) => [...part])));
  fc.assert(
    fc.property(bytes, fc.integer({ min: 1, max: 9 }), (all, size) => {
      expect(isUtf8In(all, size)).toBe(isDecodable(all));
    }),
  );
});

test.each([1, 2, 3, 100])("takes characters of every length in pieces of %d bytes", (size) => {
  expect(isUtf8In(Buffer.from("aé日🙂\u{10ffff}".repeat(3)), size)).toBe(true);
});

test.each([[[0xff]], [[0x61, 0xe9]], [[0xf0, 0x9f, 0x99]], [[0xc0, 0x80]], [[0xed, 0xa0, 0x80]], [[0x80]]])(
  "refuses %j",
  (bytes) => {
    for (const size of [1, 2, 100]) expect(isUtf8In(Uint8Array.from(bytes), size)).toBe(false);
  },
);
