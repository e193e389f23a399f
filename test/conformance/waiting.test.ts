import type { AddressInfo } from "node:net";
import { createMistral } from "@ai-sdk/mistral";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Mistral } from "@mistralai/mistralai";
import { streamText } from "ai";
import OpenAI from "openai";
import { expect, onTestFinished, test, vi } from "vitest";
import { Pings } from "../../services/gateway/src/http/pings.js";
import { FakeCluster } from "../../services/gateway/src/testing/fake-cluster.js";
import { fakeGateway } from "../../services/gateway/src/testing/fake-gateway.js";

const EVERY_MS = 20;
const content = "hi";
const messages = [{ role: "user" as const, content }];

/** Clients that read the text of a stream. */
const CLIENTS: Readonly<Record<string, (url: string) => AsyncIterable<string>>> = {
  async *openai(url) {
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
    for await (const { choices } of await client.chat.completions.create({ model: "tiny", messages, stream: true }))
      yield choices[0]?.delta.content ?? "";
  },
  async *mistralai(url) {
    const client = new Mistral({ serverURL: url, apiKey: "none" });
    for await (const { data } of await client.chat.stream({ model: "tiny", messages }))
      yield String(data.choices[0]?.delta.content ?? "");
  },
  "@ai-sdk/openai-compatible": (url) =>
    streamText({ model: createOpenAICompatible({ name: "rhone", baseURL: `${url}/v1` })("tiny"), prompt: content })
      .textStream,
  "@ai-sdk/mistral": (url) =>
    streamText({ model: createMistral({ baseURL: `${url}/v1`, apiKey: "none" })("tiny"), prompt: content }).textStream,
};

test.each(Object.entries(CLIENTS))("%s skips the comments of a stream that has to wait", async (_, read) => {
  const { app, client } = fakeGateway(undefined, "ready", { pingIntervalMs: EVERY_MS });
  onTestFinished(() => app.close());
  const send = vi.spyOn(Pings.prototype, "send");
  onTestFinished(() => send.mockRestore());
  const generate = FakeCluster.prototype.generate;
  vi.spyOn(client as FakeCluster, "generate").mockImplementation(async function* (this: FakeCluster, ...given) {
    await expect.poll(() => send.mock.calls.length).toBeGreaterThan(1);
    yield* generate.apply(this, given);
  });
  await app.listen({ host: "127.0.0.1", port: 0 });
  let text = "";
  for await (const part of read(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)) text += part;
  expect(text).toBe("Hello");
});
