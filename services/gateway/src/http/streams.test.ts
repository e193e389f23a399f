import { streamKey } from "@rhone/common";
import { expect, it, vi } from "vitest";
import { fakeGateway, type Script } from "../testing/fake-gateway.js";
import { chatChunkSchema } from "./openapi/generation-schemas.js";
import { streamCancelledSchema } from "./openapi/response-schemas.js";

const CHAT = "/v1/chat/completions";
const messages = [{ role: "user", content: "hi" }];

/** Sample s generates s + 2 tokens. */
const longer: Script = ({ requestId, promptIds }) => {
  const count = Number(requestId.at(-1)) + 2;
  return Array.from({ length: count }, (_, index) => ({
    tokens: [97 + index],
    text: String.fromCharCode(97 + index),
    ...(index === count - 1 && {
      finish: { reason: "length" as const },
      usage: { promptTokens: promptIds.length, completionTokens: count, cachedTokens: 0 },
    }),
  }));
};

const eventsOf = (body: string) => body.split("\n\n").filter((event) => event !== "");
const idOf = (event: string) => /^id: (.*)$/m.exec(event)?.[1] ?? "";

it.each<[string, { readonly n?: number; readonly include_usage?: boolean }]>([
  ["one choice", {}],
  ["one choice with a usage chunk", { include_usage: true }],
  ["three choices", { n: 3 }],
  ["three choices with a usage chunk", { include_usage: true, n: 3 }],
])("a stream of %s goes on behind each of its events", async (_, { n, ...options }) => {
  const { app, post } = fakeGateway(longer);
  const response = await post(CHAT, { messages, n, stream: true, stream_options: { resumable: true, ...options } });
  const events = eventsOf(response.body);
  expect(events.pop()).toBe("data: [DONE]");
  for (const event of events) chatChunkSchema.parse(JSON.parse(event.slice(event.indexOf("{"))));
  expect(new Set(events.map(idOf)).size).toBe(events.length);
  const url = String(response.headers["content-location"]);
  expect(url).toBe(`/v1/streams/${JSON.parse(events[0]?.slice(events[0].indexOf("{")) ?? "{}").id}`);
  expect((await app.inject(url)).body).toBe(response.body);
  for (const [index, event] of events.entries()) {
    const { body } = await app.inject({ url, headers: { "last-event-id": idOf(event) } });
    expect(eventsOf(body).sort()).toEqual([...events.slice(index + 1), "data: [DONE]"].sort());
  }
});

it("HEAD of a stream follows nothing", async () => {
  const { app, post, client } = fakeGateway();
  const { headers } = await post(CHAT, { messages, stream: true, stream_options: { resumable: true } });
  const follow = vi.spyOn(client, "follow");
  const response = await app.inject({ method: "HEAD", url: String(headers["content-location"]) });
  expect([response.statusCode, response.headers["content-type"]]).toEqual([200, "text/event-stream; charset=utf-8"]);
  expect(follow).not.toHaveBeenCalled();
  expect((await app.inject({ method: "HEAD", url: "/v1/streams/none" })).statusCode).toBe(404);
});

it("a stream is cancelled by its id, every choice of it", async () => {
  const { app, post, cancelled } = fakeGateway();
  const { headers } = await post(CHAT, { messages, stream: true, n: 2, stream_options: { resumable: true } });
  const response = await app.inject({ method: "DELETE", url: String(headers["content-location"]) });
  const { id } = streamCancelledSchema.parse(response.json());
  expect(cancelled).toEqual([`${id}-0`, `${id}-1`]);
});

it("a stream that nobody knows, or a place that it never had, is refused", async () => {
  const { app, post } = fakeGateway();
  expect((await app.inject("/v1/streams/none")).statusCode).toBe(404);
  const { headers } = await post(CHAT, { messages, stream: true, stream_options: { resumable: true } });
  for (const id of ["x", "1.2:0:0", "0:0:0", "1:7:0", "-1:0:0", "3:0:0", "999999:end:0"]) {
    const response = await app.inject({
      url: String(headers["content-location"]),
      headers: { "last-event-id": id },
    });
    expect([response.statusCode, response.json().param]).toEqual([400, "Last-Event-ID"]);
  }
});

it("a place that is no id is refused before the record, which may be large, is read", async () => {
  const { app, post, redis } = fakeGateway();
  const { headers } = await post(CHAT, { messages, stream: true, stream_options: { resumable: true } });
  const url = String(headers["content-location"]);
  redis.texts.delete(streamKey(url.slice("/v1/streams/".length)));
  const response = await app.inject({ url, headers: { "last-event-id": "1.1:0:0" } });
  expect(response.json()).toMatchObject({ code: "invalid_value", param: "Last-Event-ID" });
});

it("a place in a stream whose events are gone is not found", async () => {
  const { app, post, jobs } = fakeGateway();
  const response = await post(CHAT, { messages, stream: true, stream_options: { resumable: true } });
  jobs.splice(0);
  const lastEventId = idOf(eventsOf(response.body)[0] ?? "");
  const url = String(response.headers["content-location"]);
  const again = await app.inject({ url, headers: { "last-event-id": lastEventId } });
  expect([again.statusCode, again.json().code]).toEqual([404, "not_found"]);
});

it("the fifth reader of a stream at a time is refused by name, and others read it whole", async () => {
  const { app, post } = fakeGateway(longer);
  const { headers, body } = await post(CHAT, { messages, stream: true, stream_options: { resumable: true } });
  const url = String(headers["content-location"]);
  const answers = await Promise.all(Array.from({ length: 6 }, () => app.inject(url)));
  expect(answers.map(({ statusCode }) => statusCode).toSorted()).toEqual([200, 200, 200, 200, 429, 429]);
  for (const { statusCode, json, body: text } of answers)
    if (statusCode === 200) expect(text).toBe(body);
    else
      expect(json()).toMatchObject({ code: "too_many_readers", message: expect.stringMatching(/^4 readers follow/) });
  expect((await app.inject(url)).statusCode).toBe(200);
});

it("a repeated Idempotency-Key counts as a reader of its stream", async () => {
  const { post, readers } = fakeGateway(longer);
  const ask = () => post(CHAT, { messages, stream: true }, { "idempotency-key": "k" });
  const stream = /"id":"(.*?)"/.exec((await ask()).body)?.[1] ?? "";
  expect((await ask()).statusCode).toBe(200);
  for (let i = 0; i < 4; i++) void readers.admit({ stream, owner: "" }, () => new Promise(() => {}));
  expect((await ask()).statusCode).toBe(429);
});
