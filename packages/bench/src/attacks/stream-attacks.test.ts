import { json } from "node:stream/consumers";
import { expect, it } from "vitest";
import { senderTo } from "../testing/sender-to.js";
import { STREAM_ATTACKS } from "./stream-attacks.js";

const model = { name: "breeze", vocabSize: 1024, contextLength: 4096 };

interface Made {
  readonly prompt: string | readonly (readonly number[])[];
  readonly n?: number;
  readonly stream_options: object;
}

/** A gateway that makes one stream, perhaps one without an end, or refuses to, and counts the requests about it. */
async function gateway({ refuses = false, endless = false } = {}) {
  const made: Made[] = [];
  const about: string[] = [];
  const sender = await senderTo(async (request, response) => {
    const { method, url, headers } = request;
    if (method === "POST") made.push((await json(request)) as Made);
    else about.push(`${method} ${url} ${headers["last-event-id"] ?? ""}`.trim());
    if (!refuses) response.setHeader("content-location", "/v1/streams/s");
    if (endless && method === "POST") response.flushHeaders();
    else response.end();
  });
  return { sender, made, about };
}

it.each([
  ["deletes-100", 100, "DELETE /v1/streams/s"],
  ["deletes-early-100", 100, "DELETE /v1/streams/s"],
  ["resumed-400", 400, "GET /v1/streams/s"],
  ["resumed-beyond-60", 60, `GET /v1/streams/s 999999${".0".repeat(15)}:0:0`],
  ["resumed-record-300", 300, "GET /v1/streams/s 1:0:0"],
  ["records-300", 300, `GET /v1/streams/s 999999${".0".repeat(47)}:0:0`],
])("%s makes a resumable stream, sends %d requests about it, and ends it", async (name, count, request) => {
  const { sender, made, about } = await gateway();
  const replies = await STREAM_ATTACKS.find((attack) => attack.name === name)?.send(sender, model);
  expect(made).toMatchObject([{ stream_options: { resumable: true } }]);
  expect(about).toEqual([...Array.from({ length: count }, () => request), "DELETE /v1/streams/s"]);
  expect(replies).toHaveLength(count + 2);
});

it("requests about a stream that is generated come before its end", async () => {
  const { sender, about } = await gateway({ endless: true });
  await STREAM_ATTACKS.find(({ name }) => name === "resumed-record-300")?.send(sender, model);
  expect(about).toHaveLength(301);
});

it("a record of nearly a megabyte comes from prompts that the context holds", async () => {
  const { sender, made } = await gateway();
  await STREAM_ATTACKS.find(({ name }) => name === "resumed-record-300")?.send(sender, model);
  const [{ prompt, n = 1 }] = made as [Made];
  const characters = n * JSON.stringify(prompt).length;
  expect(characters).toBeGreaterThan(700_000);
  expect(characters).toBeLessThan(1024 * 1024);
});

it("a stream that is refused gets no requests", async () => {
  const { sender, about } = await gateway({ refuses: true });
  for (const attack of STREAM_ATTACKS) await attack.send(sender, model);
  expect(about).toEqual([]);
});
