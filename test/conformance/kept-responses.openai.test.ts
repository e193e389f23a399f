import OpenAI, { BadRequestError, NotFoundError } from "openai";
import { expect, onTestFinished, test } from "vitest";
import { startSecondGateway } from "../cluster/second-gateway.js";
import { ROOM, sharedCluster } from "../cluster/shared-cluster.js";
import { keepsTo } from "../schemas/keeps-to.js";
import * as official from "../schemas/openai-responses.js";
import {
  client,
  type Event,
  endless,
  eventsOf,
  greedy,
  lastOf,
  model,
  PATH,
  plain,
  streamed,
  weather,
} from "./openai-responses.js";

// Responses that outlive their request: gone on from, read again, deleted, left, or in the background.

const cluster = await sharedCluster();

test("calls are answered by items, or through previous_response_id", async () => {
  const tools = [weather];
  const input = [{ role: "user" as const, content: "How is the weather in Paris?" }];
  const limits = { model, tools, temperature: 0, max_output_tokens: ROOM };
  const first = await client.responses.create({
    ...limits,
    input,
    tool_choice: "required",
    parallel_tool_calls: false,
  });
  const [call] = first.output;
  if (call?.type !== "function_call") throw new Error(JSON.stringify(first));
  const output = { type: "function_call_output" as const, call_id: call.call_id, output: "22 degrees" };
  const counted = await client.responses.inputTokens.count({ model, tools, input, tool_choice: "required" });
  keepsTo(counted, official.inputTokens);
  expect(counted.input_tokens).toBe(first.usage?.input_tokens);
  const short = { ...limits, tool_choice: "none" as const, max_output_tokens: 24 };
  const byItems = await client.responses.create({ ...short, input: [...input, call, output] });
  const byId = await client.responses.create({ ...short, input: [output], previous_response_id: first.id });
  expect(byId.output_text).toBe(byItems.output_text);
  expect(byId.usage?.input_tokens).toBe(byItems.usage?.input_tokens);
  const byReference = [...input, { type: "item_reference" as const, id: call.id ?? "" }, output];
  const referred = await client.responses.create({ ...short, input: byReference });
  expect(referred.output_text).toBe(byItems.output_text);
});

test("a conversation goes on through previous_response_id, without its instructions", async () => {
  const instructions = "You are a pirate.";
  const first = await client.responses.create({ ...greedy, instructions });
  const second = await client.responses.create({ ...greedy, input: "And of Spain?", previous_response_id: first.id });
  const third = await client.responses.create({ ...greedy, input: "And of Italy?", previous_response_id: second.id });
  expect(third).toMatchObject({ previous_response_id: second.id, instructions: null });
  const spoken = [
    { role: "user" as const, content: greedy.input as string },
    { role: "assistant" as const, content: first.output_text },
    { role: "user" as const, content: "And of Spain?" },
    { role: "assistant" as const, content: second.output_text },
    { role: "user" as const, content: "And of Italy?" },
  ];
  const whole = await client.responses.create({ ...greedy, input: spoken });
  expect([third.output_text, third.usage?.input_tokens]).toEqual([whole.output_text, whole.usage?.input_tokens]);
  const items = [];
  for await (const item of client.responses.inputItems.list(third.id, { order: "asc", limit: 2 })) items.push(item);
  expect(items.map((item) => (item.type === "message" ? item.role : item.type))).toEqual(
    spoken.map(({ role }) => role),
  );
  const newest = await client.responses.inputItems.list(third.id);
  expect(newest.data.map(({ id }) => id)).toEqual(items.map(({ id }) => id).reverse());
  keepsTo(await (await fetch(`${cluster.url}${PATH}/${third.id}/input_items?limit=3`)).json(), official.inputItemList);
});

test("a stored response is read again, streamed or not, until it is deleted", async () => {
  const whole = await client.responses.create(greedy);
  expect(plain(await client.responses.retrieve(whole.id))).toEqual(plain(whole));
  const events = await streamed(greedy);
  const { id } = lastOf(events);
  const again = await client.responses.retrieve(id);
  keepsTo(plain(again), official.response);
  expect(plain(again)).toEqual(plain(lastOf(events)));
  const repeated = await eventsOf(await fetch(`${cluster.url}${PATH}/${id}?stream=true`));
  expect(repeated).toEqual(events);
  const rest = await eventsOf(await fetch(`${cluster.url}${PATH}/${id}?stream=true&starting_after=4`), 5);
  expect(rest).toEqual(events.slice(5));
  const viaSdk: Event[] = [];
  for await (const event of await client.responses.retrieve(id, { stream: true, starting_after: 4 }))
    viaSdk.push(event);
  expect(viaSdk).toEqual(rest.map(({ data }) => data));
  keepsTo(
    await (await fetch(`${cluster.url}${PATH}/${whole.id}`, { method: "DELETE" })).json(),
    official.responseDeleted,
  );
  await client.responses.delete(id);
  for (const gone of [whole.id, id]) {
    await expect(client.responses.retrieve(gone)).rejects.toBeInstanceOf(NotFoundError);
    const refused = await client.responses.create({ ...greedy, previous_response_id: gone }).catch((error) => error);
    expect(refused).toMatchObject({ status: 404, code: "previous_response_not_found", param: "previous_response_id" });
    expect(refused.message).toContain(gone);
  }
});

test("store: false keeps nothing", async () => {
  const { id, ...response } = await client.responses.create({ ...greedy, store: false });
  expect(response).toMatchObject({ store: false });
  await expect(client.responses.retrieve(id)).rejects.toBeInstanceOf(NotFoundError);
});

test("leaving a stream ends its generation, and the response is kept as cancelled", async () => {
  let id = "";
  for await (const event of await client.responses.create({ ...endless, stream: true })) {
    if (event.type === "response.created") id = event.response.id;
    if (event.type === "response.output_text.delta") break;
  }
  await expect.poll(async () => (await cluster.status()).sequences.running, { timeout: 10_000 }).toBe(0);
  await expect.poll(async () => (await client.responses.retrieve(id)).status, { timeout: 10_000 }).toBe("cancelled");
});

test("a resumable stream goes on without its client, and its response is kept", async () => {
  let id = "";
  const asked = { ...endless, max_output_tokens: 100, stream: true as const, stream_options: { resumable: true } };
  for await (const event of await client.responses.create(
    asked as never as OpenAI.Responses.ResponseCreateParamsStreaming,
  )) {
    if (event.type === "response.created") id = event.response.id;
    if (event.type === "response.output_text.delta") break;
  }
  await expect.poll(async () => (await client.responses.retrieve(id)).status, { timeout: 20_000 }).toBe("incomplete");
  const events = await eventsOf(await fetch(`${cluster.url}${PATH}/${id}?stream=true`));
  expect(lastOf(events).output_text).toBeUndefined();
  expect(lastOf(events).output).toEqual(JSON.parse(JSON.stringify((await client.responses.retrieve(id)).output)));
});

test("a response in the background is queued, then in progress, then completed", async () => {
  const queued = await client.responses.create({ ...endless, max_output_tokens: 100, background: true });
  expect(queued).toMatchObject({ status: "queued", background: true, output: [] });
  keepsTo(plain(queued), official.response);
  const seen = new Set<string | undefined>();
  const statusOf = async () => {
    const { status } = await client.responses.retrieve(queued.id);
    seen.add(status);
    return status;
  };
  await expect.poll(statusOf, { timeout: 20_000, interval: 20 }).toBe("incomplete");
  expect([...seen].every((status) => ["queued", "in_progress", "incomplete"].includes(status ?? ""))).toBe(true);
  const done = await client.responses.retrieve(queued.id);
  keepsTo(plain(done), official.response);
  expect(done.usage?.output_tokens).toBe(100);
  const next = await client.responses.create({ ...greedy, previous_response_id: done.id });
  expect(next.status).toMatch(/^(completed|incomplete)$/);
});

test("a response in the background is streamed, from its beginning and from any event", async () => {
  const told: Event[] = [];
  const asked = { ...endless, max_output_tokens: 60, background: true, stream: true as const };
  for await (const event of await client.responses.create(asked)) {
    told.push(event);
    if (event.type === "response.output_text.delta") break;
  }
  const [created] = told;
  if (created?.type !== "response.created") throw new Error(JSON.stringify(told));
  expect(told.slice(0, 3).map(({ type }) => type)).toEqual([
    "response.created",
    "response.queued",
    "response.in_progress",
  ]);
  const from = told.at(-1)?.sequence_number ?? 0;
  const url = `${cluster.url}${PATH}/${created.response.id}?stream=true`;
  const rest = await eventsOf(await fetch(`${url}&starting_after=${from}`), from + 1);
  const whole = await eventsOf(await fetch(url));
  expect([...told, ...rest.map(({ data }) => data)]).toEqual(whole.map(({ data }) => data));
  expect(whole.at(-1)?.name).toBe("response.incomplete");
});

test("a response in the background is cancelled, and no other can be", async () => {
  const { id } = await client.responses.create({ ...endless, background: true });
  const cancelled = await client.responses.cancel(id);
  keepsTo(plain(cancelled), official.response);
  expect(cancelled.status).toBe("cancelled");
  await expect.poll(async () => (await cluster.status()).sequences.running, { timeout: 10_000 }).toBe(0);
  expect((await client.responses.retrieve(id)).status).toBe("cancelled");
  expect((await client.responses.cancel(id)).status).toBe("cancelled");
  const whole = await client.responses.create(greedy);
  await expect(client.responses.cancel(whole.id)).rejects.toBeInstanceOf(BadRequestError);
});

test("a response in the background outlives the gateway that took it", async () => {
  const second = await startSecondGateway(cluster, []);
  onTestFinished(() => second.stop("SIGKILL"));
  const there = new OpenAI({ baseURL: `${second.url}/v1`, apiKey: "none", maxRetries: 0 });
  const { id } = await there.responses.create({ ...endless, max_output_tokens: 200, background: true });
  await second.stop("SIGKILL");
  await expect.poll(async () => (await client.responses.retrieve(id)).status, { timeout: 40_000 }).toBe("incomplete");
  expect((await client.responses.retrieve(id)).usage?.output_tokens).toBe(200);
});
