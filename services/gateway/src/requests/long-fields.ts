import { z } from "zod";

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

/** A list of at most `most` items, whose number is checked before the items are. */
export const listOf = <T extends z.ZodType>(item: T, most: number) =>
  z.preprocess((value, context) => {
    if (!Array.isArray(value) || value.length <= most) return value;
    context.addIssue({ code: "custom", message: `has ${value.length} items; it must have at most ${most}` });
    return z.NEVER;
  }, z.array(item).max(most));

const TOKEN_KEY = /^\d{1,10}$/;
const MOST_BIAS = 100;

/** Numbers from -100 to 100 by token id. */
export const logitBias = z
  .custom<Readonly<Record<string, number>>>(
    (value) => typeof value === "object" && value !== null && !Array.isArray(value),
    "must be an object of numbers by token id",
  )
  .superRefine((biases, context) => {
    for (const key of Object.keys(biases)) {
      const message = biasProblem(key, biases[key]);
      if (message === null) continue;
      context.addIssue({ code: "custom", path: [key], input: biases[key], message });
      return;
    }
  })
  .meta({ type: "object", additionalProperties: { type: "number", minimum: -MOST_BIAS, maximum: MOST_BIAS } });

function biasProblem(key: string, bias: unknown): string | null {
  if (!TOKEN_KEY.test(key)) return "must have a token id as its key";
  if (typeof bias === "number" && Math.abs(bias) <= MOST_BIAS) return null;
  return `must be a number from -${MOST_BIAS} to ${MOST_BIAS}`;
}
