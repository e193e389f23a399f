/** Small integers that name sequences on the wire. An id is used anew only after its close has travelled. */
export class WireIds {
  #next = 1;
  readonly #free: number[] = [];
  #closing: number[] = [];

  take(): number {
    return this.#free.pop() ?? this.#next++;
  }

  /** The stages never heard of it. */
  giveUnopened(id: number): void {
    this.#free.push(id);
  }

  /** The stages must be told to forget it. */
  close(id: number): void {
    this.#closing.push(id);
  }

  get hasClosing(): boolean {
    return this.#closing.length > 0;
  }

  /**
   * The closes for the frame that is about to be sent. Frames are read in order and a frame's closes come last in it, so
   * the ids are free for every later frame.
   */
  takeClosing(): readonly number[] {
    const ids = this.#closing;
    this.#closing = [];
    this.#free.push(...ids);
    return ids;
  }
}
