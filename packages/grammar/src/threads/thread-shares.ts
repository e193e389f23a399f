/** What a text would change about the threads that its owner's texts use. */
export interface ThreadClaim {
  /** "" = clients without keys. */
  readonly owner: string;
  /** Threads that texts of the owner use. */
  readonly held: number;
  /** Threads that it would add to those. */
  readonly added: number;
  /** Threads that it would take of the free ones. */
  readonly taken: number;
  /** It has to wait until another text's grammars are compiled. */
  readonly isHeldBack: boolean;
}

/**
 * Which of the texts that wait may start: one look at them, in the order of their turns. An owner's texts use no more
 * threads than they leave free, so that every other finds some: of 16, the first owner gets 8 at most, the second 4,
 * the third 2. An owner without any gets what one text needs. Clients without keys, who all are one owner, may have
 * every thread. The rule is of Choudhury and Hahne, Dynamic queue length thresholds, IEEE/ACM ToN 1998.
 */
export class ThreadShares {
  #free: number;
  readonly #overShare = new Set<string>();

  /** `free`: threads that no text uses. */
  constructor(free: number) {
    this.#free = free;
  }

  /** Keeps the threads of a text that can't start yet from those that come after it, unless its owner has too many. */
  mayStart({ owner, held, added, taken, isHeldBack }: ThreadClaim): boolean {
    if (taken === 0) return true;
    const left = this.#free - taken;
    if (owner !== "" && held > 0 && held + added > left + 1) this.#overShare.add(owner);
    if (this.#overShare.has(owner)) return false;
    this.#free = left;
    return left >= 0 && !isHeldBack;
  }
}
