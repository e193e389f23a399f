/** Finds where a JSON object that comes in pieces ends. */
export class ObjectScanner {
  #at = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  /** The object's length; undefined while it is incomplete. `text`: all of it so far, from its brace on. */
  scan(text: string): number | undefined {
    while (this.#at < text.length) {
      this.#read(text[this.#at++] ?? "");
      if (this.#depth === 0) return this.#at;
    }
    return undefined;
  }

  #read(letter: string): void {
    if (this.#escaped) this.#escaped = false;
    else if (this.#inString && letter === "\\") this.#escaped = true;
    else if (letter === '"') this.#inString = !this.#inString;
    else if (!this.#inString && (letter === "{" || letter === "[")) this.#depth++;
    else if (!this.#inString && (letter === "}" || letter === "]")) this.#depth--;
  }
}
