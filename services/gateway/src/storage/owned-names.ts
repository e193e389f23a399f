import { InTurns } from "./in-turns.js";
import type { ObjectStorage } from "./object-storage.js";
import { SharedRead } from "./shared-read.js";

/** What an owner has: the thing's id, and after a dot whatever lists and bounds need without its record. */
export interface OwnedName {
  readonly owner: string;
  readonly name: string;
}

export interface OwnedThings {
  readonly kind: "files" | "batches";
  /** The ids of all owners' things. */
  readonly ids: () => Promise<readonly string[]>;
  /** null: there is no such thing, or its record can't be read. */
  readonly nameOf: (id: string) => Promise<OwnedName | null>;
}

const OWNERS = "owners";
const NOBODY = { owner: "" };

/**
 * The names of each owner's things, as empty objects `owners/OWNER/KIND/NAME`, so that a list reads nothing of other
 * owners. They follow from the things' records: what is missing, from an earlier release or because a process died, is
 * put there before the first list and every hour.
 */
export class OwnedNames {
  readonly #storage: ObjectStorage;
  readonly #things: OwnedThings;
  readonly #reads = new SharedRead<readonly string[]>();
  readonly #turns = new InTurns();
  #mended: Promise<void> | undefined;

  constructor(storage: ObjectStorage, things: OwnedThings) {
    this.#storage = storage;
    this.#things = things;
  }

  /** To be called once the thing's record is there. */
  add(named: OwnedName): Promise<void> {
    return this.#storage.touch(this.#keyOf(named));
  }

  remove(named: OwnedName): Promise<void> {
    return this.#storage.delete(this.#keyOf(named));
  }

  /** Those that are there, in any order. */
  known(owner: string): Promise<readonly string[]> {
    return this.#reads.get(owner, () => this.#storage.list(this.#folderOf(owner)));
  }

  /** All of them, newest first. Throws what mending throws. */
  async all(owner: string): Promise<readonly string[]> {
    await (this.#mended ?? this.mend());
    return (await this.known(owner)).toSorted().reverse();
  }

  /** Adds the names that are missing, and removes those of things that are gone. */
  mend(): Promise<void> {
    const mended = this.#mend();
    this.#mended ??= mended;
    mended.catch(() => {
      if (this.#mended === mended) this.#mended = undefined;
    });
    return mended;
  }

  /** The names come first: as a record is there before its name, a name without one is of a thing that was deleted. */
  async #mend(): Promise<void> {
    const keysOf = await this.#allKeys();
    const ids = await this.#things.ids();
    const unsure = ids.filter((id) => keysOf.get(id)?.length !== 1);
    await this.#turns.all(unsure, (id) => this.#mendOne(id, keysOf.get(id) ?? []), NOBODY);
    for (const id of ids) keysOf.delete(id);
    await this.#turns.all([...keysOf.values()].flat(), (key) => this.#storage.delete(key), NOBODY);
  }

  /** By id. */
  async #allKeys(): Promise<Map<string, string[]>> {
    const keysOf = new Map<string, string[]>();
    for (const owner of await this.#storage.list(OWNERS)) {
      const folder = `${OWNERS}/${owner}/${this.#things.kind}`;
      for (const name of await this.#storage.list(folder)) {
        const id = idIn(name);
        keysOf.set(id, [...(keysOf.get(id) ?? []), `${folder}/${name}`]);
      }
    }
    return keysOf;
  }

  async #mendOne(id: string, keys: readonly string[]): Promise<void> {
    const named = await this.#things.nameOf(id);
    if (named === null) return;
    const right = this.#keyOf(named);
    if (!keys.includes(right)) await this.#storage.touch(right);
    for (const key of keys) if (key !== right) await this.#storage.delete(key);
  }

  #keyOf({ owner, name }: OwnedName): string {
    return `${this.#folderOf(owner)}/${name}`;
  }

  /** In hexadecimal, as some disks take "Team" for "team". */
  #folderOf(owner: string): string {
    return `${OWNERS}/key-${Buffer.from(owner).toString("hex")}/${this.#things.kind}`;
  }
}

/** The id that a name begins with. */
export const idIn = (name: string): string => name.split(".", 1)[0] ?? name;
