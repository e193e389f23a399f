import { expect, it } from "vitest";
import { event, testJob } from "../testing/events.js";
import { answerBytes, eventBytes } from "./answer-bytes.js";

const whole = { stream: false };
const top = Array.from({ length: 20 }, (_, i) => [i, -1] as const);

it.each([
  ["16 for a token of text", [testJob({ maxTokens: 100 })], whole, 1600],
  ["the text of 4,096 tokens, where it may have more", [testJob({ maxTokens: 32_768 })], whole, 65_536],
  ["12 more for its id", [testJob({ maxTokens: 100 })], { ...whole, ids: true }, 2800],
  ["172 more with 20 alternatives", [testJob({ maxTokens: 100, logprobs: 20 })], whole, 18_800],
  ["12 for each scored token of a prompt", [testJob({ maxTokens: 0, promptLogprobs: 0 })], whole, 36],
  ["all choices together", [testJob(), testJob(), testJob()], whole, 240],
  ["an embedding as base64", [testJob({ maxTokens: 0, pooling: "mean" })], { ...whole, dim: 4096 }, 21_846],
  ["nothing for a stream", [testJob({ logprobs: 20 })], { stream: true, ids: true }, 0],
  ["the calls of a stream", [testJob({ logprobs: 20 })], { stream: true, calls: true }, 80],
])("an answer takes %s", (_, jobs, parts, bytes) => expect(answerBytes(jobs, parts)).toBe(bytes));

it("an event takes its text and its log-probabilities", () => {
  const logprobs = [{ token: 1, logprob: -1, top }];
  expect(eventBytes(event({ text: "abc" }))).toBe(6);
  expect(eventBytes(event({ text: "", logprobs, promptLogprobs: logprobs, embedding: "AAAA" }))).toBe(348);
});
