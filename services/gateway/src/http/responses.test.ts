import { newApiKey, RhoneError } from "@rhone/common";
import { expect, it, vi } from "vitest";
import { keepsTo } from "../../../../test/schemas/keeps-to.js";
import * as official from "../../../../test/schemas/openai-responses.js";
import type { Schema } from "../../../../test/schemas/schema-parts.js";
import { fakeGateway, type Script } from "../testing/fake-gateway.js";
import { inputItemListSchema, responseSchema } from "./openapi/responses-schemas.js";

const PATH = "/v1/responses";
const NONE = `resp_${"0".repeat(32)}`;

const eventsOf = (body: string) =>
  body
    .split("\n\n")
    .filter((event) => event !== "")
    .map((event) => JSON.parse(event.slice(event.indexOf("{"))));

/** What a model that knows no words is told. */
const promptOf = (ids: readonly number[] = []): string => Buffer.from(ids.filter((id) => id > 31)).toString();

it("a response is answered whole and as a stream, in the official shape", async () => {
  const { post } = fakeGateway();
  const whole = (await post(PATH, { input: "hi", model: "tiny" })).json();
  keepsTo(whole, official.response);
  expect(responseSchema.parse(whole)).toEqual(whole);
  expect(whole).toMatchObject({ status: "completed", store: true, output: [{ content: [{ text: "Hello" }] }] });
  const response = await post(PATH, { input: "hi", stream: true });
  expect(response.headers["content-type"]).toMatch(/event-stream/);
  for (const event of eventsOf(response.body)) keepsTo(event, official.responseEvents[event.type] as Schema);
  expect(response.body).not.toContain("[DONE]");
});

it.each([false, true])("a stored response (streamed: %s) is read, listed, continued and deleted", async (stream) => {
  const { app, post, jobs } = fakeGateway();
  const first = await post(PATH, { input: "hi", instructions: "be kind", stream });
  const whole = stream ? eventsOf(first.body).at(-1).response : first.json();
  const url = `${PATH}/${whole.id}`;
  expect((await app.inject(url)).json()).toEqual(whole);
  const second = (await post(PATH, { input: "more", previous_response_id: whole.id })).json();
  const told = promptOf(jobs.at(-1)?.promptIds);
  for (const part of ["hi", "Hello", "more"]) expect(told).toContain(part);
  expect(told).not.toContain("be kind");
  const page = (await app.inject(`${PATH}/${second.id}/input_items?order=asc&limit=2`)).json();
  keepsTo(page, official.inputItemList);
  expect(inputItemListSchema.parse(page)).toEqual(page);
  expect(page.data.map(({ role }: { role: string }) => role)).toEqual(["user", "assistant"]);
  expect(page.has_more).toBe(true);
  const rest = (await app.inject(`${PATH}/${second.id}/input_items?order=asc&after=${page.last_id}`)).json();
  expect(rest.data).toHaveLength(1);
  expect((await app.inject({ method: "DELETE", url })).json()).toEqual({
    id: whole.id,
    object: "response",
    deleted: true,
  });
  expect((await app.inject(url)).statusCode).toBe(404);
  const gone = await post(PATH, { input: "more", previous_response_id: second.id });
  expect([gone.statusCode, gone.json().code]).toEqual([404, "previous_response_not_found"]);
  expect(gone.json().message).toContain(whole.id);
});

it("the tokens of an input are counted as they are generated from", async () => {
  const { post } = fakeGateway();
  const { id } = (await post(PATH, { input: "hi" })).json();
  const body = { input: "more", previous_response_id: id };
  const counted = (await post(`${PATH}/input_tokens`, body)).json();
  const { usage } = (await post(PATH, body)).json();
  keepsTo(counted, official.inputTokens);
  expect(counted.input_tokens).toBe(usage.input_tokens);
});

it("an item is referred to by its id, and becomes part of the request", async () => {
  const { app, post, jobs } = fakeGateway();
  const { id, output } = (await post(PATH, { input: "hi" })).json();
  const input = [
    { role: "user", content: "hi" },
    { type: "item_reference", id: output[0].id },
    { role: "user", content: "so" },
  ];
  const referring = (await post(PATH, { input })).json();
  expect(promptOf(jobs.at(-1)?.promptIds)).toContain("Hello");
  await app.inject({ method: "DELETE", url: `${PATH}/${id}` });
  expect((await post(PATH, { input: "more", previous_response_id: referring.id })).statusCode).toBe(200);
  const gone = await post(PATH, { input });
  expect([gone.statusCode, gone.json().param]).toEqual([404, "input.1.id"]);
});

it.each<[string, object]>([
  ["an assistant's message", { role: "assistant", content: "Oh" }],
  [
    "an item of an earlier output",
    { type: "message", id: "msg_1", role: "assistant", content: [{ type: "output_text", text: "Oh" }] },
  ],
])("the answer behind %s is a message of its own", async (_, last) => {
  const { post, jobs } = fakeGateway();
  const input = [{ role: "user", content: "hi" }, { role: "assistant", content: "Ah" }, last];
  const { output } = (await post(PATH, { input })).json();
  // One that goes on would keep the blank that it begins with.
  expect(output[0].content[0].text).toBe("Hello");
  const tools = [{ type: "function", name: "f", parameters: { type: "object" } }];
  expect((await post(PATH, { input, tools, tool_choice: "required" })).statusCode).toBe(200);
  expect(jobs).toHaveLength(2);
});

it("a previous response alone is followed by a new message", async () => {
  const { post, jobs } = fakeGateway();
  const { id } = (await post(PATH, { input: "hi" })).json();
  const { output } = (await post(PATH, { previous_response_id: id })).json();
  expect(output[0].content[0].text).toBe("Hello");
  expect(promptOf(jobs.at(-1)?.promptIds)).toBe("hiHello");
});

it.each<[string, object]>([
  ["unknown", { previous_response_id: NONE }],
  ["malformed", { previous_response_id: "*" }],
  ["referred", { input: [{ type: "item_reference", id: "msg_1" }] }],
])("a previous response or item that is %s is a 404", async (_, fields) => {
  const { post } = fakeGateway();
  expect((await post(PATH, { input: "hi", ...fields })).statusCode).toBe(404);
});

it.each<[unknown, string, string]>([
  [3, "input", "input is 3"],
  [[{ role: "user", content: 3 }], "input.0.content", "is 3"],
  [[{ role: "tool", content: "hi" }], "input.0.role", "one of system"],
  [[{ role: "user", content: [{ type: "input_text" }] }], "input.0.content.0.text", "missing"],
  [
    [{ role: "user", content: [{ type: "refusal", refusal: "No." }] }],
    "input.0.content.0.type",
    "input.0.content.0.type must be input_text: only an assistant refuses.",
  ],
  [[{ type: "function_call", name: "f", arguments: "{}" }], "input.0.call_id", "missing"],
])("the bad input %j is refused at its place", async (input, param, problem) => {
  const refused = await fakeGateway().post(PATH, { input });
  expect([refused.statusCode, refused.json().param]).toEqual([400, param]);
  expect(refused.json().message).toContain(problem);
});

it("a call of the previous response needs its output, and takes it", async () => {
  const { post, jobs } = fakeGateway();
  const call = { type: "function_call", call_id: "c1", name: "f", arguments: "{}" };
  const output = { type: "function_call_output", call_id: "c1", output: "22" };
  const refusalOf = async (fields: object) => {
    const refused = await post(PATH, fields);
    return [refused.statusCode, refused.json().param, refused.json().message];
  };
  const unanswered = expect.stringMatching(/^No tool output found for function call c1\. /);
  expect(await refusalOf({ input: [call] })).toEqual([400, "input", unanswered]);
  const { id } = (await post(PATH, { input: [call, output] })).json();
  const again = await post(PATH, { previous_response_id: id, input: [{ ...output, output: "23" }] });
  expect([again.statusCode, jobs.length]).toEqual([200, 2]);
  const none = { ...output, call_id: "c2" };
  const unknown = expect.stringContaining('there is no function_call with the call_id "c2" before its output');
  expect(await refusalOf({ previous_response_id: id, input: [none] })).toEqual([400, "input", unknown]);
});

const tool = (parameters: object) => ({ type: "function", name: "f", parameters });
const impossible = { type: "object", properties: { x: { enum: [] } }, required: ["x"] };

it.each<[object, string, RegExp]>([
  [{ max_output_tokens: 0 }, "max_output_tokens", /is 0/],
  [{ max_tokens: 5 }, "max_tokens", /send max_output_tokens\.$/],
  [{ min_tokens: 9, max_output_tokens: 5 }, "min_tokens", /9 is more than the 5 tokens that the answer may have\.$/],
  [{ input: "a".repeat(80) }, "input", /81 tokens; this model's maximum .* Shorten the prompt\.$/],
  [{ n: 2 }, "n", /send the request several times\.$/],
  [{ stop_token_ids: [5] }, "stop_token_ids", /send stop\.$/],
  [{ guided_regex: "a" }, "guided_regex", /leave it out\.$/],
  [{ logprobs: true }, "logprobs", /send include/],
  [{ response_format: { type: "json_object" } }, "response_format", /send text\.format\.$/],
  [
    { text: { format: { type: "json_schema", name: "a", schema: impossible, strict: true } } },
    "text.format",
    /^text\.format /,
  ],
  [{ text: { format: { type: "json_schema", name: "a" } } }, "text.format.schema", /missing/],
  [{ tools: [tool({}), tool({})] }, "tools.1.name", /^tools\.1\.name: /],
  [{ tools: [tool({ type: "array" })], tool_choice: "required" }, "tools.0.parameters", /^tools\.0\.parameters /],
  [{ tools: [tool({})], tool_choice: { type: "function", name: "g" } }, "tool_choice", /names g/],
  [{ include: ["logprobs"] }, "include.0", /^include\.0 /],
  [{ metadata: { a: 1 } }, "metadata.a", /^metadata\.a is 1/],
  [{ stop: [""] }, "stop.0", /^stop/],
])("names the field of %j as its client does: %s", async (fields, param, message) => {
  const refused = await fakeGateway().post(PATH, { input: "hi", ...fields });
  expect([refused.statusCode, refused.json().param]).toEqual([400, param]);
  expect(refused.json().message).toMatch(message);
});

it.each([
  [0, "instructions"],
  [1, "previous_response_id"],
  [2, "previous_response_id"],
  [3, "input.0"],
  [4, "input.1"],
  [5, "input.3"],
  [7, "input.5"],
])("names the item that the chat's message %d was made from: %s", async (index, source) => {
  const { post, model } = fakeGateway();
  const { id } = (await post(PATH, { input: "hi" })).json();
  const param = `messages.${index}`;
  const failure = new RhoneError("CHAT_TEMPLATE_FAILED", `No form: ${param} has the role user.`, { param });
  vi.spyOn(model, "encodeChat").mockRejectedValue(failure);
  const call = (call_id: string) => ({ type: "function_call", call_id, name: "f", arguments: "{}" });
  const outputs = ["a", "b"].map((call_id) => ({ type: "function_call_output", call_id, output: "1" }));
  const input = [{ role: "user", content: "go" }, call("a"), call("b"), ...outputs, { role: "user", content: "so" }];
  const refused = await post(PATH, { instructions: "Be brief.", previous_response_id: id, input });
  expect([refused.json().param, refused.json().message]).toEqual([source, `No form: ${source} has the role user.`]);
});

it("another owner's response does not exist", async () => {
  const [mine, theirs] = ["mine", "theirs"].map((name) =>
    newApiKey({ name, requestsPerMinute: null, tokensPerMinute: null }),
  );
  if (mine === undefined || theirs === undefined) throw new Error("There are two keys");
  const { app, post } = fakeGateway(undefined, "ready", { keys: [mine.key, theirs.key] });
  const as = ({ secret }: typeof mine) => ({ authorization: `Bearer ${secret}` });
  const { id } = (await post(PATH, { input: "hi" }, as(mine))).json();
  expect((await app.inject({ url: `${PATH}/${id}`, headers: as(mine) })).statusCode).toBe(200);
  for (const [method, url] of [
    ["GET", `${PATH}/${id}`],
    ["GET", `${PATH}/${id}/input_items`],
    ["DELETE", `${PATH}/${id}`],
    ["POST", `${PATH}/${id}/cancel`],
  ] as const)
    expect((await app.inject({ method, url, headers: as(theirs) })).statusCode, `${method} ${url}`).toBe(404);
  const refusalOf = async (previous_response_id: string) => {
    const refused = await post(PATH, { input: "hi", previous_response_id }, as(theirs));
    return [refused.statusCode, refused.json().message.replace(previous_response_id, "ID")];
  };
  expect(await refusalOf(id)).toEqual(await refusalOf(NONE));
});

it("what is not stored can't be read", async () => {
  const { app, post, redis } = fakeGateway();
  const { id } = (await post(PATH, { input: "hi", store: false })).json();
  await post(PATH, { input: "hi", store: false, stream: true });
  expect(redis.texts.size).toBe(0);
  expect((await app.inject(`${PATH}/${id}`)).statusCode).toBe(404);
});

it("a stream's events are sent again, from behind any of them", async () => {
  const { app, post } = fakeGateway();
  const events = eventsOf((await post(PATH, { input: "hi", stream: true })).body);
  const url = `${PATH}/${events.at(-1).response.id}?stream=true`;
  expect(eventsOf((await app.inject(url)).body)).toEqual(events);
  for (const { sequence_number: after } of events)
    expect(eventsOf((await app.inject(`${url}&starting_after=${after}`)).body)).toEqual(events.slice(after + 1));
  const head = await app.inject({ method: "HEAD", url });
  expect([head.statusCode, head.headers["content-type"]]).toEqual([200, "text/event-stream; charset=utf-8"]);
  const refused = await app.inject(`${PATH}/${events.at(-1).response.id}?starting_after=1`);
  expect([refused.statusCode, refused.json().param]).toEqual([400, "starting_after"]);
});

it("a resumable stream is resumed by its ids, too, with the same sequence numbers", async () => {
  const { app, post } = fakeGateway();
  const { body, headers } = await post(PATH, { input: "hi", stream: true, stream_options: { resumable: true } });
  const url = String(headers["content-location"]);
  expect((await app.inject(url)).body).toBe(body);
  const parts = body.split("\n\n").filter((part) => part !== "");
  for (const [index, part] of parts.entries()) {
    const id = /^id: (.*)$/m.exec(part)?.[1] ?? "";
    const rest = await app.inject({ url, headers: { "last-event-id": id } });
    expect(rest.body.split("\n\n").filter((part) => part !== "")).toEqual(parts.slice(index + 1));
  }
});

const failing: Script = function* () {
  yield { tokens: [72], text: " He" };
  throw new RhoneError("WORKER_LOST", "Lost.");
};

it("a stream that fails ends with response.failed, and its response is stored with what there is", async () => {
  const { app, post } = fakeGateway(failing);
  const events = eventsOf((await post(PATH, { input: "hi", stream: true })).body);
  const { type, response } = events.at(-1);
  expect([type, response.status, response.error.code]).toEqual(["response.failed", "failed", "server_error"]);
  const stored = (await app.inject(`${PATH}/${response.id}`)).json();
  keepsTo(stored, official.response);
  expect(stored).toEqual(response);
});

it("a request with an Idempotency-Key runs once, and its response is stored once", async () => {
  const { app, post, jobs } = fakeGateway();
  const headers = { "idempotency-key": "k" };
  const first = (await post(PATH, { input: "hi" }, headers)).json();
  expect((await post(PATH, { input: "hi" }, headers)).json()).toEqual(first);
  expect(jobs).toHaveLength(1);
  expect((await app.inject(`${PATH}/${first.id}`)).json()).toEqual(first);
});

it("a tool in the shape of a chat's is told where its fields are here", async () => {
  const { post } = fakeGateway();
  const tools = [{ type: "function", function: { name: "f", parameters: {} } }];
  const refused = (await post(PATH, { input: "hi", tools })).json();
  expect(refused).toMatchObject({ code: "invalid_value", param: "tools.0.function" });
  expect(refused.message).toContain("beside type, not in function");
});

it("an input that is too long to be stored is refused with the remedy", async () => {
  const { responses } = fakeGateway();
  const item = { type: "message", id: "m", role: "user", content: "a".repeat(1024 * 1024) } as const;
  const record = { owner: "", input: [item], response: { id: NONE } } as unknown as Parameters<
    typeof responses.create
  >[0];
  await expect(responses.create(record)).rejects.toMatchObject({
    param: "store",
    message: expect.stringContaining("store: false"),
  });
});

it("Redis that is away fails a stored request, and no other", async () => {
  const { post, redis } = fakeGateway();
  redis.failure = new Error("away");
  expect((await post(PATH, { input: "hi" })).statusCode).toBe(503);
  expect((await post(PATH, { input: "hi", store: false })).statusCode).toBe(200);
});
