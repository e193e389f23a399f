const [QUOTE, ESCAPE] = [0x22, 0x5c];
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);

/** How many arrays and objects of a JSON text are open, byte by byte. Of other texts it says something that means nothing. */
export class JsonDepth {
  #depth = 0;
  #state: "plain" | "string" | "escaped" = "plain";

  get depth(): number {
    return this.#depth;
  }

  /** What follows belongs to a string, or ends it. */
  get isInString(): boolean {
    return this.#state !== "plain";
  }

  add(bytes: Uint8Array): void {
    for (const byte of bytes) this.#step(byte);
  }

  #step(byte: number): void {
    if (this.#state === "escaped") this.#state = "string";
    else if (this.#state === "string" && byte === ESCAPE) this.#state = "escaped";
    else if (byte === QUOTE) this.#state = this.#state === "string" ? "plain" : "string";
    else if (this.#state === "plain" && OPENING.has(byte)) this.#depth++;
    else if (this.#state === "plain" && CLOSING.has(byte)) this.#depth = Math.max(0, this.#depth - 1);
  }
}
