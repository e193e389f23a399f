import { spawn } from "node:child_process";

/**
 * Runs a command once this process is gone, however it ended: SIGKILL leaves it no time to clean up. Not after
 * `cancel`.
 */
export function afterDeath(command: readonly string[]): { readonly cancel: () => void } {
  // Its standard input ends with this process.
  const child = spawn("sh", ["-c", 'cat >/dev/null; exec "$@"', "sh", ...command], {
    detached: true, // Ctrl-C is for this process
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.once("error", () => {}); // a system without sh
  child.unref();
  const { stdin } = child;
  if ("unref" in stdin && typeof stdin.unref === "function") stdin.unref();
  return { cancel: () => void child.kill("SIGKILL") };
}
