import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Backend } from "../backend/backend.js";
import { native, type Pointer } from "../bindings/pointer.js";
import { openEngine } from "../native/engine.js";
import { preferHugePages } from "./huge-pages.js";

const MIB = 1024 * 1024;
const SMAPS = "/proc/self/smaps";
const hasHugePages = existsSync("/sys/kernel/mm/transparent_hugepage/enabled") && existsSync(SMAPS);

/** Whether the kernel was asked for huge pages at `address`: the flag "hg" of its mapping. */
function isAdvised(address: bigint): boolean {
  const mappings = readFileSync(SMAPS, "utf8").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const found = mappings.find((mapping) => {
    const [, first = "0", last = "0"] = /^([0-9a-f]+)-([0-9a-f]+) /.exec(mapping) ?? [];
    return address >= BigInt(`0x${first}`) && address < BigInt(`0x${last}`);
  });
  return /VmFlags:.*\bhg\b/.test(found ?? "");
}

describe.skipIf(!hasHugePages)("preferHugePages", () => {
  let backend: Backend;
  beforeAll(() => {
    backend = Backend.open(openEngine(), { threads: 1 });
  });
  afterAll(() => backend.close());

  function withBuffer(bytes: number, use: (buffer: Pointer, base: bigint) => void): void {
    const { engine } = backend[native];
    const type = backend.bufferTypes().at(-1);
    const buffer = type === undefined ? null : engine.backend.buftAllocBuffer(type[native], bytes);
    if (buffer === null) throw new Error(`no buffer of ${bytes} bytes`);
    use(buffer, engine.backend.bufferGetBase(buffer));
    engine.backend.bufferFree(buffer);
  }

  it("asks for them under the whole blocks of 2 MiB of a large buffer", () => {
    withBuffer(64 * MIB, (buffer, base) => {
      const middle = base + BigInt(32 * MIB);
      expect(isAdvised(middle)).toBe(false);
      preferHugePages(backend[native], buffer);
      expect(isAdvised(middle)).toBe(true);
    });
  });

  it("leaves a buffer without a whole block alone", () => {
    withBuffer(MIB, (buffer, base) => {
      preferHugePages(backend[native], buffer);
      expect(isAdvised(base + 4096n)).toBe(false);
    });
  });
});
