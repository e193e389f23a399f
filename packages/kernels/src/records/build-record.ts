import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What a build writes beside its libraries, as `hashes.json`. */
export interface BuildRecord {
  /** `sourcesHash` of the sources that were compiled. */
  readonly sources: string;
  /** The compiler's own name and version. */
  readonly compiler: string;
  /** SHA-256 of each library by its path, such as "linux-x64/librhone-kernels.so". */
  readonly files: Readonly<Record<string, string>>;
}

/** The record in a folder of libraries; undefined when there is none. */
export function readRecord(folder: string): BuildRecord | undefined {
  const path = join(folder, "hashes.json");
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as BuildRecord) : undefined;
}

/** SHA-256 in hexadecimal. */
export const fileHash = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

/** One SHA-256 over names and contents of the C++ files in `native`, tests excluded: a library's sources. */
export function sourcesHash(native: string): string {
  const hash = createHash("sha256");
  for (const name of sourcesIn(native)) hash.update(`${name}\n${fileHash(join(native, name))}\n`);
  return hash.digest("hex");
}

/** Paths relative to `native`, with `/`, in alphabetical order. */
export const sourcesIn = (native: string): readonly string[] =>
  readdirSync(native, { recursive: true, encoding: "utf8" })
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => /\.(cpp|h|inc)$/.test(name) && !/(^|\/)testing\//.test(name))
    .sort();
