import { readFile } from "node:fs/promises";
import { RhoneError } from "@rhone/common";
import { z } from "zod";
import type { DataDir } from "../data-dir.js";
import { runningCluster } from "./running-cluster.js";

const failureSchema = z.object({ code: z.string(), message: z.string(), at: z.string() });

/** The gateway of the cluster of a data directory. Throws NOT_RUNNING, with the reason why the last cluster ended if it ended by itself. */
export async function urlOfCluster(dataDir: DataDir): Promise<string> {
  try {
    return (await runningCluster(dataDir)).url;
  } catch (error) {
    const failure = await lastFailure(dataDir);
    if (failure === null || !(error instanceof RhoneError)) throw error;
    const { at, code, message } = failure;
    throw new RhoneError(error.code, `${error.message} The last one ended at ${at}: ${code}: ${message}`);
  }
}

async function lastFailure({ failureFile }: DataDir): Promise<z.infer<typeof failureSchema> | null> {
  try {
    return failureSchema.parse(JSON.parse(await readFile(failureFile, "utf8")));
  } catch {
    return null;
  }
}
