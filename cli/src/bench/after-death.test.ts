import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../testing/temporary-folder.js";

/** A process that leaves a file behind it; it says when it is ready, and never ends on its own. */
async function start(path: string, then: string) {
  const module = new URL("../../dist/bench/after-death.js", import.meta.url).href;
  const code = `const { afterDeath } = await import(${JSON.stringify(module)});
    const guard = afterDeath(["touch", ${JSON.stringify(path)}]);
    ${then}
    console.log("ready");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  return child;
}

test("the command runs once the process was killed, and not before", async () => {
  const path = join(await temporaryFolder(), "gone");
  const child = await start(path, "");
  expect(existsSync(path)).toBe(false);
  child.kill("SIGKILL");
  await expect.poll(() => existsSync(path), { timeout: 5000 }).toBe(true);
});

test("one that cleaned up itself cancels it, and may end", async () => {
  const folder = await temporaryFolder();
  const cancelled = await start(join(folder, "cancelled"), "guard.cancel();");
  const other = await start(join(folder, "other"), "");
  cancelled.kill("SIGKILL");
  other.kill("SIGKILL");
  await expect.poll(() => existsSync(join(folder, "other")), { timeout: 5000 }).toBe(true);
  expect(existsSync(join(folder, "cancelled"))).toBe(false);
});
