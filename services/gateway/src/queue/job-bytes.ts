import type { GenerationJob } from "@rhone/common";

/** Everything but the parts below takes at most about this much. */
const REST_BYTES = 1024;

/** What was counted already: a request's jobs have these parts in common. */
const counted = new WeakMap<object, number>();

/** Bytes of a job's JSON, as Redis holds it: a control character is six. Parts that jobs share are counted once. */
export function jobBytes({ promptIds, sampling, stop, stopTokenIds, constraint }: GenerationJob): number {
  const parts = [promptIds, stopTokenIds].map((ids) => once(ids, idsBytes));
  const texts = once(stop, jsonBytes) + (constraint === null ? 0 : once(constraint, jsonBytes));
  return parts.reduce((sum, bytes) => sum + bytes, REST_BYTES + sampling.logitBias.length + texts);
}

function once<T extends object>(part: T, count: (part: T) => number): number {
  const known = counted.get(part) ?? count(part);
  counted.set(part, known);
  return known;
}

const jsonBytes = (part: object): number => Buffer.byteLength(JSON.stringify(part));

/** Each id with its comma. */
function idsBytes(ids: readonly number[]): number {
  let bytes = 1;
  for (const id of ids) bytes += 2 + (id < 10 ? 0 : Math.floor(Math.log10(id)));
  return bytes;
}
