import { stat } from "node:fs/promises";
import type { GgufFile } from "@rhone/model";

/**
 * Inode, size and times of a model's files. Two places with the same stamp are the same files, on one machine or
 * mounted on several, and a file that was written to has another one: the system sets the time of the last change
 * (ctime) to the nanosecond, and nobody else can.
 */
export async function fileStamp({ parts }: Pick<GgufFile, "parts">): Promise<string> {
  const stamps = parts.map(async ({ path }) => {
    const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join("-");
  });
  return (await Promise.all(stamps)).join(" ");
}
