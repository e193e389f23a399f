import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { end, FRAME, of } from "../testing/events.js";
import { fakeModel } from "../testing/fake-model.js";
import { jsonParts } from "../write-in-turns.js";
import { BestOfWriter } from "./best-of-writer.js";
import { ChatWriter } from "./chat-writer.js";
import { CompletionWriter } from "./completion-writer.js";
import type { Writer } from "./writer.js";

const TOKENS = 4096;
const prompt = { ids: [1], text: "", hiddenSpace: false };
const options = { ...FRAME, samples: 1, prompts: [prompt], echo: false, logprobs: 20, promptLogprobs: null };
const chat = { stripsSpace: false, opening: "", choices: 1, promptIds: [1], wantsPromptLogprobs: false, calls: null };

/** The bytes that are in use, what could be collected left out. */
function usedBytes(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const event = (at: number) => {
  const top = Array.from({ length: 20 }, (_, i) => [(at + i) % 256, -i] as const);
  return of(0, { text: `t${at % 10}`, logprobs: [{ token: at % 256, logprob: -0.5, top }] });
};

it.each<[string, () => Writer]>([
  ["a chat", () => new ChatWriter({ ...FRAME, ...chat, wantsLogprobs: true }, fakeModel())],
  ["a completion", () => new CompletionWriter(options, fakeModel())],
  ["the best of samples", () => new BestOfWriter(new CompletionWriter(options, fakeModel()), { n: 1, samples: 1 })],
])("%s keeps 20 log-probabilities of a token in 400 bytes, also while it is written", async (_, open) => {
  const writer = open();
  const before = usedBytes();
  for (let at = 0; at < TOKENS; at++) writer.take(event(at), "whole");
  writer.take(end(0), "whole");
  expect(usedBytes() - before).toBeLessThan(400 * TOKENS);
  let [characters, most] = [0, 0];
  for await (const part of jsonParts(await writer.whole())) {
    characters += part.length;
    most = Math.max(most, part.length);
  }
  expect(characters).toBeGreaterThan(250 * TOKENS);
  expect(most).toBeLessThan(64 * 1024);
});
