/**
 * One field of a protobuf message: a number's bits (varint or fixed), or the bytes of a string, a message or packed
 * numbers.
 */
export type ProtobufField =
  | { readonly number: number; readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly number: number; readonly kind: "varint"; readonly value: number }
  | { readonly number: number; readonly kind: "fixed32"; readonly float: number }
  | { readonly number: number; readonly kind: "fixed64" };

/**
 * The fields of one message in order, without a schema. Throws RangeError when the bytes end inside a field or are no
 * protobuf.
 */
export function* protobufFields(bytes: Uint8Array): Generator<ProtobufField> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = view.getUint8(at++);
      // Beyond 53 bits the number is inexact; the only such values are negative enumerations, which nobody reads here.
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError(`a number without end at byte ${at}`);
  };
  while (at < bytes.length) {
    const key = varint();
    const number = Math.floor(key / 8);
    switch (key % 8) {
      case 0:
        yield { number, kind: "varint", value: varint() };
        break;
      case 1:
        view.getFloat64(at, true);
        at += 8;
        yield { number, kind: "fixed64" };
        break;
      case 2: {
        const length = varint();
        if (length > bytes.length - at)
          throw new RangeError(`a field of ${length} bytes at byte ${at} of ${bytes.length}`);
        yield { number, kind: "bytes", bytes: bytes.subarray(at, at + length) };
        at += length;
        break;
      }
      case 5:
        yield { number, kind: "fixed32", float: view.getFloat32(at, true) };
        at += 4;
        break;
      default:
        throw new RangeError(`a field of unknown kind ${key % 8} at byte ${at}`);
    }
  }
}
