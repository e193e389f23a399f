import type { GenerationEvent, Usage } from "@rhone/common";
import { z } from "zod";
import type { Writer } from "./writer.js";

/** The parts of the request's schemas that the answer was not held to. Records of an earlier gateway have none. */
export const warningsSchema = z
  .array(z.object({ param: z.string(), path: z.string(), reason: z.string() }))
  .readonly()
  .default([]);
export type Warnings = z.output<typeof warningsSchema>;

/** The field of an answer that has warnings. */
export const warningsField = (warnings: Warnings) => (warnings.length > 0 ? { warnings } : {});

/** The writer options that every streamed endpoint has. */
export const frameSchema = z.object({
  id: z.string(),
  /** Unix seconds. */
  created: z.number(),
  modelName: z.string(),
  fingerprint: z.string(),
  wantsTokenIds: z.boolean(),
  /** Tokens are named `token_id:ID` instead of by their text. */
  tokensAsIds: z.boolean(),
  /** Control tokens are shown by their names. Records of an earlier gateway do not say. */
  showsSpecial: z.boolean().default(false),
  /** Every chunk carries the usage so far. */
  runningUsage: z.boolean(),
  /** The usage comes in a chunk of its own at the end, instead of on the last finishing chunk. */
  usageChunk: z.boolean(),
  /** A stream never shows the usage. Absent = it does. */
  hidesUsage: z.boolean().exactOptional(),
  warnings: warningsSchema,
});
export type FrameOptions = Readonly<z.infer<typeof frameSchema>>;

interface FrameShape {
  /** `object` of a chunk. */
  readonly chunkObject: string;
  readonly choices: number;
  /** Choices per prompt: choice c belongs to prompt ⌊c / samples⌋. */
  readonly samples: number;
  /** Tokens of all prompts, each counted once. */
  readonly promptTokens: number;
}

/** The parts of an answer that chats and completions share: the fields around the choices, and the usage. */
export class AnswerFrame {
  readonly #options: FrameOptions;
  readonly #shape: FrameShape;
  readonly #usage: UsageCount;
  #open: number;
  #generated = 0;

  constructor(options: FrameOptions, shape: FrameShape) {
    this.#options = options;
    this.#shape = shape;
    this.#usage = new UsageCount(shape.samples);
    this.#open = shape.choices;
  }

  get usage(): Writer["usage"] {
    return this.#usage.toJson();
  }

  /** Counts an event's tokens; to be called before chunks are made of it. */
  count(choice: number, { tokens, finish, usage }: GenerationEvent): void {
    this.#generated += tokens.length;
    if (finish === undefined) return;
    this.#open--;
    if (usage !== undefined) this.#usage.add(choice, usage);
  }

  /** The fields before `choices`. */
  head(object: string = this.#shape.chunkObject) {
    const { id, created, modelName, fingerprint } = this.#options;
    return { id, object, created, model: modelName, system_fingerprint: fingerprint };
  }

  /** The fields behind the others of a whole answer, and of a stream's last finishing chunk. */
  tail() {
    const { warnings } = this.#options;
    return { usage: this.usage, ...warningsField(warnings) };
  }

  /** `more`: fields behind the others. */
  chunk(choice: object, more: object = {}): string {
    const { runningUsage } = this.#options;
    const usage = runningUsage && { usage: usageOf(this.#shape.promptTokens, this.#generated) };
    return JSON.stringify({ ...this.head(), choices: [choice], ...usage, ...more });
  }

  /** The chunk with a choice's finish_reason; the last of these carries the usage and the warnings. */
  finishingChunk(choice: object): string {
    if (this.#open > 0) return this.chunk(choice);
    const { usageChunk, hidesUsage = false } = this.#options;
    const { usage, ...warnings } = this.tail();
    if (usageChunk || hidesUsage) return this.chunk(choice, warnings);
    return JSON.stringify({ ...this.head(), choices: [choice], usage, ...warnings });
  }

  /** Makes chunks that differ in nothing but one text; the rest is serialized once. */
  textChunk(make: (text: string) => object): (text: string) => string {
    return chunkTemplate((text) => ({ ...this.head(), choices: [make(text)] }));
  }

  end(): readonly string[] {
    if (!this.#options.usageChunk) return [];
    return [JSON.stringify({ ...this.head(), choices: [], usage: this.usage })];
  }
}

/** Sums the usage of a request's choices; each prompt counts once, however many samples it has. */
export class UsageCount {
  readonly #samples: number;
  #prompt = 0;
  #completion = 0;
  #cached = 0;

  constructor(samples: number) {
    this.#samples = samples;
  }

  add(choice: number, usage: Usage): void {
    this.#completion += usage.completionTokens;
    if (choice % this.#samples !== 0) return;
    this.#prompt += usage.promptTokens;
    this.#cached += usage.cachedTokens;
  }

  toJson() {
    return { ...usageOf(this.#prompt, this.#completion), prompt_tokens_details: { cached_tokens: this.#cached } };
  }
}

const usageOf = (prompt: number, completion: number) => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  total_tokens: prompt + completion,
});

const MARK = "\u0000text\u0000";

/**
 * The JSON of `make(text)` for any text. `make` must put its argument in exactly one place, unchanged. It is called at
 * the first text: a request may have 2,048 choices, whose answer is not streamed.
 */
export function chunkTemplate(make: (text: string) => unknown): (text: string) => string {
  let around: readonly string[] | undefined;
  return (text) => {
    around ??= JSON.stringify(make(MARK)).split(JSON.stringify(MARK));
    const [before = "", after = ""] = around;
    return before + JSON.stringify(text) + after;
  };
}
