import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const home = process.env.RHONE_HOME ?? join(homedir(), ".rhone");

/** A small real model, where `rhone model pull` has put it. */
export const smolLm2Path = join(home, "models", "SmolLM2-135M-Instruct.Q4_1.gguf");

/** Whether it is there. Says once per file that its tests are skipped, and how to get it. */
export function hasSmolLm2(): boolean {
  const isThere = existsSync(smolLm2Path);
  if (!isThere) {
    process.stdout.write(
      `skipped: ${smolLm2Path} is not there; fetch it with ./rhone model pull smollm2-135m-instruct\n`,
    );
  }
  return isThere;
}
