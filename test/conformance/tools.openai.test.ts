import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import type { ChatCompletionMessageParam, ChatCompletionTool } from "openai/resources/chat/completions";
import { expect, test } from "vitest";
import { z } from "zod";
import { ROOM, sharedCluster } from "../cluster/shared-cluster.js";

const cluster = await sharedCluster();
const client = new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: "none", maxRetries: 0 });

const Place = z.object({ city: z.enum(["Paris", "Lyon"]), days: z.int().min(1).max(9) });
const parameters = z.toJSONSchema(Place);
const weather: ChatCompletionTool = {
  type: "function",
  function: { name: "weather", description: "Forecast", parameters },
};
const now: ChatCompletionTool = { type: "function", function: { name: "now" } };
const tools = [weather, now];
const messages: ChatCompletionMessageParam[] = [{ role: "user", content: "What is the capital of France?" }];
const common = { model: "breeze", messages, max_tokens: ROOM, seed: 3 };

const argumentsOf = (call: OpenAI.ChatCompletionMessageToolCall | undefined) =>
  call?.type === "function" ? JSON.parse(call.function.arguments) : undefined;

test("a required call is made, its result is taken, and the conversation goes on", async () => {
  const { choices } = await client.chat.completions.create({ ...common, tools, tool_choice: "required" });
  const [choice] = choices;
  expect(choice).toMatchObject({ finish_reason: "tool_calls", message: { content: null } });
  const [call] = choice?.message.tool_calls ?? [];
  expect(call?.id).toMatch(/^[a-zA-Z0-9]{9}$/);
  if (choice === undefined || call === undefined) throw new Error("no call");
  const results = (choice.message.tool_calls ?? []).map(({ id }) => ({
    role: "tool" as const,
    tool_call_id: id,
    content: "22",
  }));
  const second = await client.chat.completions.create({
    ...common,
    tools,
    tool_choice: "none",
    max_tokens: 24,
    messages: [...messages, choice.message, ...results],
  });
  expect(second.choices[0]?.message.content?.length).toBeGreaterThan(0);
  expect(second.choices[0]?.message.tool_calls).toBeUndefined();
});

test("functions of the API before tools are called, and their results taken", async () => {
  const functions = [{ name: "weather", description: "Forecast", parameters }];
  const { choices } = await client.chat.completions.create({
    ...common,
    functions,
    function_call: { name: "weather" },
  });
  const [choice] = choices;
  expect(choice).toMatchObject({ finish_reason: "function_call", message: { content: null } });
  expect(choice?.message.tool_calls).toBeUndefined();
  expect(() => Place.parse(JSON.parse(choice?.message.function_call?.arguments ?? ""))).not.toThrow();
  if (choice === undefined) throw new Error("no choice");
  const result = { role: "function" as const, name: "weather", content: "22" };
  const second = await client.chat.completions.create({
    ...common,
    functions,
    function_call: "none",
    max_tokens: 24,
    messages: [...messages, choice.message, result],
  });
  expect(second.choices[0]?.message.content?.length).toBeGreaterThan(0);
});

test("a named function is called with arguments of its schema, once if calls may not be parallel", async () => {
  for (let seed = 0; seed < 10; seed++) {
    const choice = { type: "function" as const, function: { name: "weather" } };
    const asked = { ...common, seed, tools, tool_choice: choice, parallel_tool_calls: false };
    const { choices } = await client.chat.completions.create(asked);
    const calls = choices[0]?.message.tool_calls ?? [];
    expect(calls).toHaveLength(1);
    Place.parse(argumentsOf(calls[0]));
  }
});

test("streamed calls are those of the whole answer, through the stream helper too", async () => {
  const asked = { ...common, tools, tool_choice: "required" as const };
  const whole = await client.chat.completions.create(asked);
  const expected = whole.choices[0]?.message.tool_calls?.map((call) => call.type === "function" && call.function);
  const calls = [];
  let finish: string | null | undefined;
  for await (const { choices } of await client.chat.completions.create({ ...asked, stream: true })) {
    calls.push(...(choices[0]?.delta.tool_calls ?? []));
    finish = choices[0]?.finish_reason ?? finish;
  }
  expect(finish).toBe("tool_calls");
  expect(calls.map(({ index }) => index)).toEqual(calls.map((_, i) => i));
  expect(calls.map((call) => call.function)).toEqual(expected);
  const names: string[] = [];
  const stream = client.chat.completions.stream(asked);
  stream.on("tool_calls.function.arguments.done", ({ name }) => names.push(name));
  const final = await stream.finalChatCompletion();
  const [choice] = final.choices;
  expect(choice).toMatchObject({ finish_reason: "tool_calls", message: { content: null } });
  expect(choice?.message.tool_calls?.map((call) => call.type === "function" && call.function)).toMatchObject(
    expected ?? [],
  );
  expect(names).toEqual(calls.map((call) => call.function?.name));
});

test("auto answers in words where no call is made, and none never calls", async () => {
  for (const tool_choice of ["auto", "none"] as const) {
    const asked = { ...common, tools: [now], tool_choice, temperature: 0, max_tokens: 24 };
    const { choices } = await client.chat.completions.create(asked);
    expect(choices[0]?.finish_reason).not.toBe("tool_calls");
    expect(choices[0]?.message.content?.length).toBeGreaterThan(0);
  }
});

test("runTools calls the program's function and sends its result back", async () => {
  const asked: unknown[] = [];
  const tool = zodFunction({
    name: "weather",
    parameters: Place,
    function: (args) => asked.push(args) && "22 degrees",
  });
  const body = { ...common, tools: [tool], tool_choice: { type: "function" as const, function: { name: "weather" } } };
  const runner = client.chat.completions.runTools(body);
  await runner.done();
  expect(runner.messages.map(({ role }) => role).slice(0, 3)).toEqual(["user", "assistant", "tool"]);
  for (const args of asked) Place.parse(args);
  expect(asked.length).toBeGreaterThan(0);
});

test("strict functions are parsed by the SDK's own helper", async () => {
  const tool = zodFunction({ name: "weather", parameters: Place });
  const { choices } = await client.chat.completions.parse({ ...common, tools: [tool], tool_choice: "required" });
  for (const call of choices[0]?.message.tool_calls ?? []) Place.parse(call.function.parsed_arguments);
  expect(choices[0]?.message.tool_calls?.length).toBeGreaterThan(0);
});

test("a zod schema as response_format is parsed, whole and streamed, beside tools too", async () => {
  const response_format = zodResponseFormat(Place, "place");
  const { choices } = await client.chat.completions.parse({ ...common, response_format });
  Place.parse(choices[0]?.message.parsed);
  const final = await client.chat.completions.stream({ ...common, response_format }).finalChatCompletion();
  expect(final.choices[0]?.message.parsed).toEqual(choices[0]?.message.parsed);
  for (let seed = 0; seed < 6; seed++) {
    const beside = await client.chat.completions.create({ ...common, seed, response_format, tools: [now] });
    const [choice] = beside.choices;
    if (choice?.finish_reason === "tool_calls") expect(argumentsOf(choice.message.tool_calls?.[0])).toEqual({});
    else Place.parse(JSON.parse(choice?.message.content ?? ""));
  }
});

test("batches make calls as single requests do", async () => {
  const body = { ...common, tools, tool_choice: "required" };
  const line = { custom_id: "a", method: "POST", url: "/v1/chat/completions", body };
  const file = await client.files.create({ purpose: "batch", file: new File([JSON.stringify(line)], "lines.jsonl") });
  const endpoint = "/v1/chat/completions";
  const { id } = await client.batches.create({ input_file_id: file.id, endpoint, completion_window: "24h" });
  await expect.poll(async () => (await client.batches.retrieve(id)).status, { timeout: 60_000 }).toBe("completed");
  const output = await client.files.content((await client.batches.retrieve(id)).output_file_id ?? "");
  const answer = JSON.parse(await output.text()).response.body as OpenAI.ChatCompletion;
  expect(answer.choices[0]?.finish_reason).toBe("tool_calls");
});

test("impossible parameters are the SDK's own error", async () => {
  const impossible = { type: "object", properties: { x: { enum: [] } }, required: ["x"] };
  const bad: ChatCompletionTool = { type: "function", function: { name: "f", parameters: impossible } };
  const refused = await client.chat.completions.create({ ...common, tools: [bad] }).catch((error) => error);
  expect(refused).toMatchObject({ status: 400, param: "tools.0.function.parameters", code: "invalid_value" });
});
