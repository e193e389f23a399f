import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The embedded demonstration model: 1,024 tokens, with weights. */
export const BREEZE = fileURLToPath(new URL("../../../../models/breeze-q8_0.gguf", import.meta.url));

/** A new folder for files of one test. */
export const temporaryFolder = (name: string): string => mkdtempSync(join(tmpdir(), `rhone-${name}-`));

/** Writes a GGUF file of string metadata, without a tensor. */
export function writeGguf(path: string, entries: Readonly<Record<string, string>>): string {
  const u32 = (n: number) => Buffer.from(Uint32Array.of(n).buffer);
  const u64 = (n: number) => Buffer.from(BigUint64Array.of(BigInt(n)).buffer);
  const text = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
  const pairs = Object.entries(entries).map(([key, value]) => Buffer.concat([text(key), u32(8), text(value)]));
  writeFileSync(path, Buffer.concat([Buffer.from("GGUF"), u32(3), u64(0), u64(pairs.length), ...pairs]));
  return path;
}
