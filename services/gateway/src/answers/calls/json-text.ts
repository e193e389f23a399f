/** Finds the end of a JSON object that arrives in pieces. */
export class ObjectScanner {
  #at = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  /** The object's length; undefined while it is incomplete. `text`: everything so far, from its brace on. */
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

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g;

/** The source text of a member of a JSON object, with all digits of its numbers. `object` must be valid JSON. */
export function memberText(object: string, wanted: string): string | undefined {
  let [depth, start] = [0, 0];
  let key: string | undefined;
  let found: string | undefined;
  for (const { 0: token, index } of object.matchAll(TOKEN)) {
    if (depth === 1 && (token === "," || token === "}")) {
      if (key === wanted) found = object.slice(start, index).trim();
      key = undefined;
    } else if (depth === 1 && token === ":") start = index + 1;
    else if (depth === 1 && key === undefined) key = JSON.parse(token) as string;
    if (token === "{" || token === "[") depth++;
    if (token === "}" || token === "]") depth--;
  }
  return found;
}
