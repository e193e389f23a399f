import { signal } from "@preact/signals";

/** What answers are asked with. Texts are as they were typed; "" = the gateway's default. */
export const settings = {
  /** "" = the first. */
  model: signal(""),
  system: signal(""),
  temperature: signal("0.7"),
  topP: signal(""),
  maxTokens: signal("512"),
  seed: signal(""),
  /** Log-probabilities with three alternatives each. */
  scores: signal(false),
  schema: signal(""),
  usesSchema: signal(false),
  tools: signal(""),
  usesTools: signal(false),
  /** Questions are answered by a call; what follows results is the model's to decide. */
  insistsOnCall: signal(false),
} as const;

export const SCHEMA_EXAMPLE = `{
  "type": "object",
  "properties": {
    "city": { "type": "string" },
    "country": { "type": "string" }
  },
  "required": ["city", "country"],
  "additionalProperties": false
}`;

export const TOOLS_EXAMPLE = `[
  {
    "type": "function",
    "function": {
      "name": "get_weather",
      "description": "The weather of a city",
      "parameters": {
        "type": "object",
        "properties": { "city": { "type": "string" } },
        "required": ["city"]
      }
    }
  }
]`;

/**
 * The fields of a request that follow from the settings. `isQuestion`: the user spoke last. Throws SyntaxError for JSON
 * that is none.
 */
export function requestFields(isQuestion: boolean): Readonly<Record<string, unknown>> {
  const { model, temperature, topP, maxTokens, seed, scores, schema, usesSchema, tools, usesTools } = settings;
  const insists = usesTools.value && settings.insistsOnCall.value && isQuestion;
  return {
    ...numbers({
      temperature: temperature.value,
      top_p: topP.value,
      max_tokens: maxTokens.value,
      seed: seed.value,
    }),
    ...(model.value !== "" && { model: model.value }),
    ...(scores.value && { logprobs: true, top_logprobs: 3 }),
    ...(usesSchema.value && {
      response_format: {
        type: "json_schema",
        json_schema: { name: "answer", strict: true, schema: parsed("The JSON schema", schema.value) },
      },
    }),
    ...(usesTools.value && { tools: parsed("The list of tools", tools.value) }),
    ...(insists && { tool_choice: "required" }),
  };
}

function numbers(typed: Readonly<Record<string, string>>): Readonly<Record<string, number>> {
  const given = Object.entries(typed).filter(([, text]) => text.trim() !== "");
  return Object.fromEntries(given.map(([name, text]) => [name, Number(text)]));
}

function parsed(what: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SyntaxError(`${what} is no JSON: ${(error as Error).message}`);
  }
}
