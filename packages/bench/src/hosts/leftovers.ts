import { execFileSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const NAMESPACES = "/run/netns";
const LINKS = "/sys/class/net";
/** Files here take the place of /etc's in the namespace of that name. */
export const ETC = "/etc/netns";
const MOST_KILLS = 500;

/** Runs iproute2's `ip`. Throws with the command and what it printed. */
export function ip(...args: readonly string[]): string {
  return execFileSync("ip", args, { encoding: "utf8", stdio: "pipe" });
}

/** Runs several commands of `ip` in one namespace, in order, up to the first that fails. */
export function ipBatch(namespace: string, commands: readonly string[]): void {
  execFileSync("ip", ["-n", namespace, "-batch", "-"], { input: commands.join("\n"), stdio: ["pipe", "pipe", "pipe"] });
}

/** Kills every process of a network namespace, those that they start meanwhile, too. */
export function killAll(namespace: string): void {
  for (let kills = 0; kills < MOST_KILLS; kills++) {
    const pids = ip("netns", "pids", namespace).split("\n").filter(Boolean).map(Number);
    if (pids.length === 0) return;
    for (const pid of pids) kill(pid);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
  }
  throw new Error(`processes of ${namespace} outlive SIGKILL`);
}

/** A script that removes the network with the id that is its argument. */
export const REMOVE_NETWORK_ENTRY = fileURLToPath(new URL("./remove-network-main.js", import.meta.url));

/** Removes whatever has the name of a network: processes, namespaces, the link to this one, names of hosts, folders. */
export function removeNetwork(id: string): void {
  const isIts = (name: string): boolean => name.startsWith(`${id}-`);
  for (const namespace of list(NAMESPACES).filter(isIts)) {
    unlessGone(NAMESPACES, namespace, () => {
      killAll(namespace);
      ip("netns", "delete", namespace);
    });
  }
  if (list(LINKS).includes(id)) unlessGone(LINKS, id, () => ip("link", "delete", "dev", id));
  for (const folder of [ETC, tmpdir()]) {
    for (const name of list(folder).filter(isIts)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

/** Removes the networks of processes that are gone, such as a test run that was killed; others' stay. */
export function sweepNetworks(): void {
  const names = [NAMESPACES, ETC, tmpdir()].flatMap(list);
  const owners = new Map(
    names.flatMap((name) => {
      const [, id, pid] = /^(rh-(\d+)-\d+)-/.exec(name) ?? [];
      return id === undefined ? [] : [[id, Number(pid)] as const];
    }),
  );
  for (const [id, pid] of owners) if (!isRunning(pid)) removeNetwork(id);
}

/** Another test run sweeps the same leftovers, and the kernel takes a link with the namespace of its other end. */
function unlessGone(folder: string, name: string, remove: () => void): void {
  try {
    remove();
  } catch (error) {
    if (list(folder).includes(name)) throw error;
  }
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // none was ever made here
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {} // it ended in between
}
