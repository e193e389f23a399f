/** Tokens in the order in which they were first counted, in arrays that native code can read. */
export class TokenCounts {
  readonly #at = new Map<number, number>();
  #tokens = new Int32Array(16);
  #counts = new Int32Array(16);

  add(token: number): void {
    const at = this.#at.get(token) ?? this.#append(token);
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }

  /** Without repetition. */
  get tokens(): Int32Array {
    return this.#tokens.subarray(0, this.#at.size);
  }

  /** How often each of `tokens` was added. */
  get counts(): Int32Array {
    return this.#counts.subarray(0, this.#at.size);
  }

  #append(token: number): number {
    const at = this.#at.size;
    this.#at.set(token, at);
    if (at === this.#tokens.length) [this.#tokens, this.#counts] = [doubled(this.#tokens), doubled(this.#counts)];
    this.#tokens[at] = token;
    return at;
  }
}

function doubled(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * array.length);
  larger.set(array);
  return larger;
}
