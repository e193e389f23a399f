import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

// What Linux allows the control groups of this process: its own, and those around it, as far as it sees them. Version
// 2 has one tree; version 1 has one for each controller, and both may be there.

/** A kind of limit, as version 1 names its tree. */
type Controller = "memory" | "cpu";

interface Group {
  /** Where this process sees its files. */
  readonly path: string;
  /** The text of one of them; null: there is none. */
  readonly read: (file: string) => string | null;
}

export interface MemoryRoom {
  /** Of the group. */
  readonly path: string;
  readonly limit: number;
  /** Bytes in use that can't be taken back: without the page cache. */
  readonly used: number;
}

/** `root` is in place of "/". */
export function memoryRooms(root = "/"): readonly MemoryRoom[] {
  return [
    ...groups(root, "memory", 2).map(({ path, read }) => ({
      path,
      limit: Math.min(bytesIn(read("memory.max")), bytesIn(read("memory.high"))),
      used: Number(read("memory.current") ?? 0) - pageCache(read("memory.stat"), ""),
    })),
    ...groups(root, "memory", 1).map(({ path, read }) => ({
      path,
      limit: bytesIn(read("memory.limit_in_bytes")),
      used: Number(read("memory.usage_in_bytes") ?? 0) - pageCache(read("memory.stat"), "total_"),
    })),
  ];
}

/** Processors' worth of time that each group has. */
export function cpuQuotas(root = "/"): readonly number[] {
  return [
    ...groups(root, "cpu", 2).map(({ read }) => quota(...((read("cpu.max") ?? "").split(" ") as [string?, string?]))),
    ...groups(root, "cpu", 1).map(({ read }) => quota(read("cpu.cfs_quota_us"), read("cpu.cfs_period_us"))),
  ];
}

/** "max", and -1 in version 1: no limit. */
function quota(us: string | null | undefined, periodUs: string | null | undefined): number {
  const share = Number(us) / Number(periodUs);
  return share > 0 ? share : Number.POSITIVE_INFINITY;
}

/** A group that may not be read has no limit that this process knows. */
function bytesIn(text: string | null): number {
  const bytes = Number.parseInt(text ?? "", 10);
  return Number.isNaN(bytes) ? Number.POSITIVE_INFINITY : bytes;
}

function pageCache(stat: string | null, prefix: string): number {
  const bytes = (name: string): number =>
    Number(new RegExp(`^${prefix}${name} (\\d+)$`, "m").exec(stat ?? "")?.[1] ?? 0);
  return bytes("inactive_file") + bytes("active_file");
}

function groups(root: string, controller: Controller, version: 1 | 2): readonly Group[] {
  const own = groupOf(text(root, "proc/self/cgroup"), controller, version);
  const mount = mountOf(text(root, "proc/self/mountinfo"), controller, version);
  if (own === undefined || mount === undefined) return [];
  // A container may see its own group at the mount point, and the path from the machine's topmost one in its name.
  const inside = `${own}/`.startsWith(`${mount.from}/`) ? own.slice(mount.from.length) : "/";
  const found: Group[] = [];
  for (let path = inside; ; path = dirname(path)) {
    const folder = join(mount.at, path);
    found.push({ path: folder.replace(/(.)\/$/, "$1"), read: (file) => text(root, join(folder, file)) });
    if (path === "/" || path === "" || path === ".") return found;
  }
}

/** Lines are NUMBER:CONTROLLERS:PATH, in version 2 without controllers. */
function groupOf(lines: string | null, controller: Controller, version: 1 | 2): string | undefined {
  return (lines ?? "")
    .split("\n")
    .map((line) => /^\d+:([^:]*):(.*)$/.exec(line))
    .find((line) => (version === 2 ? line?.[1] === "" : line?.[1]?.split(",").includes(controller)))?.[2];
}

/** Lines are ID PARENT DEVICE ROOT MOUNT-POINT OPTIONS [OPTIONAL…] - TYPE SOURCE SUPER-OPTIONS. */
function mountOf(lines: string | null, controller: Controller, version: 1 | 2) {
  for (const line of (lines ?? "").split("\n")) {
    const [place = "", system = ""] = line.split(" - ");
    const [, , , from = "/", at = "/"] = place.split(" ");
    const [type, , options = ""] = system.split(" ");
    const isIt = version === 2 ? type === "cgroup2" : type === "cgroup" && options.split(",").includes(controller);
    if (isIt) return { from: from === "/" ? "" : from, at };
  }
  return undefined;
}

function text(root: string, path: string): string | null {
  try {
    return readFileSync(join(root, path), "utf8").trim();
  } catch {
    return null;
  }
}
