import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ProtobufField, protobufFields } from "./protobuf-fields.js";

const fieldsOf = (...bytes: readonly number[]): readonly ProtobufField[] => [...protobufFields(Uint8Array.from(bytes))];

describe("protobufFields", () => {
  test.each<[string, readonly number[], readonly ProtobufField[]]>([
    ["an empty message", [], []],
    // The key is the field's number times 8 plus its wire type.
    ["a varint of one byte", [0x08, 0x01], [{ number: 1, kind: "varint", value: 1 }]],
    ["a varint of two bytes", [0x18, 0x96, 0x01], [{ number: 3, kind: "varint", value: 150 }]],
    ["a varint of 32 bits", [0x08, 0xff, 0xff, 0xff, 0xff, 0x0f], [{ number: 1, kind: "varint", value: 2 ** 32 - 1 }]],
    ["a field number above 15", [0x82, 0x01, 0x00], [{ number: 16, kind: "bytes", bytes: new Uint8Array() }]],
    ["text", [0x0a, 0x02, 0x68, 0x69], [{ number: 1, kind: "bytes", bytes: Uint8Array.of(0x68, 0x69) }]],
    ["a float", [0x15, 0x00, 0x00, 0xc0, 0xbf], [{ number: 2, kind: "fixed32", float: -1.5 }]],
    ["eight fixed bytes", [0x09, 1, 2, 3, 4, 5, 6, 7, 8], [{ number: 1, kind: "fixed64" }]],
  ])("reads %s", (_, bytes, expected) => {
    expect(fieldsOf(...bytes)).toEqual(expected);
  });

  test("keeps the order, and a field that comes twice", () => {
    expect(fieldsOf(0x08, 0x01, 0x10, 0x02, 0x08, 0x03).map(({ number }) => number)).toEqual([1, 2, 1]);
  });

  test("reads from the middle of a buffer", () => {
    const bytes = Uint8Array.of(0xff, 0x08, 0x05, 0xff).subarray(1, 3);
    expect([...protobufFields(bytes)]).toEqual([{ number: 1, kind: "varint", value: 5 }]);
  });

  test.each([
    ["a text beyond the end", [0x0a, 0x05, 0x68], /a field of 5 bytes at byte 2 of 3/],
    ["a number that never ends", Array.from({ length: 11 }, () => 0xff), /number without end/],
    ["a group, which nobody writes", [0x0b], /unknown kind 3 at byte 1/],
    ["half a float", [0x15, 0x00], /./],
    ["a key without a value", [0x08], /./],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => fieldsOf(...bytes)).toThrow(RangeError);
    expect(() => fieldsOf(...bytes)).toThrow(message);
  });

  test("reads or refuses any bytes, and never reads on for ever", async () => {
    await fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          const fields = [...protobufFields(bytes)];
          expect(fields.length).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
  });
});
