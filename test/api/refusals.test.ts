import { expect, test } from "vitest";
import { chat } from "../cluster/chat.js";
import { sharedCluster } from "../cluster/shared-cluster.js";

const cluster = await sharedCluster();
const hello = [{ role: "user", content: "Hello!" }];

test.each([
  ["an unknown model", { model: "gpt-9", messages: hello }, 404, "model_not_found", /gpt-9.*breeze/],
  ["a negative temperature", { temperature: -1, messages: hello }, 400, "invalid_value", /temperature/],
  ["no messages", { messages: [] }, 400, "invalid_value", /messages/],
  ["max_tokens of text", { max_tokens: "many", messages: hello }, 400, "invalid_value", /max_tokens/],
  [
    "a prompt longer than the context",
    { messages: [{ role: "user", content: "sea ".repeat(5000) }] },
    400,
    "context_length_exceeded",
    /has \d+ tokens.*length is \d+/,
  ],
])("%s gets a clear error", async (_, body, status, code, message) => {
  const response = await cluster.post("/v1/chat/completions", body);
  expect(response.status).toBe(status);
  expect(await response.json()).toMatchObject({ error: { code, message: expect.stringMatching(message) } });
});

test("wrong JSON gets a clear error", async () => {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${cluster.url}/v1/chat/completions`, { method: "POST", headers, body: '{"mess' });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({
    error: { code: "invalid_json", message: expect.stringMatching(/not valid JSON/) },
  });
});

test("does no harm to those that can", async () => {
  const messages = [{ role: "user", content: "What is the capital of France?" }] as const;
  const pairs = Array.from({ length: 8 }, () =>
    Promise.all([cluster.post("/v1/chat/completions", { temperature: -1 }), chat(cluster, { messages })]),
  );
  for (const [refused, { text }] of await Promise.all(pairs)) {
    expect(refused.status).toBe(400);
    expect(text).toBe("The capital of France is Paris.");
  }
  await expect
    .poll(async () => {
      const { pages, sequences } = await cluster.status();
      return {
        used: pages.total - pages.free - pages.cached,
        running: sequences.running,
        waiting: sequences.waiting,
      };
    })
    .toEqual({ used: 0, running: 0, waiting: 0 });
});
