import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createFile, makeFolder, RhoneError } from "@rhone/common";
import {
  type Credential,
  issueLeaf,
  keyHash,
  newAuthorityCredential,
  newKey,
  newRequest,
  publicKeyOf,
  readRequest,
} from "../certificates.js";
import { type IdentityFiles, identityKey, writeCertificate } from "../identity-files.js";
import {
  AUTHORITY_ROLE,
  authorityHash,
  clusterOf,
  type MemberRole,
  memberNameSchema,
  type Role,
  uriOf,
} from "../member-name.js";
import { Members } from "./members.js";
import { nullIfMissing, TokenStore } from "./token-store.js";

const DAY_MS = 24 * 3_600_000;
const AUTHORITY_LIFE_MS = 3650 * DAY_MS;
/** A machine may be off for two thirds of it, and needs no token when it is back: it renews after one third. */
export const LEAF_LIFE_MS = 30 * DAY_MS;

/** A machine that wants to become a member. */
export interface EnrollOrder {
  readonly token: string;
  readonly secret: string;
  readonly role: MemberRole;
  readonly name: string;
  /** PKCS#10, PEM. */
  readonly request: string;
  /** Its hosts: what the server sees, not what it says. */
  readonly hosts: readonly string[];
}

/** A member that proved who it is by its certificate. */
export interface RenewOrder extends Pick<EnrollOrder, "role" | "name" | "request" | "hosts"> {}

/** Who gets a certificate. */
export interface IssueOrder extends Pick<EnrollOrder, "name" | "hosts"> {
  readonly role: Role;
}

/** The members of the authority in a folder, which need not exist. */
export const membersOf = (folder: string, now: () => number = Date.now): Members =>
  new Members(folder, { now, lifeMs: LEAF_LIFE_MS });

/** The tokens of the authority in a folder, which need not exist. */
export const tokensOf = (folder: string, now: () => number = Date.now): TokenStore =>
  new TokenStore(join(folder, "tokens"), now);

/** The CA of one cluster: its key, its tokens and its members, in one folder of the machine that made the cluster. */
export class Authority {
  readonly tokens: TokenStore;
  readonly members: Members;
  /** PEM. */
  readonly ca: string;
  /** See `authorityHash`. */
  readonly hash: string;
  readonly #credential: Credential;
  readonly #now: () => number;
  /** Members are admitted one after another. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(folder: string, credential: Credential, now: () => number) {
    this.#credential = credential;
    this.#now = now;
    this.ca = credential.certificate;
    this.hash = authorityHash(credential.certificate);
    this.tokens = tokensOf(folder, now);
    this.members = membersOf(folder, now);
  }

  /** Makes the key and certificate when the folder has none. Throws what reading and writing files throw. */
  static async open(folder: string, now: () => number = Date.now): Promise<Authority> {
    await makeFolder(folder, 0o700);
    // One file decides which of two processes makes the cluster, so the key has its certificate beside it.
    const path = join(folder, "ca-key.pem");
    let both = await readFile(path, "utf8").catch(nullIfMissing);
    if (both === null) {
      const { key, certificate } = await newAuthorityCredential(now(), AUTHORITY_LIFE_MS);
      await createFile(path, key + certificate);
      both = await readFile(path, "utf8");
    }
    const begin = both.indexOf("-----BEGIN CERTIFICATE-----");
    const credential = { key: both.slice(0, begin), certificate: both.slice(begin) };
    await createFile(join(folder, "ca.pem"), credential.certificate);
    return new Authority(folder, credential, now);
  }

  get cluster(): string {
    return clusterOf(this.hash);
  }

  /**
   * Admits a machine and returns its certificate, PEM. Throws CERTIFICATE_REFUSED for a request with another role or
   * name or a name that is taken, and what `TokenStore.claim` throws.
   */
  enroll(order: EnrollOrder): Promise<string> {
    return this.#inTurn(async () => {
      const { token: id, secret, role, name } = order;
      const publicKey = await this.#publicKeyFor(order);
      const key = keyHash(publicKey);
      await this.members.checkFree({ role, name, key });
      await this.tokens.claim({ id, secret, role, name, key });
      return this.#issue(order, publicKey);
    });
  }

  /** A new certificate for a member's key, PEM. Throws CERTIFICATE_REFUSED for a request with another name or key. */
  renew(order: RenewOrder): Promise<string> {
    return this.#inTurn(async () => {
      const publicKey = await this.#publicKeyFor(order);
      await this.members.check({ role: order.role, name: order.name, key: keyHash(publicKey) });
      return this.#issue(order, publicKey);
    });
  }

  /** Writes the identity of a process of this machine, or renews it. */
  async issueHere(files: IdentityFiles, order: IssueOrder): Promise<void> {
    const key = await identityKey(files);
    const request = await newRequest(key, uriOf({ ...order, cluster: this.cluster }));
    const certificate = await this.#inTurn(async () =>
      this.#issue(order, await this.#publicKeyFor({ ...order, request })),
    );
    await writeCertificate(files, { ca: this.ca, certificate });
  }

  /** The key and certificate of the server that issues certificates, which nobody takes for a member. */
  async ownCredential(hosts: readonly string[]): Promise<Credential> {
    const key = newKey();
    const certificate = await issueLeaf(this.#credential, {
      publicKey: publicKeyOf(key),
      commonName: AUTHORITY_ROLE,
      uri: uriOf({ cluster: this.cluster, role: AUTHORITY_ROLE, name: AUTHORITY_ROLE }),
      hosts,
      nowMs: this.#now(),
      lifeMs: LEAF_LIFE_MS,
    });
    return { certificate, key };
  }

  async #publicKeyFor(order: Omit<IssueOrder, "hosts"> & Pick<EnrollOrder, "request">): Promise<Uint8Array> {
    const { role, name } = order;
    if (!memberNameSchema.safeParse(name).success) {
      throw new RhoneError("CERTIFICATE_REFUSED", "The request is for a name that members can't have.");
    }
    const { publicKey, uri } = await readRequest(order.request);
    const expected = uriOf({ cluster: this.cluster, role, name });
    if (uri === expected) return publicKey;
    throw new RhoneError(
      "CERTIFICATE_REFUSED",
      `The request for a certificate names ${JSON.stringify(uri.slice(0, 200))}; it must name ${expected}.`,
    );
  }

  async #issue({ role, name, hosts }: IssueOrder, publicKey: Uint8Array): Promise<string> {
    const nowMs = this.#now();
    const member = { role, name, key: keyHash(publicKey), issuedAtMs: nowMs, validUntilMs: nowMs + LEAF_LIFE_MS };
    await this.members.put(member);
    return issueLeaf(this.#credential, {
      publicKey,
      commonName: name,
      uri: uriOf({ cluster: this.cluster, role, name }),
      hosts,
      nowMs,
      lifeMs: LEAF_LIFE_MS,
    });
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act);
    this.#turn = done.catch(() => {});
    return done;
  }
}
