import { createAnthropic } from "@ai-sdk/anthropic";
import { createMistral } from "@ai-sdk/mistral";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import {
  APICallError,
  generateObject,
  generateText,
  type LanguageModel,
  type ModelMessage,
  Output,
  stepCountIs,
  streamText,
  type ToolSet,
  tool,
} from "ai";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ROOM, sharedCluster } from "../cluster/shared-cluster.js";

const cluster = await sharedCluster();

const anthropic = () => createAnthropic({ baseURL: `${cluster.url}/v1`, apiKey: "none" })("breeze");
const providers: Record<string, () => LanguageModel> = {
  "openai-compatible": () => {
    const options = { name: "rhone", includeUsage: true, supportsStructuredOutputs: true };
    return createOpenAICompatible({ ...options, baseURL: `${cluster.url}/v1` })("breeze");
  },
  mistral: () => createMistral({ baseURL: `${cluster.url}/v1`, apiKey: "none" })("breeze"),
  anthropic,
};

const Place = z.object({ city: z.enum(["Paris", "Lyon"]), days: z.int().min(1).max(9) });
const question = { prompt: "What is the capital of France?", maxOutputTokens: ROOM, maxRetries: 0 };
/** What makes the same answer twice. Anthropic's API has no seed. */
const repeatable = (name: string) => (name === "anthropic" ? { temperature: 0 } : { seed: 3 });
// Its own type does not fit under exactOptionalPropertyTypes.
const shown = { weather: tool({ description: "Forecast", inputSchema: Place }) } as unknown as ToolSet;
const choice = { type: "tool" as const, toolName: "weather" };

describe.each(Object.entries(providers))("@ai-sdk/%s", (name, modelOf) => {
  const ask = { ...question, ...repeatable(name) };

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

describe("@ai-sdk/anthropic", () => {
  const greedy = { ...question, ...repeatable("anthropic") };

  test("makes one call where parallel ones are disabled, whose result is an error or a text", async () => {
    const disableParallelToolUse = { anthropic: { disableParallelToolUse: true } };
    const asked = { ...greedy, tools: shown, toolChoice: "required" as const, providerOptions: disableParallelToolUse };
    const { toolCalls, response } = await generateText({ model: anthropic(), ...asked });
    const [call] = toolCalls;
    if (call === undefined) throw new Error("no call was made");
    expect(toolCalls).toHaveLength(1);
    const { toolCallId, toolName } = call;
    for (const type of ["error-text", "text"] as const) {
      const result = { type: "tool-result" as const, toolCallId, toolName, output: { type, value: "22 degrees" } };
      const messages: ModelMessage[] = [
        { role: "user", content: question.prompt },
        ...response.messages,
        { role: "tool", content: [result] },
      ];
      const options = { temperature: 0, maxOutputTokens: 24, maxRetries: 0, tools: shown, toolChoice: "none" as const };
      expect((await generateText({ model: anthropic(), ...options, messages })).text.length).toBeGreaterThan(0);
    }
  });

  test("has parallel calls answered, with their results in one message", async () => {
    const calls = ["Paris", "Lyon"].map((city) => ({
      type: "tool-call" as const,
      toolCallId: `toolu_${city}`,
      toolName: "weather",
      input: { city, days: 1 },
    }));
    const results = calls.map(({ toolCallId, toolName }) => ({
      type: "tool-result" as const,
      toolCallId,
      toolName,
      output: { type: "json" as const, value: { degrees: 22 } },
    }));
    const messages: ModelMessage[] = [
      { role: "user", content: question.prompt },
      { role: "assistant", content: calls },
      { role: "tool", content: results },
    ];
    const options = { temperature: 0, maxOutputTokens: 24, maxRetries: 0, tools: shown };
    const { text, usage } = await generateText({ model: anthropic(), ...options, messages });
    expect(text.length).toBeGreaterThan(0);
    const streamed = streamText({ model: anthropic(), ...options, messages });
    expect(await streamed.text).toBe(text);
    expect(await streamed.usage).toMatchObject({ inputTokens: usage.inputTokens, outputTokens: usage.outputTokens });
  });

  // The client keeps bounds of numbers to itself by outputFormat.
  const Weather = z.object({ city: z.enum(["Paris", "Lyon"]), sunny: z.boolean() });

  test.each(["jsonTool", "outputFormat"] as const)("generates and streams objects by %s", async (mode) => {
    const providerOptions = { anthropic: { structuredOutputMode: mode } };
    const asked = { ...greedy, output: Output.object({ schema: Weather }), providerOptions };
    const whole = await generateText({ model: anthropic(), ...asked });
    Weather.parse(whole.output);
    expect(await streamText({ model: anthropic(), ...asked }).output).toEqual(whole.output);
  });

  test("shows by name what is refused: thinking, and an image", async () => {
    const thinking = { anthropic: { thinking: { type: "enabled" as const, budgetTokens: 1024 } } };
    const image = { type: "image" as const, image: new URL("https://a.example/a.png") };
    const imaged: ModelMessage[] = [{ role: "user", content: [image] }];
    const { prompt: _, ...options } = question;
    for (const [asked, named] of [
      [{ ...question, providerOptions: thinking }, /thinking/],
      [{ ...options, messages: imaged }, /reads text only/],
    ] as const) {
      const refused = await generateText({ model: anthropic(), ...asked }).catch((error) => error);
      expect(APICallError.isInstance(refused)).toBe(true);
      expect(refused).toMatchObject({ statusCode: 400, message: expect.stringMatching(named) });
    }
  });
});
