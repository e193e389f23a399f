import { createMistral } from "@ai-sdk/mistral";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import {
  generateObject,
  generateText,
  type LanguageModel,
  Output,
  stepCountIs,
  streamText,
  type ToolSet,
  tool,
} from "ai";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { sharedCluster } from "../cluster/shared-cluster.js";

const cluster = sharedCluster();

const providers: Record<string, () => LanguageModel> = {
  "openai-compatible": () => {
    const options = { name: "rhone", includeUsage: true, supportsStructuredOutputs: true };
    return createOpenAICompatible({ ...options, baseURL: `${cluster.url}/v1` })("breeze");
  },
  mistral: () => createMistral({ baseURL: `${cluster.url}/v1`, apiKey: "none" })("breeze"),
};
const Place = z.object({ city: z.enum(["Paris", "Lyon"]), days: z.int().min(1).max(9) });
const ask = { prompt: "What is the capital of France?", maxOutputTokens: 1500, maxRetries: 0, seed: 3 };
// Its own type does not fit under exactOptionalPropertyTypes.
const shown = { weather: tool({ description: "Forecast", inputSchema: Place }) } as unknown as ToolSet;
const choice = { type: "tool" as const, toolName: "weather" };

describe.each(Object.entries(providers))("@ai-sdk/%s", (_, modelOf) => {
  test.each([["required" as const], [choice]])(
    "makes a call with the choice %j, whole and streamed",
    async (toolChoice) => {
      const whole = await generateText({ model: modelOf(), ...ask, tools: shown, toolChoice });
      expect(whole.finishReason).toBe("tool-calls");
      expect(whole.toolCalls.length).toBeGreaterThan(0);
      for (const { input } of whole.toolCalls) Place.parse(input);
      const streamed = streamText({ model: modelOf(), ...ask, tools: shown, toolChoice });
      const inputs = (await streamed.toolCalls).map(({ input }) => input);
      expect(inputs).toEqual(whole.toolCalls.map(({ input }) => input));
      expect(await streamed.finishReason).toBe("tool-calls");
    },
  );

  test("runs the function and goes on with its result", async () => {
    const inputs: unknown[] = [];
    const execute = async (input: unknown) => {
      inputs.push(input);
      return { degrees: 22 };
    };
    const tools = { weather: tool({ description: "Forecast", inputSchema: Place, execute }) };
    const { steps } = await generateText({
      model: modelOf(),
      ...ask,
      tools,
      toolChoice: "required",
      stopWhen: stepCountIs(2),
    });
    expect(steps).toHaveLength(2);
    expect(steps[0]?.toolResults.map(({ output }) => output)).toEqual(steps[0]?.toolCalls.map(() => ({ degrees: 22 })));
    for (const input of inputs) Place.parse(input);
  });

  test("answers in words with auto and none", async () => {
    for (const toolChoice of ["auto", "none"] as const) {
      const options = { ...ask, temperature: 0, maxOutputTokens: 24, tools: shown, toolChoice };
      const { text, toolCalls } = await generateText({ model: modelOf(), ...options });
      expect(toolCalls).toEqual([]);
      expect(text.length).toBeGreaterThan(0);
    }
  });

  test("generates objects of a zod schema", async () => {
    const { object } = await generateObject({ model: modelOf(), ...ask, schema: Place });
    Place.parse(object);
    const { output } = await generateText({ model: modelOf(), ...ask, output: Output.object({ schema: Place }) });
    Place.parse(output);
  });
});
