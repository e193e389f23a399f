import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { MemoryClaim, unclaimedMemory } from "./memory-claims.js";
import { availableMemory } from "./this-machine.js";

const GiB = 2 ** 30;
const MODULE = pathToFileURL(join(import.meta.dirname, "../../dist/machine/memory-claims.js")).href;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claims-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A process that claims memory, says how much that was, and lives on. */
async function claimer(claim: string): Promise<{ bytes: number; process: ChildProcess }> {
  const script = `import(${JSON.stringify(MODULE)}).then(async ({ MemoryClaim }) => {
    const claim = new MemoryClaim(${JSON.stringify(folder)});
    console.log(String(${claim}));
    setInterval(() => {}, 1e6);
  })`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [bytes] = await once(child.stdout, "data");
  return { bytes: Number(bytes), process: child };
}

describe.runIf(process.platform === "linux")("memory that workers of a machine count on", () => {
  test("is not counted on by another one, as far as it is not resident", async () => {
    const claimed = Math.floor(availableMemory() / 2);
    await claimer(`claim.hold(${claimed})`);
    expect(unclaimedMemory(folder)).toBeLessThan(availableMemory() - claimed + GiB / 2);
    expect(unclaimedMemory(folder)).toBeGreaterThan(0);
  });

  test("is divided between two that start at once", async () => {
    const both = await Promise.all([claimer("await claim.take(0.9)"), claimer("await claim.take(0.9)")]);
    const [less = 0, more = 0] = both.map(({ bytes }) => bytes).sort((a, b) => a - b);
    expect(less).toBeLessThan(more / 4);
    expect(less + more).toBeLessThan(availableMemory() + GiB / 2);
  });

  test("is free again when they end, however they do; until then an eighth is everybody's", async () => {
    const claimed = await claimer(`claim.hold(${1e15})`);
    expect(unclaimedMemory(folder)).toBeGreaterThan(availableMemory() / 16);
    expect(unclaimedMemory(folder)).toBeLessThan(availableMemory() / 4);
    claimed.process.kill("SIGKILL");
    await once(claimed.process, "exit");
    expect(unclaimedMemory(folder)).toBeGreaterThan(availableMemory() / 2);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("is their own first", async () => {
    const claim = new MemoryClaim(folder);
    claim.hold(1e15);
    expect(unclaimedMemory(folder)).toBeGreaterThan(availableMemory() / 2);
    claim.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("is unknown where others may write to the folder", async () => {
    await claimer(`claim.hold(${1e15})`);
    chmodSync(folder, 0o777);
    expect(unclaimedMemory(folder)).toBeGreaterThan(availableMemory() / 2);
  });

  test("waits for nobody who was killed while claiming", async () => {
    writeFileSync(join(folder, "lock"), "");
    expect(await new MemoryClaim(folder).take(0.5)).toBeGreaterThan(0);
  });

  test("waits for no lock of the future, as a clock that was set back leaves one", async () => {
    mkdirSync(join(folder, "lock"));
    const inAnHour = Date.now() / 1000 + 3600;
    utimesSync(join(folder, "lock"), inAnHour, inAnHour);
    expect(await new MemoryClaim(folder).take(0.5)).toBeGreaterThan(0);
  });

  test("is claimed without a lock where none can be made, as on a full disk", async () => {
    let deep = folder; // so deep that no path in it is short enough
    while (deep.length < 4092) deep += `/${"x".repeat(Math.min(200, Math.max(1, 4091 - deep.length)))}`;
    mkdirSync(deep, { recursive: true, mode: 0o700 });
    expect(await new MemoryClaim(deep).take(0.5)).toBeGreaterThan(0);
  });
});
