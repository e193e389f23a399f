import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { describePart, MemoryClaim, type UnclaimedMemory, unclaimedMemory } from "./memory-claims.js";
import { availableMemory } from "./this-machine.js";

const GiB = 2 ** 30;
const MODULE = pathToFileURL(join(import.meta.dirname, "../../dist/machine/memory-claims.js")).href;

const NINE_TENTHS = ({ bytes }: UnclaimedMemory) => ({ bytes: Math.floor(0.9 * bytes) });
const TAKE = "(await claim.take(({ bytes }) => ({ bytes: Math.floor(0.9 * bytes) }))).bytes";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "claims-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const scriptOf = (claim: string): string => `import(${JSON.stringify(MODULE)}).then(async ({ MemoryClaim }) => {
  const claim = new MemoryClaim(${JSON.stringify(folder)});
  console.log(String(${claim}));
  setInterval(() => {}, 1e6);
})`;

/** A process that claims memory, says how much that was, and lives on. */
async function claimer(claim: string): Promise<{ bytes: number; process: ChildProcess }> {
  const child = spawn(process.execPath, ["-e", scriptOf(claim)], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [bytes] = await once(child.stdout, "data");
  return { bytes: Number(bytes), process: child };
}

describe.runIf(process.platform === "linux")("memory that workers of a machine count on", () => {
  test("is not counted on by another one, as far as it is not resident", async () => {
    const claimed = Math.floor(availableMemory().bytes / 2);
    await claimer(`claim.hold(${claimed})`);
    expect(unclaimedMemory(folder).bytes).toBeLessThan(availableMemory().bytes - claimed + GiB / 2);
    expect(unclaimedMemory(folder).bytes).toBeGreaterThan(0);
  });

  test("is divided between two that start at once", async () => {
    const both = await Promise.all([claimer(TAKE), claimer(TAKE)]);
    const [less = 0, more = 0] = both.map(({ bytes }) => bytes).sort((a, b) => a - b);
    expect(less).toBeLessThan(more / 4);
    expect(less + more).toBeLessThan(availableMemory().bytes + GiB / 2);
  });

  test("is free again when they end, however they do; until then an eighth is everybody's", async () => {
    const claimed = await claimer(`claim.hold(${1e15})`);
    expect(unclaimedMemory(folder).bytes).toBeGreaterThan(availableMemory().bytes / 16);
    expect(unclaimedMemory(folder).bytes).toBeLessThan(availableMemory().bytes / 4);
    claimed.process.kill("SIGKILL");
    await once(claimed.process, "exit");
    expect(unclaimedMemory(folder).bytes).toBeGreaterThan(availableMemory().bytes / 2);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("is not claimed where nothing could be chosen", async () => {
    const claim = new MemoryClaim(folder);
    const refusal = new Error("too little");
    const refuse = (): never => {
      throw refusal;
    };
    await expect(claim.take(refuse)).rejects.toBe(refusal);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("is counted once where they are parts of what the process that started them claims", async () => {
    const part = JSON.stringify(scriptOf(`claim.hold(${2 * GiB})`));
    const { bytes: pid } = await claimer(`await (async () => {
      claim.hold(${8 * GiB});
      const { spawn } = await import("node:child_process");
      const child = spawn(process.execPath, ["-e", ${part}]);
      await new Promise((resolve) => child.stdout.once("data", resolve));
      return child.pid;
    })()`);
    const end = (): void => void spawn("kill", ["-KILL", String(pid)]);
    onTestFinished(end);
    expect(readdirSync(folder)).toHaveLength(2);
    expect(unclaimedMemory(folder).claimed).toBeGreaterThan(7 * GiB);
    expect(unclaimedMemory(folder).claimed).toBeLessThanOrEqual(8 * GiB);
    end();
    const claimants = (): readonly string[] => {
      unclaimedMemory(folder); // which removes the claims of those that ended
      return readdirSync(folder);
    };
    await expect.poll(claimants).toHaveLength(1);
    expect(unclaimedMemory(folder).claimed).toBeGreaterThan(7 * GiB); // for the one that replaces it
  });

  test("is their own first", async () => {
    const claim = new MemoryClaim(folder);
    claim.hold(1e15);
    expect(unclaimedMemory(folder).bytes).toBeGreaterThan(availableMemory().bytes / 2);
    claim.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("is unknown where others may write to the folder", async () => {
    await claimer(`claim.hold(${1e15})`);
    chmodSync(folder, 0o777);
    expect(unclaimedMemory(folder).bytes).toBeGreaterThan(availableMemory().bytes / 2);
  });

  test("waits for nobody who was killed while claiming", async () => {
    writeFileSync(join(folder, "lock"), "");
    expect((await new MemoryClaim(folder).take(NINE_TENTHS)).bytes).toBeGreaterThan(0);
  });

  test("waits for no lock of the future, as a clock that was set back leaves one", async () => {
    mkdirSync(join(folder, "lock"));
    const inAnHour = Date.now() / 1000 + 3600;
    utimesSync(join(folder, "lock"), inAnHour, inAnHour);
    expect((await new MemoryClaim(folder).take(NINE_TENTHS)).bytes).toBeGreaterThan(0);
  });

  test("is claimed without a lock where none can be made, as on a full disk", async () => {
    let deep = folder; // so deep that no path in it is short enough
    while (deep.length < 4092) deep += `/${"x".repeat(Math.min(200, Math.max(1, 4091 - deep.length)))}`;
    mkdirSync(deep, { recursive: true, mode: 0o700 });
    expect((await new MemoryClaim(deep).take(NINE_TENTHS)).bytes).toBeGreaterThan(0);
  });
});

const free = { bytes: 18.7e9, group: null };
const limited = { bytes: 6e9, group: { path: "/sys/fs/cgroup/app", limit: 8e9 } };
test.each([
  ["30 % of 18.7 GB free", 5.61e9, { bytes: 18.7e9, available: free, claimed: 0 }],
  ["90 % of 6.0 GB left of the 8.0 GB of /sys/fs/cgroup/app", 5.4e9, { bytes: 6e9, available: limited, claimed: 0 }],
  [
    "45 % of 12.7 GB, the rest of 18.7 GB free: other processes of Rhone count on 6.0 GB",
    5.715e9,
    { bytes: 12.7e9, available: free, claimed: 6e9 },
  ],
  [
    "90 % of 750 MB, an eighth of 6.0 GB left of the 8.0 GB of /sys/fs/cgroup/app: other processes of Rhone count on " +
      "5.9 GB",
    675e6,
    { bytes: 750e6, available: limited, claimed: 5.9e9 },
  ],
])("%s", (text, part, memory) => expect(describePart(part, memory)).toBe(text));
