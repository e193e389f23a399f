import { checkSize } from "@rhone/grammar";
import { z } from "zod";
import { timeLeft } from "../turns.js";

/** The issues of a refusal, without zod's message, which writes as JSON what was refused, however long it is. */
class Refused {
  readonly issues: readonly z.core.$ZodIssue[];

  constructor(issues: readonly z.core.$ZodIssue[]) {
    this.issues = issues;
  }
}

/** zod's safeParse, whose error has `issues` and nothing else. */
export const readFields = z.core._safeParse(Refused as unknown as z.core.$ZodErrorClass);
const readFieldsAsync = z.core._safeParseAsync(Refused as unknown as z.core.$ZodErrorClass);

/** Items of all lists of a body: 4,096 messages, three parts or calls in each. 60,000 parts took 0.2 s in one turn. */
const MOST_LISTED = 16_384;

/** Items that the lists of a body may still have. */
interface Room {
  left: number;
}

/** Of the body that is being read. */
let room: Room = { left: Number.POSITIVE_INFINITY };

function within<T>(own: Room, read: () => T): T {
  const outer = room;
  room = own;
  try {
    return read();
  } finally {
    room = outer;
  }
}

/** `readFields` of a body, whose lists may have 16,384 items in all. */
export const readBody = <S extends z.ZodType>(schema: S, body: unknown) =>
  within({ left: MOST_LISTED }, () => readFields(schema, body, { reportInput: true }));

/** The same of a body whose schema has a list that is read in turns. */
export const readBodyInTurns = <S extends z.ZodType>(schema: S, body: unknown) =>
  within({ left: MOST_LISTED }, () => readFieldsAsync(schema, body, { reportInput: true }));

/**
 * Fields that may have very many items. zod notes what is wrong with every item of every variant: for a list of 2
 * million ids and one text it takes 26 s and 2 GB to say so. These stop at the first bad item.
 */
const stopping = <T>(isValid: (value: unknown) => boolean, must: string, shape: Parameters<z.ZodType["meta"]>[0]) =>
  z.custom<T>(isValid, must).meta(shape);

const isIndex = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isIdsOrNone = (value: unknown): boolean => Array.isArray(value) && value.every(isIndex);
const isIds = (value: unknown): boolean => isIdsOrNone(value) && (value as unknown[]).length > 0;
const isText = (value: unknown): boolean => typeof value === "string";
const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isListOf = (isItem: (item: unknown) => boolean, most: number) => (value: unknown) =>
  Array.isArray(value) && value.length > 0 && value.length <= most && value.every(isItem);

const ID_LIST = { type: "array", minItems: 1, items: { type: "integer", minimum: 0 } } as const;

/** At least one token id. */
export const tokenIds = stopping<number[]>(isIds, "must be a list of token ids, one at least", ID_LIST);

/** Token ids, or none. */
export const tokenIdsOrNone = stopping<number[]>(isIdsOrNone, "must be a list of token ids", {
  ...ID_LIST,
  minItems: 0,
});

/** One to `most` lists of token ids. */
export const tokenIdLists = (most: number) =>
  stopping<number[][]>(isListOf(isIds, most), `must be 1 to ${most} lists of token ids`, {
    type: "array",
    minItems: 1,
    maxItems: most,
    items: ID_LIST,
  });

/** One to `most` texts. */
export const texts = (most: number) =>
  stopping<string[]>(isListOf(isText, most), `must be 1 to ${most} texts`, {
    type: "array",
    minItems: 1,
    maxItems: most,
    items: { type: "string" },
  });

/** Items of a list that are read before anybody looks whether one is bad. */
const SLICE = 64;

/** How a list of at most `most` items is read: `read` yields behind each slice. */
function longList<T extends z.ZodType>(item: T, most = Number.POSITIVE_INFINITY) {
  const slice = z.array(item);
  const { $schema: _, ...items } = z.toJSONSchema(item, { io: "input", unrepresentable: "any" });
  const bound = most === Number.POSITIVE_INFINITY ? {} : { maxItems: most };
  function* read(value: unknown, issues: z.core.$ZodRawIssue[]): Generator<void, z.output<T>[], void> {
    if (!isShortList(value, most, issues)) return z.NEVER;
    const list: z.output<T>[] = [];
    for (let at = 0; at < value.length; at += SLICE) {
      const { data, error } = readFields(slice, value.slice(at, at + SLICE), { reportInput: true });
      const [bad] = error?.issues ?? [];
      if (bad !== undefined) {
        const [index, ...path] = bad.path;
        issues.push({ ...bad, path: [at + Number(index), ...path] } as z.core.$ZodRawIssue);
        return z.NEVER;
      }
      list.push(...(data ?? []));
      yield;
    }
    return list;
  }
  // zod's own array copies a list before anything else looks at it: 1.2 million items took 100 ms.
  return { shape: z.unknown().meta({ type: "array", ...bound, items }), read };
}

function isShortList(value: unknown, most: number, issues: z.core.$ZodRawIssue[]): value is readonly unknown[] {
  if (!Array.isArray(value)) issues.push({ code: "invalid_type", expected: "array", input: value });
  else if (value.length > most)
    issues.push({ code: "too_big", origin: "array", maximum: most, inclusive: true, input: value });
  else {
    room.left -= value.length;
    if (room.left >= 0) return true;
    const message = `has, with the lists before it, more than ${MOST_LISTED} items; send fewer`;
    issues.push({ code: "custom", input: value, message });
  }
  return false;
}

/**
 * A list of at most `most` items, whose number is checked before the items are; nothing behind a bad one is read. Of
 * 1.2 million bad ones zod took 3.6 s and 1 GB to say so.
 */
export const listOf = <T extends z.ZodType>(item: T, most?: number) => {
  const { shape, read } = longList(item, most);
  return shape.transform((value, { issues }) => {
    const reading = read(value, issues);
    let step = reading.next();
    while (step.done !== true) step = reading.next();
    return step.value;
  });
};

/**
 * The same for items that take long to read, between whose slices the event loop may turn: 4,000 calls took 70 ms in a
 * process that had read none before. For schemas of `readBodyInTurns`.
 */
export const listInTurns = <T extends z.ZodType>(item: T, most: number) => {
  const { shape, read } = longList(item, most);
  return shape.transform(async (value, { issues }) => {
    const own = room;
    const reading = read(value, issues);
    for (;;) {
      const step = within(own, () => reading.next());
      if (step.done === true) return step.value;
      await timeLeft();
    }
  });
};

/** An object whose keys and values are for others to read: zod took 0.4 s to read 190,000. */
export const anyObject = z.custom<Readonly<Record<string, unknown>>>(isObject, "must be an object").meta({
  type: "object",
  additionalProperties: {},
});

/**
 * Whether these are at most `most` values, at all depths. Fields that are written as text and copied to another thread
 * are, in one turn of the event loop each: 190,000 took 0.5 s. The bodies' own limit bounds the characters.
 */
export function hasValues(most: number, value: unknown): boolean {
  try {
    checkSize(value, { characters: Number.POSITIVE_INFINITY, values: most });
    return true;
  } catch {
    return false;
  }
}

const MOST_VALUES = 10_000;

/** An object of at most 10,000 values at all depths. */
export const boundedObject = anyObject.refine(
  (value) => hasValues(MOST_VALUES, value),
  `has more than ${MOST_VALUES} values; send fewer`,
);

/** An object of at most `most` entries, whose number is checked before they are. */
export const entriesOf = <T extends z.ZodRecord>(entries: T, most: number) =>
  z.preprocess((value, context) => {
    const { length } = isObject(value) ? Object.keys(value) : [];
    if (length <= most) return value;
    context.addIssue({ code: "custom", message: `has ${length} entries; it must have at most ${most}` });
    return z.NEVER;
  }, entries);

/** Longest key: more digits than any vocabulary has. */
const MOST_DIGITS = 10;
const MOST_BIAS = 100;

/** What is added to logits: values[i] to the logit of token ids[i], which may be outside the vocabulary. */
export interface AskedBiases {
  readonly ids: Float64Array;
  readonly values: Float32Array;
}

/**
 * Numbers from -100 to 100 by token id. Its keys are listed once, here: of 131,072 ids V8 makes texts for that, which
 * takes 50 ms of one turn, and a regular expression for each took as long again.
 */
export const logitBias = z
  .custom<Readonly<Record<string, unknown>>>(isObject, "must be an object of numbers by token id")
  .meta({ type: "object", additionalProperties: { type: "number", minimum: -MOST_BIAS, maximum: MOST_BIAS } })
  .transform((biases, context): AskedBiases => {
    const keys = Object.keys(biases);
    const read = { ids: new Float64Array(keys.length), values: new Float32Array(keys.length) };
    for (const [index, key] of keys.entries()) {
      const bias = biases[key];
      const message = biasProblem(key, bias);
      if (message !== null) {
        context.addIssue({ code: "custom", path: [key], input: bias, message });
        return z.NEVER;
      }
      read.ids[index] = Number(key);
      read.values[index] = bias as number;
    }
    return read;
  });

function biasProblem(key: string, bias: unknown): string | null {
  if (!isTokenKey(key)) return "must have a token id as its key";
  if (typeof bias === "number" && Math.abs(bias) <= MOST_BIAS) return null;
  return `must be a number from -${MOST_BIAS} to ${MOST_BIAS}`;
}

const [ZERO, NINE] = [..."09"].map((sign) => sign.charCodeAt(0)) as [number, number];

function isTokenKey(key: string): boolean {
  for (let at = 0; at < key.length; at++) {
    const sign = key.charCodeAt(at);
    if (sign < ZERO || sign > NINE) return false;
  }
  return key.length > 0 && key.length <= MOST_DIGITS;
}
