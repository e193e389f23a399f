import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { makeFolder, RhoneError } from "@rhone/common";
import { authorityHash, enroll, identityFiles, type Places, parseToken, readIdentity, renew } from "@rhone/identity";
import type { CommandWriter } from "../config.js";
import type { DataDir } from "../data-dir.js";
import { hostName } from "../enrollment/door.js";
import type { MemberOptions } from "./member-options.js";

export interface Application {
  readonly door: string;
  /** Absent: this machine has an identity. */
  readonly token: string | undefined;
  readonly name: string;
  readonly dataDir: DataDir;
  readonly rhone: CommandWriter;
  /** What it joined last. */
  readonly before: MemberOptions | null;
}

/** A name for this machine: its host name, and four digits that make it differ from others of that name. */
const newMemberName = (): string => `${hostName()}-${randomBytes(2).toString("hex")}`;

/** The name of a key that this machine has made, even if no certificate came for it, else a new one. */
export async function memberNameIn({ identity }: DataDir): Promise<string> {
  const folders = await readdir(identity).catch(() => []);
  const [name] = folders.flatMap((folder) => /^worker-(.+)$/.exec(folder)?.[1] ?? []);
  return name ?? newMemberName();
}

/**
 * Gets an identity by the token, or renews the one that there is, and returns the coordinator's address, host:port. A
 * token of the cluster that this machine belongs to is not used up. While the door does not answer, the address of the
 * last time does. Throws as `enroll`, and INVALID_CONFIG where a token is needed.
 */
export async function becomeMember({ dataDir, rhone, before, token, ...who }: Application): Promise<string> {
  await makeFolder(dataDir.identity, 0o700);
  const files = identityFiles(dataDir.identity, "worker", who.name);
  const place = { address: who.door, role: "worker" as const, name: who.name, files };
  const identity = await readIdentity(files);
  const isMember =
    identity !== null &&
    identity.validUntilMs > Date.now() &&
    (token === undefined || parseToken(token).authority === authorityHash(identity.ca));
  if (isMember) {
    const last = before?.door === who.door ? before.coordinator : undefined;
    return coordinatorIn(await renew(place).catch((error: unknown) => knownPlaces(error, last)), who.door);
  }
  if (token !== undefined) return coordinatorIn(await enroll(place, token), who.door);
  const why = identity === null ? "has not joined a cluster" : "was away until its certificate had ended";
  throw new RhoneError(
    "INVALID_CONFIG",
    `This machine ${why}. Create a token on the machine that made the cluster (rhone token create), then: ` +
      rhone("join HOST:PORT TOKEN"),
  );
}

/** A door that does not answer, as while its machine restarts, does not keep members away. */
function knownPlaces(error: unknown, coordinator: string | undefined): Places {
  if (error instanceof RhoneError && error.code === "UNREACHABLE" && coordinator !== undefined) return { coordinator };
  throw error;
}

function coordinatorIn({ coordinator }: Places, door: string): string {
  if (coordinator !== undefined) return coordinator;
  throw new RhoneError("NO_PIPELINE", `The cluster at ${door} has no coordinator now. Try again when it is up.`);
}
