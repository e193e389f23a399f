import type { TextModel } from "../../text/text-model.js";
import type { CallFormat } from "./call-format.js";
import { memberText, ObjectScanner } from "./json-text.js";

export interface FunctionCall {
  readonly name: string;
  /** A JSON object, as the model wrote it. */
  readonly arguments: string;
}

export type AnswerPart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "call"; readonly call: FunctionCall };

/**
 * waiting: for the first token. opening: a call may begin. between: in a list, behind a call. done: behind the last
 * call. text: all the rest is text.
 */
type State = "waiting" | "opening" | "between" | "done" | "text";

/** What may precede the brace of a call, by state. The group matches the bracket that opens a list. */
const LEAD = { opening: /^[ \t\r\n]*(\[?)[ \t\r\n]*/, between: /^[ \t\r\n]*,[ \t\r\n]*/ };
const SPACE = /^[ \t\r\n]*/;

/**
 * Tells calls from text in an answer that arrives in pieces:
 *
 *     {"name": "f", "arguments": {…}}      or      [{"name": …}, {"name": …}]
 *
 * Yields a call when it is complete, and as text what turns out not to be a call. The brackets of a list are dropped.
 */
export class CallReader {
  readonly #format: CallFormat;
  readonly #markerText: string;
  #state: State;
  #pending = "";
  #listed = false;
  #scanner = new ObjectScanner();

  /** `markerText`: the name of the marker, which occurs in the text where control tokens are shown. */
  constructor(format: CallFormat, markerText = "") {
    this.#format = format;
    this.#markerText = markerText;
    this.#state = format.marker === null || format.forced ? "opening" : "waiting";
  }

  /** Whether the answer may still turn out to be calls only. */
  get isUndecided(): boolean {
    return this.#state !== "text";
  }

  /** Takes the next tokens and their text. Returns the parts that are complete now. */
  take(tokens: readonly number[], text: string): readonly AnswerPart[] {
    if (this.#state === "waiting" && tokens.length > 0) {
      this.#state = tokens[0] === this.#format.marker ? "opening" : "text";
    }
    this.#pending += text;
    const parts: AnswerPart[] = [];
    for (let part = this.#next(); part !== undefined; part = this.#next()) parts.push(part);
    return parts;
  }

  /** The rest, at the end of the answer. */
  end(): readonly AnswerPart[] {
    const rest = this.#state === "between" || this.#state === "done" ? this.#pending.trim() : this.#pending;
    this.#pending = "";
    return rest === "" ? [] : [{ kind: "text", text: rest }];
  }

  /** undefined: it takes more text to tell. */
  #next(): AnswerPart | undefined {
    if (this.#pending === "") return undefined;
    switch (this.#state) {
      case "waiting":
        return undefined;
      case "text":
        return this.#allAsText();
      case "opening":
        if (this.#markerText !== "" && this.#pending.startsWith(this.#markerText))
          this.#pending = this.#pending.slice(this.#markerText.length);
        return this.#behindLead(LEAD.opening);
      case "between":
        return this.#betweenCalls();
      case "done":
        return SPACE.exec(this.#pending)?.[0] === this.#pending ? undefined : this.#allAsText();
    }
  }

  #betweenCalls(): AnswerPart | undefined {
    const at = SPACE.exec(this.#pending)?.[0].length ?? 0;
    if (at === this.#pending.length) return undefined;
    if (this.#pending[at] === "," && this.#format.parallel) return this.#behindLead(LEAD.between);
    if (this.#pending[at] !== "]") return this.#allAsText();
    this.#pending = this.#pending.slice(at + 1);
    this.#state = "done";
    return this.#next();
  }

  #behindLead(lead: RegExp): AnswerPart | undefined {
    const [found = "", bracket] = lead.exec(this.#pending) ?? [];
    const object = this.#pending.slice(found.length);
    if (object === "") return undefined;
    if (!mayBecomeCall(object)) return this.#allAsText();
    const length = this.#scanner.scan(object);
    if (length === undefined) return undefined;
    const call = readCall(object.slice(0, length), this.#format.names);
    if (call === undefined) return this.#allAsText();
    this.#listed ||= bracket === "[";
    this.#pending = object.slice(length);
    this.#scanner = new ObjectScanner();
    this.#state = this.#listed ? "between" : "done";
    return { kind: "call", call };
  }

  #allAsText(): AnswerPart {
    const text = this.#pending;
    this.#pending = "";
    this.#state = "text";
    return { kind: "text", text };
  }
}

const KEYS = ["name", "arguments", "id"];

/** The first key tells early that an object is not a call, so that it need not be held back. */
function mayBecomeCall(object: string): boolean {
  const [, key, closed, rest] = /^\{[ \t\r\n]*(?:"([^"]*)("?))?(.?)/.exec(object) ?? [];
  if (key === undefined) return object.startsWith("{") && rest === "";
  return closed === "" ? KEYS.some((known) => known.startsWith(key)) : KEYS.includes(key);
}

function readCall(text: string, names: readonly string[]): FunctionCall | undefined {
  try {
    const { name, arguments: given } = JSON.parse(text) as { readonly [key: string]: unknown };
    const isObject = typeof given === "object" && given !== null && !Array.isArray(given);
    if (typeof name !== "string" || !names.includes(name) || !isObject) return undefined;
    return { name, arguments: memberText(text, "arguments") ?? "{}" };
  } catch {
    return undefined;
  }
}

export type AnswerReader = Pick<CallReader, "isUndecided" | "take" | "end">;

const PLAIN: AnswerReader = {
  isUndecided: false,
  take: (_, text): readonly AnswerPart[] => (text === "" ? [] : [{ kind: "text", text }]),
  end: () => [],
};

/** Reads one answer. Without a format, all of it is text. */
export function answerReader(format: CallFormat | null, model: Pick<TextModel, "pieceBytes">): AnswerReader {
  if (format === null) return PLAIN;
  const { marker } = format;
  return new CallReader(format, marker === null ? "" : model.pieceBytes(marker, { special: true }).toString("utf8"));
}
