import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("../../../..", import.meta.url));

/** The commit that is measured, with "-dirty" after it when files were changed; null outside a git checkout. */
export async function sourceVersion(): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)("git", ["-C", ROOT, "describe", "--always", "--dirty", "--exclude=*"]);
    return stdout.trim();
  } catch {
    return null;
  }
}
