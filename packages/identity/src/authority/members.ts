import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder, RhoneError, replaceFile } from "@rhone/common";
import { z } from "zod";
import { ROLES, type Role } from "../member-name.js";
import { nullIfMissing } from "./token-store.js";

const memberSchema = z.object({
  role: z.enum(ROLES),
  name: z.string(),
  /** SHA-256 of its public key, hex. */
  key: z.string(),
  issuedAtMs: z.number(),
  validUntilMs: z.number(),
});
export type Member = Readonly<z.infer<typeof memberSchema>>;

/** The members that have a certificate, one file each: a name belongs to one key. */
export class Members {
  readonly #folder: string;
  readonly #now: () => number;

  constructor(folder: string, now: () => number) {
    this.#folder = folder;
    this.#now = now;
  }

  /** Throws CERTIFICATE_REFUSED when another key has the name and a valid certificate. */
  async checkFree(member: Pick<Member, "role" | "name" | "key">): Promise<void> {
    const found = await this.#read(member);
    if (found === null || found.key === member.key || found.validUntilMs <= this.#now()) return;
    throw taken(found, this.#path(member));
  }

  /** Records that this key has the name from now on. */
  async put(member: Member): Promise<void> {
    await makeFolder(this.#folder, 0o700);
    await replaceFile(this.#path(member), `${JSON.stringify(member)}\n`);
  }

  /** Throws CERTIFICATE_REFUSED for a name or key that is not a member's: its record was removed. */
  async check(member: Pick<Member, "role" | "name" | "key">): Promise<void> {
    const found = await this.#read(member);
    if (found?.key === member.key) return;
    const who = `The ${member.role} ${member.name}`;
    const problem = found === null ? `${who} is no member any more` : `${who} is a member with another key`;
    throw new RhoneError("CERTIFICATE_REFUSED", `${problem}. It needs a new token: rhone token create`);
  }

  async #read(member: Pick<Member, "role" | "name">): Promise<Member | null> {
    const text = await readFile(this.#path(member), "utf8").catch(nullIfMissing);
    return text === null ? null : memberSchema.parse(JSON.parse(text));
  }

  #path({ role, name }: { readonly role: Role; readonly name: string }): string {
    return join(this.#folder, `${role}-${name}.json`);
  }
}

function taken({ role, name, validUntilMs }: Member, path: string): RhoneError {
  const until = new Date(validUntilMs).toISOString();
  return new RhoneError(
    "CERTIFICATE_REFUSED",
    `A ${role} named ${name} is a member with another key, whose certificate is valid until ${until}. ` +
      `Choose another --name, or remove ${path} on the machine that made the cluster.`,
  );
}
