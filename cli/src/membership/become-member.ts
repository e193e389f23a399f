import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { makeFolder, type Places, RhoneError } from "@rhone/common";
import { authorityHash, enroll, identityFiles, parseToken, readIdentity, renew } from "@rhone/identity";
import type { CommandWriter } from "../config.js";
import type { DataDir } from "../data-dir.js";
import { hostName } from "../enrollment/door.js";
import type { MemberOptions, MemberRole } from "./member-options.js";

export interface Application {
  readonly door: string;
  /** Absent: this machine has an identity. */
  readonly token: string | undefined;
  readonly as: MemberRole;
  readonly name: string;
  readonly dataDir: DataDir;
  readonly rhone: CommandWriter;
  /** What it joined last. */
  readonly before: Pick<MemberOptions, "door" | "places"> | null;
}

/** A name for this machine: its host name, and four digits that make it differ from others of that name. */
const newMemberName = (): string => `${hostName()}-${randomBytes(2).toString("hex")}`;

/** The name of a key that this machine has made for the role, even if no certificate came for it, else a new one. */
export async function memberNameIn({ identity }: DataDir, as: MemberRole): Promise<string> {
  const folders = await readdir(identity).catch(() => []);
  const [folder] = folders.filter((each) => each.startsWith(`${as}-`));
  return folder?.slice(as.length + 1) ?? newMemberName();
}

/**
 * Gets an identity by the token, or renews the one that there is, and returns where the cluster's parts are. A token of
 * the cluster that this machine belongs to is not used up. While the door does not answer, what it said the last time
 * does. Throws as `enroll`, and INVALID_CONFIG where a token is needed.
 */
export async function becomeMember({ dataDir, rhone, before, token, as, ...who }: Application): Promise<Places> {
  await makeFolder(dataDir.identity, 0o700);
  const files = identityFiles(dataDir.identity, as, who.name);
  const place = { address: who.door, role: as, name: who.name, files };
  const identity = await readIdentity(files);
  const isMember =
    identity !== null &&
    identity.validUntilMs > Date.now() &&
    (token === undefined || parseToken(token).authority === authorityHash(identity.ca));
  if (isMember) {
    const last = before?.door === who.door ? before.places : undefined;
    return renew(place).catch((error: unknown) => knownPlaces(error, last));
  }
  if (token !== undefined) return enroll(place, token);
  const why = identity === null ? `has not joined a cluster as a ${as}` : "was away until its certificate had ended";
  throw new RhoneError(
    "INVALID_CONFIG",
    `This machine ${why}. Create a token on the machine that made the cluster (rhone token create${asFlag(as)}), ` +
      `then: ${rhone(`join HOST:PORT TOKEN${asFlag(as)}`)}`,
  );
}

const asFlag = (as: MemberRole): string => (as === "worker" ? "" : ` --as ${as}`);

/** A door that does not answer, as while its machine restarts, does not keep members away. */
function knownPlaces(error: unknown, last: Places | undefined): Places {
  const isAway = error instanceof RhoneError && error.code === "UNREACHABLE";
  if (isAway && last !== undefined && last.pipelines.length > 0) return last;
  throw error;
}
