import { readFile, writeFile } from "node:fs/promises";
import type { RhoneError } from "@rhone/common";
import { z } from "zod";
import type { DataDir } from "../data-dir.js";

const failureSchema = z.object({ code: z.string(), message: z.string(), at: z.string() });

/** Why the last cluster of a data directory, or its part in one, ended. */
export type LastFailure = Readonly<z.infer<typeof failureSchema>>;

export async function recordFailure({ failureFile }: DataDir, { code, message }: RhoneError): Promise<void> {
  const failure: LastFailure = { code, message, at: new Date().toISOString() };
  await writeFile(failureFile, `${JSON.stringify(failure)}\n`, { mode: 0o600 }).catch(() => {});
}

/** Null when it was stopped in order. */
export async function lastFailure({ failureFile }: DataDir): Promise<LastFailure | null> {
  try {
    return failureSchema.parse(JSON.parse(await readFile(failureFile, "utf8")));
  } catch {
    return null;
  }
}
