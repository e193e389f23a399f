import type { Sequence } from "./sequence.js";

/**
 * The small integers that name sequences on the wire, from their opening to their close. None is used twice in an
 * epoch, so that what the last stage says of a sequence that was closed meanwhile is about no other.
 */
export class WireIds {
  readonly #open = new Map<Sequence, number>();
  #closing: number[] = [];
  #next = 1;

  /** Whether the stages know the sequence. */
  isOpen(sequence: Sequence): boolean {
    return this.#open.has(sequence);
  }

  /** The sequence's id; a new one when the stages do not know it yet. */
  open(sequence: Sequence): number {
    const id = this.#open.get(sequence) ?? this.#next++;
    this.#open.set(sequence, id);
    return id;
  }

  /** The open sequence with this id. */
  find(id: number): Sequence | undefined {
    for (const [sequence, its] of this.#open) if (its === id) return sequence;
    return undefined;
  }

  /** The stages must forget the sequence, if they know it. */
  close(sequence: Sequence): void {
    const id = this.#open.get(sequence);
    if (id === undefined) return;
    this.#open.delete(sequence);
    this.#closing.push(id);
  }

  get hasClosing(): boolean {
    return this.#closing.length > 0;
  }

  /** The closes for the frame that is about to be sent. */
  takeClosing(): readonly number[] {
    const ids = this.#closing;
    this.#closing = [];
    return ids;
  }
}
