import { RhoneError } from "@rhone/common/rhone-error";
import { GgmlType, typeInfo } from "@rhone/ggml";
import { floatToHalf } from "../quantization/half.js";

/**
 * Turns random bytes, in place, into stored numbers of a type with mean 0 and standard deviation `std`. The random
 * bytes become the numbers' bits; only the scales of the blocks are written over them, so this runs at the speed of
 * memory.
 */
export type BlockShaper = (bytes: Uint8Array) => void;

/** Throws TENSOR_TYPE_UNSUPPORTED for types that `synth` does not write. */
export function blockShaper(type: GgmlType, std: number): BlockShaper {
  switch (type) {
    case GgmlType.F32:
      return shapeF32(std);
    case GgmlType.F16:
      return shapeFromTable(std, floatToHalf);
    case GgmlType.BF16:
      return shapeFromTable(std, (value) => floatBits(value) >>> 16);
    case GgmlType.Q8_0:
      return shapeQ8(std);
    case GgmlType.Q4_0:
      return shapeQ4(std);
    case GgmlType.Q4_1:
      return shapeQ4WithMinimum(std);
    case GgmlType.Q5_0:
      return shapeQ5(std);
    case GgmlType.Q4_K:
      return shapeQ4K(std);
    case GgmlType.Q6_K:
      return shapeQ6K(std);
    default:
      throw new RhoneError("TENSOR_TYPE_UNSUPPORTED", `Random ${typeInfo(type).name} weights are not supported`);
  }
}

/** The standard deviation of `count` equally likely consecutive integers. */
const uniformStd = (count: number): number => Math.sqrt((count * count - 1) / 12);

/** 32-bit integers, spread evenly, read as fractions of 2^31. */
function shapeF32(std: number): BlockShaper {
  const scale = (std * Math.sqrt(3)) / 2 ** 31;
  return (bytes) => {
    const integers = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    const floats = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    for (let index = 0; index < floats.length; index++) floats[index] = (integers[index] ?? 0) * scale;
  };
}

/** 16 random bits choose one of 65,536 evenly spread values, stored by `encode`. */
function shapeFromTable(std: number, encode: (value: number) => number): BlockShaper {
  const table = Uint16Array.from({ length: 65_536 }, (_, index) =>
    encode(((index - 32_767.5) / uniformStd(65_536)) * std),
  );
  return (bytes) => {
    const words = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
    for (let index = 0; index < words.length; index++) words[index] = table[words[index] ?? 0] ?? 0;
  };
}

/** Blocks of 34 bytes: f16 scale, 32 signed bytes. */
const shapeQ8 = (std: number): BlockShaper => shapeScaled(34, 0, std / uniformStd(256));

/** Blocks of 18 bytes: f16 scale, 32 numbers of 4 bits, 8 subtracted. */
const shapeQ4 = (std: number): BlockShaper => shapeScaled(18, 0, std / uniformStd(16));

/** Blocks of 22 bytes: f16 scale, 32 high bits, 32 numbers of 4 low bits, 16 subtracted. */
const shapeQ5 = (std: number): BlockShaper => shapeScaled(22, 0, std / uniformStd(32));

/**
 * Writes the f16 `scale` at `at` in every block, negative in every other one: quantized integers run from -2^k to 2^k -
 * 1, and the sign takes their mean of -1/2 away.
 */
function shapeScaled(blockBytes: number, at: number, scale: number): BlockShaper {
  const half = floatToHalf(scale);
  const low = half & 0xff;
  const high = half >>> 8;
  return (bytes) => {
    let sign = 0;
    for (let block = at; block < bytes.length; block += blockBytes) {
      bytes[block] = low;
      bytes[block + 1] = high | sign;
      sign ^= 0x80;
    }
  };
}

/** Blocks of 20 bytes: f16 scale d, f16 minimum m, 32 numbers q of 4 bits: d * q + m; m = -7.5 d makes the mean 0. */
function shapeQ4WithMinimum(std: number): BlockShaper {
  const header = new Uint8Array(4);
  const view = new DataView(header.buffer);
  const d = std / uniformStd(16);
  view.setUint16(0, floatToHalf(d), true);
  view.setUint16(2, floatToHalf(-7.5 * d), true);
  return (bytes) => {
    for (let block = 0; block < bytes.length; block += 20) bytes.set(header, block);
  };
}

/**
 * Blocks of 144 bytes for 256 numbers: f16 scale d, f16 minimum scale m, 8 scales and 8 minimums of 6 bits in 12 bytes,
 * 4-bit numbers q. A number is d * scale * q - m * minimum; with all scales and minimums 32, m = 7.5 d makes the mean
 * 0.
 */
function shapeQ4K(std: number): BlockShaper {
  const header = new Uint8Array(16);
  const view = new DataView(header.buffer);
  const d = std / (32 * uniformStd(16));
  view.setUint16(0, floatToHalf(d), true);
  view.setUint16(2, floatToHalf(7.5 * d), true);
  // 32 = 0b10_0000 sixteen times: the first eight bytes hold six low bits and two high ones each, the last four only
  // zeros.
  header.fill(0xa0, 4, 12);
  return (bytes) => {
    for (let block = 0; block < bytes.length; block += 144) bytes.set(header, block);
  };
}

/** Blocks of 210 bytes for 256 numbers: 192 bytes of 6-bit numbers, 32 subtracted, 16 signed scales, f16 scale. */
function shapeQ6K(std: number): BlockShaper {
  const subScale = 16;
  const footer = new Uint8Array(18);
  footer.forEach((_, index) => {
    footer[index] = index % 2 === 0 ? subScale : 256 - subScale;
  });
  new DataView(footer.buffer).setUint16(16, floatToHalf(std / (subScale * uniformStd(64))), true);
  return (bytes) => {
    for (let block = 192; block < bytes.length; block += 210) bytes.set(footer, block);
  };
}

const scratch = new DataView(new ArrayBuffer(4));

function floatBits(value: number): number {
  scratch.setFloat32(0, value);
  return scratch.getUint32(0);
}
