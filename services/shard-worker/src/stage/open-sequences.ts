import { PageTable } from "../kv-cache/pages.js";
import type { SequenceSampler } from "../sampling/sequence-sampler.js";
import type { SequenceOpen } from "../wire/step.js";

export interface OpenSequence {
  readonly table: PageTable;
  /** Null on a stage without the head. */
  readonly sampler: SequenceSampler | null;
}

/** The sequences that are open on a stage. Owns their samplers. */
export class OpenSequences {
  readonly #pageSize: number;
  readonly #openSampler: (open: SequenceOpen) => Promise<SequenceSampler | null>;
  readonly #open = new Map<number, OpenSequence>();

  /** `openSampler` makes the sampler of one sequence, or null. */
  constructor(pageSize: number, openSampler: (open: SequenceOpen) => Promise<SequenceSampler | null>) {
    this.#pageSize = pageSize;
    this.#openSampler = openSampler;
  }

  /** Opens all or, when a sampler cannot be made, none. Throws what `openSampler` throws. */
  async open(opens: readonly SequenceOpen[]): Promise<void> {
    const opened: [number, OpenSequence][] = [];
    try {
      for (const open of opens) {
        const sampler = await this.#openSampler(open);
        opened.push([open.sequence, { table: new PageTable(this.#pageSize), sampler }]);
      }
    } catch (error) {
      for (const [, { sampler }] of opened) sampler?.close();
      throw error;
    }
    for (const [sequence, state] of opened) this.#open.set(sequence, state);
  }

  get(sequence: number): OpenSequence | undefined {
    return this.#open.get(sequence);
  }

  close(sequence: number): void {
    this.#open.get(sequence)?.sampler?.close();
    this.#open.delete(sequence);
  }

  closeAll(): void {
    for (const sequence of this.#open.keys()) this.close(sequence);
  }
}
