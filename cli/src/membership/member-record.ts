import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { replaceFile } from "@rhone/common";
import type { DataDir } from "../data-dir.js";
import { type MemberOptions, memberOptionsSchema } from "./member-options.js";

const pathIn = ({ identity }: DataDir): string => join(identity, "member.json");

/** What this machine joined last, so that it needs neither address nor token after a restart; null: nothing. */
export async function readMember(dataDir: DataDir): Promise<MemberOptions | null> {
  try {
    return memberOptionsSchema.parse(JSON.parse(await readFile(pathIn(dataDir), "utf8")));
  } catch {
    return null;
  }
}

export async function keepMember(dataDir: DataDir, options: MemberOptions): Promise<void> {
  await replaceFile(pathIn(dataDir), `${JSON.stringify(options, null, 2)}\n`);
}

/** Forgets the key and certificate too: the machine needs a token to join again. */
export async function forgetMember(dataDir: DataDir): Promise<void> {
  await rm(dataDir.identity, { recursive: true, force: true });
}
