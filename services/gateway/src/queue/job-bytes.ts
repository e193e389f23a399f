import type { Constraint, GenerationJob } from "@rhone/common";

/** Everything but the parts below takes at most about this much. */
const REST_BYTES = 1024;

/** What was counted already: a request's jobs have these parts in common. */
const counted = new WeakMap<object, number>();

/** Bytes of a job's JSON, as Redis holds it: a control character is six. Parts that jobs share are counted once. */
export function jobBytes({ promptIds, sampling, stop, stopTokenIds, constraint, route }: GenerationJob): number {
  const parts = [promptIds, stopTokenIds].map((ids) => once(ids, idsBytes));
  const texts = once(stop, textsBytes) + (constraint === null ? 0 : once(constraint, constraintBytes));
  return parts.reduce((sum, bytes) => sum + bytes, REST_BYTES + sampling.logitBias.length + route.length + texts);
}

function once<T extends object>(part: T, count: (part: T) => number): number {
  const known = counted.get(part) ?? count(part);
  counted.set(part, known);
  return known;
}

const constraintBytes = ({ grammar, otherwise }: Constraint): number => textsBytes([grammar, otherwise ?? ""]);

/** Each text with its quotes and comma. */
const textsBytes = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + 3 + textBytes(text), 0);

/** Of UTF-8 and escapes. Writing the JSON of control characters takes ten times as long. */
function textBytes(text: string): number {
  let bytes = Buffer.byteLength(text);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20) bytes += SHORT_ESCAPES.has(unit) ? 1 : 5;
    else if (unit === 0x22 || unit === 0x5c) bytes++;
  }
  // A lone surrogate is three bytes of UTF-8 and six of JSON.
  return /\p{Surrogate}/u.test(text) ? 2 * bytes : bytes;
}

/** Backspace, tab, line feed, form feed and carriage return, which JSON writes in two bytes. */
const SHORT_ESCAPES: ReadonlySet<number> = new Set([8, 9, 10, 12, 13]);

/** Each id with its comma. */
function idsBytes(ids: readonly number[]): number {
  let bytes = 1;
  for (const id of ids) bytes += 2 + (id < 10 ? 0 : Math.floor(Math.log10(id)));
  return bytes;
}
