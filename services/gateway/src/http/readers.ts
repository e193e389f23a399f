import { RhoneError } from "@rhone/common";
import { Counts } from "../counts.js";

export interface ReaderLimits {
  /** Readers of one stream. */
  readonly ofStream: number;
  /** Readers of all streams. */
  readonly most: number;
  /** What sets the two; absent: as of streams that are read again. */
  readonly settings?: { readonly ofStream: string; readonly most: string };
}

const SETTINGS = { ofStream: "--stream-readers", most: "--most-readers" };

/** What is read again, and by whom. */
export interface Reading {
  readonly stream: string;
  /** The caller's API key; "" = anonymous. */
  readonly owner: string;
}

/**
 * Counts who reads streams again. Each reader costs as much as the stream did the first time. An API key has no more
 * readers than it leaves free, so that no key's many keep another from its first.
 */
export class Readers {
  readonly #limits: ReaderLimits;
  readonly #ofStream = new Counts();
  readonly #ofOwner = new Counts();
  #all = 0;

  constructor(limits: ReaderLimits) {
    this.#limits = limits;
  }

  /** What `read` returns or throws. Throws TOO_MANY_READERS before it is called. */
  async admit<T>({ stream, owner }: Reading, read: () => Promise<T>): Promise<T> {
    this.#check({ stream, owner });
    this.#count({ stream, owner }, 1);
    try {
      return await read();
    } finally {
      this.#count({ stream, owner }, -1);
    }
  }

  #check({ stream, owner }: Reading): void {
    const { ofStream, most, settings = SETTINGS } = this.#limits;
    const readers = this.#ofStream.of(stream);
    if (readers >= ofStream) {
      const many = `${readers} readers follow ${stream}, the limit (${settings.ofStream})`;
      throw new RhoneError("TOO_MANY_READERS", `${many}; close one, or try again shortly.`);
    }
    const held = owner === "" ? 0 : this.#ofOwner.of(owner);
    const free = most - this.#all;
    if (free > 0 && (held === 0 || held < free)) return;
    const all = `${this.#all} readers follow streams again, of at most ${most} (${settings.most})`;
    const share = `; ${held} of them are of this API key, which may have no more than it leaves free`;
    throw new RhoneError("TOO_MANY_READERS", `${all}${free > 0 ? share : ""}; try again shortly.`);
  }

  #count({ stream, owner }: Reading, change: 1 | -1): void {
    this.#all += change;
    this.#ofStream.add(stream, change);
    this.#ofOwner.add(owner, change);
  }
}
