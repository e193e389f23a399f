import { expect, test } from "vitest";
import { sharedCluster } from "../cluster/shared-cluster.js";

const cluster = await sharedCluster();

const request = {
  prompt: "The",
  max_tokens: 300,
  temperature: 0,
  ignore_eos: true,
  stream: true,
  stream_options: { resumable: true, include_usage: true },
};

/** Reads events until `most` have come, then hangs up. */
async function readSome(most: number) {
  const abort = new AbortController();
  const response = await cluster.post("/v1/completions", request, abort.signal);
  const url = `${cluster.url}${response.headers.get("content-location")}`;
  let text = "";
  const decoder = new TextDecoder();
  for await (const part of response.body ?? []) {
    text += decoder.decode(part, { stream: true });
    if (text.split("\n\n").length > most) break;
  }
  abort.abort();
  return { url, events: text.split("\n\n").slice(0, most) };
}

const lastIdOf = (events: readonly string[]) => /^id: (.*)$/m.exec(events.at(-1) ?? "")?.[1] ?? "";

test("a stream whose client hung up goes on, and is read to its end from where it broke", async () => {
  const { url, events } = await readSome(5);
  const response = await fetch(url, { headers: { "last-event-id": lastIdOf(events) } });
  const rest = (await response.text()).split("\n\n").filter((event) => event !== "");
  expect(rest.pop()).toBe("data: [DONE]");
  const whole = (await (await fetch(url)).text()).split("\n\n").filter((event) => event !== "");
  expect([...events, ...rest]).toEqual(whole.slice(0, -1));
  const texts = whole.slice(0, -1).map((event) => JSON.parse(event.slice(event.indexOf("{"))).choices[0]?.text ?? "");
  const { stream: _, stream_options: __, ...plain } = request;
  const answer = await cluster.ask<{ choices: { text: string }[] }>("/v1/completions", plain);
  expect(texts.join("")).toBe(answer.choices[0]?.text);
});

test("a stream is ended by its id", async () => {
  const { url } = await readSome(2);
  expect((await fetch(url, { method: "DELETE" })).status).toBe(200);
  await expect.poll(async () => (await cluster.status()).sequences.running, { timeout: 10_000 }).toBe(0);
});
