import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { availableCores, availableMemory } from "./this-machine.js";

const GiB = 2 ** 30;
const MEMORY = "MemTotal:       33554432 kB\nMemFree:         1048576 kB\nMemAvailable:   16777216 kB";
const UNLIMITED = "9223372036854771712";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "machine-"));
});
afterEach(() => rmSync(root, { recursive: true }));

/** A machine's files, by their paths. */
function machine(files: Readonly<Record<string, string | number>>): string {
  for (const [path, text] of Object.entries({ "proc/meminfo": MEMORY, ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${text}\n`);
  }
  return root;
}

const V2 = {
  "proc/self/cgroup": "0::/rhone.slice/worker.service",
  "proc/self/mountinfo": "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate",
};
const V1 = {
  "proc/self/cgroup": "12:memory:/docker/a\n4:cpu,cpuacct:/docker/a\n0::/",
  "proc/self/mountinfo":
    "35 31 0:32 /docker/a /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n" +
    "36 31 0:33 /docker/a /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct",
};
const own = "sys/fs/cgroup/rhone.slice/worker.service";
const parent = "sys/fs/cgroup/rhone.slice";

describe("memory", () => {
  test("is what the machine has left, page cache included, where nothing limits it", () => {
    const free = { bytes: 16 * GiB, group: null };
    expect(availableMemory(machine({}))).toEqual(free);
    const unlimited = { [`${own}/memory.max`]: "max", [`${own}/memory.high`]: "max" };
    expect(availableMemory(machine({ ...V2, ...unlimited }))).toEqual(free);
  });

  test("of a group is its limit without what it uses; page cache can be taken back", () => {
    const stat = `anon ${GiB}\ninactive_file ${GiB}\nactive_file ${GiB / 2}`;
    const files = { [`${own}/memory.max`]: 4 * GiB, [`${own}/memory.current`]: 3 * GiB, [`${own}/memory.stat`]: stat };
    expect(availableMemory(machine({ ...V2, ...files }))).toEqual({
      bytes: 2.5 * GiB,
      group: { path: `/${own}`, limit: 4 * GiB },
    });
  });

  test.each([
    ["memory.max", 3 * GiB, 2 * GiB],
    ["memory.high", 2 * GiB, 1 * GiB],
  ])("may be limited by a group around it, by %s", (file, limit, left) => {
    const files = { [`${own}/memory.max`]: "max", [`${parent}/${file}`]: limit, [`${parent}/memory.current`]: GiB };
    expect(availableMemory(machine({ ...V2, ...files }))).toEqual({
      bytes: left,
      group: { path: `/${parent}`, limit },
    });
  });

  test("may be limited by version 1, and seen from inside of a container", () => {
    const at = "sys/fs/cgroup/memory";
    const files = { [`${at}/memory.limit_in_bytes`]: 2 * GiB, [`${at}/memory.usage_in_bytes`]: GiB };
    expect(availableMemory(machine({ ...V1, ...files }))).toEqual({
      bytes: GiB,
      group: { path: "/sys/fs/cgroup/memory", limit: 2 * GiB },
    });
    const cache = { ...files, [`${at}/memory.stat`]: `total_inactive_file ${GiB / 2}\ntotal_active_file 0` };
    expect(availableMemory(machine({ ...V1, ...cache })).bytes).toBe(1.5 * GiB);
    expect(availableMemory(machine({ ...V1, [`${at}/memory.limit_in_bytes`]: UNLIMITED }))).toEqual({
      bytes: 16 * GiB,
      group: null,
    });
  });

  test("is never less than none", () => {
    const files = { [`${own}/memory.max`]: GiB, [`${own}/memory.current`]: 2 * GiB };
    expect(availableMemory(machine({ ...V2, ...files })).bytes).toBe(0);
  });
});

describe("cores", () => {
  test.each([
    ["max 100000", availableParallelism()],
    ["50000 100000", 1],
    [`${availableParallelism() * 100_000 + 50_000} 100000`, availableParallelism()],
  ])("of a group with %s are whole ones: %d", (text, cores) => {
    expect(availableCores(machine({ ...V2, [`${own}/cpu.max`]: text }))).toBe(cores);
  });

  test("may be limited by a group around it, and by version 1", () => {
    expect(availableCores(machine({ ...V2, [`${own}/cpu.max`]: "max 1000", [`${parent}/cpu.max`]: "900 1000" }))).toBe(
      1,
    );
    const at = "sys/fs/cgroup/cpu,cpuacct";
    const quota = { [`${at}/cpu.cfs_quota_us`]: 100_000, [`${at}/cpu.cfs_period_us`]: 100_000 };
    expect(availableCores(machine({ ...V1, ...quota }))).toBe(1);
    expect(availableCores(machine({ ...V1, ...quota, [`${at}/cpu.cfs_quota_us`]: -1 }))).toBe(availableParallelism());
  });
});

const GROUPS = "/sys/fs/cgroup/memory";

/** Why this machine lets nobody make a group of version 1 with a limit; null: it does. */
function whyNoGroup(): string | null {
  const name = join(GROUPS, `rhone-probe-${process.pid}`);
  try {
    mkdirSync(name);
    rmdirSync(name);
    return null;
  } catch (error) {
    return String(error);
  }
}

const why = whyNoGroup();
test.skipIf(why !== null)(
  `a process in a real group of 2 GiB has no more than that${why === null ? "" : `: ${why}`}`,
  () => {
    const folder = join(GROUPS, `rhone-test-${process.pid}`);
    mkdirSync(folder);
    onTestFinished(() => rmdirSync(folder));
    writeFileSync(join(folder, "memory.limit_in_bytes"), String(2 * GiB));
    const built = pathToFileURL(join(import.meta.dirname, "../../dist/machine/this-machine.js")).href;
    const script = `import(${JSON.stringify(built)}).then((it) => console.log(it.availableMemory().bytes))`;
    const enter = `echo $$ > ${folder}/cgroup.procs && exec ${process.execPath} -e '${script}'`;
    const { stdout, stderr } = spawnSync("sh", ["-c", enter], { encoding: "utf8" });
    expect(stderr).toBe("");
    expect(Number(stdout)).toBeLessThanOrEqual(2 * GiB);
    expect(Number(stdout)).toBeGreaterThan(GiB);
  },
);
