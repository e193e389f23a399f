import { createHash, timingSafeEqual } from "node:crypto";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { createFile, makeFolder, RhoneError } from "@rhone/common";
import { z } from "zod";
import { newSecret, newTokenId, TOKEN_ID } from "../join-token.js";
import { MEMBER_ROLES, type MemberRole } from "../member-name.js";

const recordSchema = z.object({
  id: z.string(),
  /** SHA-256 of the secret, hex. */
  digest: z.string(),
  role: z.enum(MEMBER_ROLES),
  /** Machines that it admits, at most. */
  uses: z.number().int().positive(),
  createdAtMs: z.number(),
  expiresAtMs: z.number(),
});
type TokenRecord = Readonly<z.infer<typeof recordSchema>>;

const useSchema = z.object({ name: z.string(), key: z.string(), atMs: z.number() });
export type TokenUse = Readonly<z.infer<typeof useSchema>>;

export type TokenState = "valid" | "expired" | "used up" | "revoked";

/** A token as the operator sees it. */
export interface TokenView extends Omit<TokenRecord, "digest"> {
  readonly state: TokenState;
  readonly usedBy: readonly TokenUse[];
}

/** What a joiner shows. */
export interface Claim {
  readonly id: string;
  readonly secret: string;
  readonly role: MemberRole;
  readonly name: string;
  /** SHA-256 of its public key, hex. */
  readonly key: string;
}

/** Ended tokens are listed for this long. */
const KEPT_MS = 7 * 24 * 3_600_000;

/**
 * The tokens of a cluster, as files of one folder: ID.json, ID.revoked, and ID.use-N.json for each machine that was
 * admitted. Every change creates one file, which one process can do, so the server and the command line share them
 * without a lock.
 */
export class TokenStore {
  readonly #folder: string;
  readonly #now: () => number;

  constructor(folder: string, now: () => number) {
    this.#folder = folder;
    this.#now = now;
  }

  /** The secret is kept nowhere. */
  async create(order: {
    readonly role: MemberRole;
    readonly uses: number;
    readonly ttlMs: number;
  }): Promise<{ readonly token: TokenView; readonly secret: string }> {
    await makeFolder(this.#folder, 0o700);
    await this.#prune();
    const secret = newSecret();
    const createdAtMs = this.#now();
    const { role, uses, ttlMs } = order;
    const record = { id: newTokenId(), role, uses, createdAtMs, expiresAtMs: createdAtMs + ttlMs };
    if (!(await createFile(this.#path(`${record.id}.json`), JSON.stringify({ ...record, digest: digestOf(secret) })))) {
      return this.create(order); // an id of 32 random bits was taken
    }
    return { token: { ...record, state: "valid", usedBy: [] }, secret };
  }

  /** The oldest first. */
  async list(): Promise<readonly TokenView[]> {
    const ids = (await this.#files()).flatMap((file) => /^([0-9a-f]{8})\.json$/.exec(file)?.[1] ?? []);
    const views = await Promise.all(ids.map((id) => this.#view(id)));
    return views.flatMap((view) => view ?? []).toSorted((a, b) => a.createdAtMs - b.createdAtMs);
  }

  /** False when there is no such token. Machines that it has admitted stay. */
  async revoke(id: string): Promise<boolean> {
    if ((await this.#read(id)) === null) return false;
    await createFile(this.#path(`${id}.revoked`), "");
    return true;
  }

  /**
   * Admits one machine, or the machine with this key again, whose answer may have been lost. Throws TOKEN_UNKNOWN,
   * TOKEN_REVOKED, TOKEN_EXPIRED, TOKEN_USED_UP, and CERTIFICATE_REFUSED for a role that the token does not give.
   */
  async claim({ id, secret, role, name, key }: Claim): Promise<void> {
    const record = await this.#read(id);
    if (record === null || !isEqual(digestOf(secret), record.digest)) {
      throw new RhoneError("TOKEN_UNKNOWN", `Token ${shownId(id)} is not one of this cluster. ${NEW_TOKEN}`);
    }
    const { state, usedBy, expiresAtMs, uses } = await this.#viewOf(record);
    if (state === "revoked") throw new RhoneError("TOKEN_REVOKED", `Token ${id} was revoked. ${NEW_TOKEN}`);
    if (state === "expired") {
      const at = new Date(expiresAtMs).toISOString();
      throw new RhoneError("TOKEN_EXPIRED", `Token ${id} expired at ${at}. ${NEW_TOKEN}`);
    }
    if (role !== record.role) {
      const problem = `Token ${id} admits a ${record.role}, and the request is for a ${role}`;
      throw new RhoneError("CERTIFICATE_REFUSED", `${problem}. ${NEW_TOKEN} --as ${role}`);
    }
    if (usedBy.some((use) => use.key === key)) return;
    const use = JSON.stringify({ name, key, atMs: this.#now() } satisfies TokenUse);
    for (let number = usedBy.length + 1; number <= uses; number++) {
      if (await createFile(this.#path(`${id}.use-${number}.json`), use)) return;
    }
    const admitted = (await this.#usesOf(id)).map((each) => each.name).join(", ");
    const problem = `Token ${id} has admitted ${uses} of ${uses} machines (${admitted})`;
    throw new RhoneError("TOKEN_USED_UP", `${problem}. ${NEW_TOKEN}`);
  }

  async #read(id: string): Promise<TokenRecord | null> {
    if (!TOKEN_ID.test(id)) return null;
    const text = await readFile(this.#path(`${id}.json`), "utf8").catch(nullIfMissing);
    return text === null ? null : recordSchema.parse(JSON.parse(text));
  }

  async #view(id: string): Promise<TokenView | null> {
    const record = await this.#read(id);
    return record === null ? null : this.#viewOf(record);
  }

  async #viewOf({ digest: _, ...record }: TokenRecord): Promise<TokenView> {
    const usedBy = await this.#usesOf(record.id);
    const isRevoked = (await this.#files()).includes(`${record.id}.revoked`);
    const isExpired = this.#now() >= record.expiresAtMs;
    const isUsedUp = usedBy.length >= record.uses;
    const state = isRevoked ? "revoked" : isExpired ? "expired" : isUsedUp ? "used up" : "valid";
    return { ...record, state, usedBy };
  }

  async #usesOf(id: string): Promise<readonly TokenUse[]> {
    const files = (await this.#files()).filter((file) => file.startsWith(`${id}.use-`) && file.endsWith(".json"));
    const texts = await Promise.all(files.map((file) => readFile(this.#path(file), "utf8").catch(nullIfMissing)));
    const uses = texts.flatMap((text) => (text === null ? [] : [useSchema.parse(JSON.parse(text))]));
    return uses.toSorted((a, b) => a.atMs - b.atMs);
  }

  async #prune(): Promise<void> {
    const files = await this.#files();
    for (const { id, expiresAtMs } of await this.list()) {
      if (this.#now() < expiresAtMs + KEPT_MS) continue;
      for (const file of files.filter((each) => each.startsWith(`${id}.`))) await rm(this.#path(file), { force: true });
    }
  }

  async #files(): Promise<readonly string[]> {
    return (await readdir(this.#folder).catch(nullIfMissing)) ?? [];
  }

  #path(file: string): string {
    return join(this.#folder, file);
  }
}

const NEW_TOKEN = "Create one on the machine that made the cluster: rhone token create";

const digestOf = (secret: string): string => createHash("sha256").update(secret).digest("hex");

/** Both are hex digests. Takes as long for any two of one length. */
const isEqual = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

/** What a stranger sent may be anything. */
const shownId = (id: string): string => (TOKEN_ID.test(id) ? id : "of another form");

export function nullIfMissing(error: NodeJS.ErrnoException): null {
  if (error.code === "ENOENT") return null;
  throw error;
}
