import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { createFile, makeFolder, RhoneError, replaceFile } from "@rhone/common";
import { z } from "zod";
import { ROLES } from "../member-name.js";
import { nullIfMissing } from "./token-store.js";

const memberSchema = z.object({
  role: z.enum(ROLES),
  name: z.string(),
  /** SHA-256 of its public key, hex. */
  key: z.string(),
  /** When the key had its first certificate; absent from records of earlier releases. */
  sinceMs: z.number().optional(),
  issuedAtMs: z.number(),
  validUntilMs: z.number(),
});
export type Member = Readonly<z.infer<typeof memberSchema>>;

const expelledSchema = memberSchema.extend({ expelledAtMs: z.number() });
type Expelled = Readonly<z.infer<typeof expelledSchema>>;

export type MemberState = "valid" | "expired" | "expelled";

/** A member as the operator sees it. */
export interface MemberView extends Pick<Member, "role" | "name" | "key" | "validUntilMs"> {
  readonly sinceMs: number;
  /** When it got its certificate, which is the newest of its key. */
  readonly renewedAtMs: number;
  readonly state: MemberState;
}

type MemberName = Pick<Member, "role" | "name">;

interface Clock {
  readonly now: () => number;
  /** Certificates are valid for this long. */
  readonly lifeMs: number;
}

/** Members of one list that is sent to the others, at most. */
const MOST_REVOKED = 10_000;

/**
 * The members that have a certificate, as files of the authority's folder: members/ROLE-NAME.json, as a name belongs to
 * one key, and expelled/KEY.json for a key that is believed no longer. The command line and the server need no lock:
 * what is in `expelled` holds, whatever a renewal at the same time writes.
 */
export class Members {
  readonly #members: string;
  readonly #expelled: string;
  readonly #clock: Clock;

  constructor(folder: string, clock: Clock) {
    this.#members = join(folder, "members");
    this.#expelled = join(folder, "expelled");
    this.#clock = clock;
  }

  /** Throws CERTIFICATE_REFUSED when another key has the name and a valid certificate, or this one was expelled. */
  async checkFree(member: Pick<Member, "role" | "name" | "key">): Promise<void> {
    await this.checkBelieved(member);
    const found = await this.#read(member);
    const isFree = found === null || found.key === member.key || found.validUntilMs <= this.#clock.now();
    if (isFree || (await this.#expulsionOf(found.key)) !== null) return;
    throw taken(found);
  }

  /** Records that this key has the name from now on. */
  async put(member: Member): Promise<void> {
    await makeFolder(this.#members, 0o700);
    const before = await this.#read(member);
    const sinceMs = before?.key === member.key ? sinceOf(before) : member.issuedAtMs;
    await replaceFile(this.#path(member), `${JSON.stringify({ ...member, sinceMs })}\n`);
  }

  /** Throws CERTIFICATE_REFUSED for a name or key that is not a member's: it was expelled, or its record removed. */
  async check(member: Pick<Member, "role" | "name" | "key">): Promise<void> {
    await this.checkBelieved(member);
    const found = await this.#read(member);
    if (found?.key === member.key) return;
    const who = `The ${member.role} ${member.name}`;
    const problem = found === null ? `${who} is no member any more` : `${who} is a member with another key`;
    throw new RhoneError("CERTIFICATE_REFUSED", `${problem}. It needs a new token: rhone token create`);
  }

  /** Throws CERTIFICATE_REFUSED for a key that was expelled. */
  async checkBelieved({ role, name, key }: Pick<Member, "role" | "name" | "key">): Promise<void> {
    const found = await this.#expulsionOf(key);
    if (found === null) return;
    const at = new Date(found.expelledAtMs).toISOString();
    throw new RhoneError(
      "CERTIFICATE_REFUSED",
      `The ${role} ${name} was expelled from the cluster at ${at}. To admit the machine again, forget its key there ` +
        "(rhone leave --forget), and give it a new token.",
    );
  }

  /** By role and name; those that were expelled behind the others. */
  async list(): Promise<readonly MemberView[]> {
    const expelled = await this.#allExpelled();
    const keys = new Set(expelled.map(({ key }) => key));
    const members = (await readAll(this.#members, memberSchema)).filter(({ key }) => !keys.has(key));
    const now = this.#clock.now();
    const views = members.map((member) => viewOf(member, member.validUntilMs > now ? "valid" : "expired"));
    return [...views.toSorted(byName), ...expelled.map((member) => viewOf(member, "expelled")).toSorted(byName)];
  }

  /**
   * Ends a membership: the key gets no certificate any more, and `revoked` has it. Returns what it was; null when there
   * is no such member. The same name may be given to another key at once.
   */
  async expel(who: MemberName): Promise<MemberView | null> {
    const found = await this.#read(who);
    if (found === null || (await this.#expulsionOf(found.key)) !== null) return null;
    await makeFolder(this.#expelled, 0o700);
    const expelled: Expelled = { ...found, expelledAtMs: this.#clock.now() };
    await createFile(join(this.#expelled, `${found.key}.json`), `${JSON.stringify(expelled)}\n`);
    await rm(this.#path(found), { force: true });
    return viewOf(found, "expelled");
  }

  /** The keys that may have certificates and are believed no longer, the newest first, 10,000 at most. */
  async revoked(): Promise<readonly string[]> {
    const newest = (await this.#allExpelled()).toSorted((a, b) => b.expelledAtMs - a.expelledAtMs);
    return newest.slice(0, MOST_REVOKED).map(({ key }) => key);
  }

  /** Without those whose certificates have ended, even if they got one as they were expelled. */
  async #allExpelled(): Promise<readonly Expelled[]> {
    const { now, lifeMs } = this.#clock;
    const all = await readAll(this.#expelled, expelledSchema);
    return all.filter(({ expelledAtMs }) => now() < expelledAtMs + 2 * lifeMs);
  }

  async #expulsionOf(key: string): Promise<Expelled | null> {
    const text = await readFile(join(this.#expelled, `${key}.json`), "utf8").catch(nullIfMissing);
    return text === null ? null : expelledSchema.parse(JSON.parse(text));
  }

  async #read(member: MemberName): Promise<Member | null> {
    const text = await readFile(this.#path(member), "utf8").catch(nullIfMissing);
    return text === null ? null : memberSchema.parse(JSON.parse(text));
  }

  #path({ role, name }: MemberName): string {
    return join(this.#members, `${role}-${name}.json`);
  }
}

async function readAll<S extends z.ZodType>(folder: string, schema: S): Promise<readonly z.output<S>[]> {
  const files = ((await readdir(folder).catch(nullIfMissing)) ?? []).filter((file) => file.endsWith(".json"));
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), "utf8").catch(nullIfMissing)));
  return texts.flatMap((text) => (text === null ? [] : [schema.parse(JSON.parse(text))]));
}

const sinceOf = ({ sinceMs, issuedAtMs }: Member): number => sinceMs ?? issuedAtMs;

function viewOf(member: Member, state: MemberState): MemberView {
  const { role, name, key, issuedAtMs: renewedAtMs, validUntilMs } = member;
  return { role, name, key, sinceMs: sinceOf(member), renewedAtMs, validUntilMs, state };
}

const byName = (a: MemberView, b: MemberView): number => a.role.localeCompare(b.role) || a.name.localeCompare(b.name);

function taken({ role, name, validUntilMs }: Member): RhoneError {
  const until = new Date(validUntilMs).toISOString();
  return new RhoneError(
    "CERTIFICATE_REFUSED",
    `A ${role} named ${name} is a member with another key, whose certificate is valid until ${until}. ` +
      `Choose another --name, or expel it on the machine that made the cluster: rhone members expel ${name}`,
  );
}
