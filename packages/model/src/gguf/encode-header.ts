import { GGUF_VALUE_TYPES, type GgufScalarType, type GgufValue, type GgufValueType } from "./gguf-value.js";

/** A tensor in the header: `ne` innermost first, `offset` from the start of the tensor data. */
export interface TensorPlacement {
  readonly name: string;
  readonly type: number;
  readonly ne: readonly number[];
  readonly offset: number;
}

const VERSION = 3;

/** The bytes of a GGUF v3 header, padded to `alignment`: tensor data follows directly. */
export function encodeHeader(
  metadata: ReadonlyMap<string, GgufValue>,
  tensors: readonly TensorPlacement[],
  alignment: number,
): Buffer {
  // Flattened, not spread: a vocabulary has more pieces than a call may have arguments.
  const parts = [
    [Buffer.from("GGUF"), u32(VERSION), u64(tensors.length), u64(metadata.size)],
    ...[...metadata].map(([key, value]) => [text(key), u32(typeId(value.type)), encodeValue(value)].flat()),
    ...tensors.map(({ name, ne, type, offset }) => [
      text(name),
      u32(ne.length),
      ...ne.map(u64),
      u32(type),
      u64(offset),
    ]),
  ].flat();
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  parts.push(Buffer.alloc((alignment - (length % alignment)) % alignment));
  return Buffer.concat(parts);
}

function encodeValue(value: GgufValue): Buffer[] {
  if (value.type !== "array") return [encodeScalar(value.type, value.value)];
  const head = [u32(typeId(value.of)), u64(value.value.length)];
  if (value.of === "string") return [...head, ...value.value.map(text)];
  const { buffer, byteOffset, byteLength } = value.value;
  return [...head, Buffer.from(buffer, byteOffset, byteLength)];
}

function encodeScalar(type: GgufScalarType, value: string | number | bigint | boolean): Buffer {
  if (typeof value === "string") return text(value);
  const bytes = Buffer.alloc(8);
  const small = Number(value);
  switch (type) {
    case "bool":
    case "u8":
      return bytes.subarray(0, bytes.writeUInt8(small));
    case "i8":
      return bytes.subarray(0, bytes.writeInt8(small));
    case "u16":
      return bytes.subarray(0, bytes.writeUInt16LE(small));
    case "i16":
      return bytes.subarray(0, bytes.writeInt16LE(small));
    case "u32":
      return bytes.subarray(0, bytes.writeUInt32LE(small));
    case "i32":
      return bytes.subarray(0, bytes.writeInt32LE(small));
    case "f32":
      return bytes.subarray(0, bytes.writeFloatLE(small));
    case "u64":
      return bytes.subarray(0, bytes.writeBigUInt64LE(BigInt(value)));
    case "i64":
      return bytes.subarray(0, bytes.writeBigInt64LE(BigInt(value)));
    case "f64":
      return bytes.subarray(0, bytes.writeDoubleLE(small));
    case "string":
      return text(String(value));
  }
}

const typeId = (type: GgufValueType): number => GGUF_VALUE_TYPES.indexOf(type);

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "utf8");
  return Buffer.concat([u64(bytes.length), bytes]);
}
