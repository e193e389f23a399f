import { diceOf } from "../load/dice.js";
import { RandomPrompts } from "../load/prompts.js";

/** A request whose answer is known. */
export interface Question {
  /** "greedy" or "schema", for example. Its `variant`s differ in prompt and seed. */
  readonly kind: string;
  readonly variant: number;
  readonly path: "/v1/completions" | "/v1/chat/completions";
  /** Of a whole answer, with its token ids. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface QuestionOrder {
  readonly seed: number;
  readonly model: string;
  readonly vocabSize: number;
  /** Of each kind. */
  readonly variants: number;
  /** Tokens that each answer has, at most. */
  readonly maxTokens: number;
}

const PROMPT_TOKENS = 24;

const PERSON = {
  type: "object",
  properties: {
    name: { type: "string", maxLength: 40 },
    age: { type: "integer", minimum: 0, maximum: 120 },
    friends: { type: "array", items: { type: "string", maxLength: 20 }, maxItems: 5 },
    city: { enum: ["Rome", "Oslo", "Lima"] },
  },
  required: ["name", "age", "friends", "city"],
  additionalProperties: false,
} as const;

const WEATHER = {
  type: "function",
  function: {
    name: "weather",
    parameters: {
      type: "object",
      properties: { city: { type: "string", maxLength: 30 }, days: { type: "integer", minimum: 1, maximum: 9 } },
      required: ["city", "days"],
      additionalProperties: false,
    },
  },
} as const;

/** Each kind's fields; `ids` is a prompt of its own. */
const KINDS: Readonly<Record<string, (ids: readonly number[]) => Readonly<Record<string, unknown>>>> = {
  greedy: (prompt) => ({ prompt, temperature: 0, ignore_eos: true }),
  sampled: (prompt) => ({ prompt, temperature: 0.9, top_p: 0.95, ignore_eos: true }),
  schema: (ids) => ({
    messages: [{ role: "user", content: `Describe person ${ids[0]}.` }],
    temperature: 1,
    response_format: { type: "json_schema", json_schema: { name: "person", schema: PERSON, strict: true } },
  }),
  tools: (ids) => ({
    messages: [{ role: "user", content: `How is the weather in town ${ids[0]}?` }],
    temperature: 1,
    tools: [WEATHER],
    tool_choice: "required",
  }),
  logprobs: (prompt) => ({ prompt, temperature: 0.7, logprobs: 3, ignore_eos: true }),
};

/** The questions of a seed, the kinds in turn. */
export function questionsOf({ seed, model, vocabSize, variants, maxTokens }: QuestionOrder): readonly Question[] {
  const prompts = new RandomPrompts({ vocabSize, seed });
  const dice = diceOf(seed);
  return Array.from({ length: variants }, (_, variant) =>
    Object.entries(KINDS).map(([kind, fieldsOf]): Question => {
      const fields = fieldsOf(prompts.prompt(PROMPT_TOKENS));
      const common = { model, max_tokens: maxTokens, seed: Math.floor(dice() * 2 ** 31), return_token_ids: true };
      return { kind, variant, path: "prompt" in fields ? COMPLETIONS : CHATS, body: { ...common, ...fields } };
    }),
  ).flat();
}

const COMPLETIONS = "/v1/completions";
const CHATS = "/v1/chat/completions";
