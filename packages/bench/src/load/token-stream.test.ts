import { Agent } from "node:http";
import { expect, test } from "vitest";
import { serve } from "../../../client/src/testing/serve.js";
import { TokenStream, type TokenStreamOptions, ttftMsOf } from "./token-stream.js";

const agent = new Agent({ keepAlive: true });
const OPTIONS = { agent, model: "m", prompt: [1, 2], maxTokens: 4, cache: false, signal: new AbortController().signal };
const USAGE = { prompt_tokens: 2, completion_tokens: 4, prompt_tokens_details: { cached_tokens: 1 } };
const event = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;
const DONE = "data: [DONE]\n\n";
const tokens = (...ids: number[]): string => event({ choices: [{ token_ids: ids }] });

async function run(answer: string, options: Partial<TokenStreamOptions> = {}) {
  const { url, requests } = await serve((_, response) => response.end(answer));
  const stream = new TokenStream({ ...OPTIONS, url, ...options });
  stream.send();
  return { record: await stream.done, requests };
}

test("tokens that arrive in one event count one by one, at one time", async () => {
  const heard: number[] = [];
  const answer = tokens(5) + tokens(6, 7, 8) + event({ choices: [], usage: USAGE }) + DONE;
  const { record } = await run(answer, { onToken: (count) => heard.push(count) });
  expect(heard).toEqual([1, 2, 3, 4]);
  expect(record.arrivals[1]).toBe(record.arrivals[3]);
  expect(record.cachedTokens).toBe(1);
  expect(ttftMsOf(record)).toBe((record.arrivals[0] ?? 0) - record.sentAt);
});

test("the key goes along", async () => {
  const answer = tokens(5, 6, 7, 8) + event({ usage: USAGE }) + DONE;
  const { requests } = await run(answer, { apiKey: "secret" });
  expect(requests[0]?.headers.authorization).toBe("Bearer secret");
});

test.each([
  ["too many tokens", tokens(1, 2, 3, 4, 5) + event({ usage: USAGE }) + DONE, /5 generated tokens/],
  ["another prompt", tokens(1, 2, 3, 4) + event({ usage: { ...USAGE, prompt_tokens: 9 } }) + DONE, /9 prompt/],
  ["no usage", tokens(1, 2, 3, 4) + DONE, /no prompt/],
  ["no end", tokens(1, 2, 3, 4) + event({ usage: USAGE }), /without \[DONE\]; the request was for 2 and 4/],
])("a stream with %s is void", async (_, answer, message) => {
  await expect(run(answer)).rejects.toMatchObject({
    code: "MEASUREMENT_VOID",
    message: expect.stringMatching(message),
  });
});

test("a stream that is left keeps the tokens that came, and is not judged by them", async () => {
  const { url } = await serve((_, response) => {
    response.write(tokens(1));
    return new Promise((resolve) => response.once("close", resolve));
  });
  const stream: TokenStream = new TokenStream({ ...OPTIONS, url, onToken: () => stream.leave() });
  stream.send();
  expect((await stream.done).arrivals).toHaveLength(1);
});
