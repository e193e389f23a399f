import { expect, it } from "vitest";
import { fakeGateway } from "../testing/fake-gateway.js";

const MiB = 1024 * 1024;
const COMPLETIONS = "/v1/completions";
/** 48 choices of 60 tokens with 20 alternatives and ids: 200 bytes for each token, 576,000 together. */
const wide = { prompt: ["a", "b", "c"], n: 16, max_tokens: 60, logprobs: 20, return_token_ids: true };
const anyone = { lane: "interactive", owner: "" } as const;

it("a whole answer waits for room, and gives it back once it is sent", async () => {
  const { answers, post, jobs, metrics } = fakeGateway(undefined, "ready", { answersBytes: MiB });
  const other = answers.takeNow({ ...anyone, bytes: MiB - 500_000 });
  const waiting = post(COMPLETIONS, wide);
  await expect.poll(async () => (await metrics.answersWaiting.get()).values[0]?.value).toBe(1);
  expect(jobs).toEqual([]);
  other.release();
  const response = await waiting;
  expect(response.statusCode).toBe(200);
  expect(response.json().choices).toHaveLength(48);
  await expect.poll(async () => (await metrics.answersHeld.get()).values[0]?.value).toBe(0);
});

it("without room the request is told when to come again, and a stream needs none", async () => {
  const { answers, post, jobs, metrics } = fakeGateway(undefined, "ready", { answersBytes: MiB });
  answers.takeNow({ ...anyone, bytes: MiB });
  const refused = await post(COMPLETIONS, wide);
  expect([refused.statusCode, refused.json().code, refused.headers["retry-after"]]).toEqual([503, "gateway_busy", "2"]);
  expect(jobs).toEqual([]);
  expect((await metrics.refused.get()).values).toMatchObject([{ labels: { reason: "gateway_busy" }, value: 1 }]);
  expect((await post(COMPLETIONS, { ...wide, stream: true })).statusCode).toBe(200);
});

it("an answer for which there can't be room is refused at once", async () => {
  const { post } = fakeGateway(undefined, "ready", { answersBytes: MiB });
  const prompt = Array.from({ length: 8 }, () => "a");
  const refused = await post(COMPLETIONS, { ...wide, prompt });
  expect([refused.statusCode, refused.json().code]).toEqual([400, "invalid_value"]);
  expect(refused.json().error.message).toMatch(/1536000 bytes.*--answers-bytes/);
});

it.each(["failed", "limited"])("a request that is %s gives back its room", async (how) => {
  const script = () => {
    throw new Error("broken");
  };
  const limits = how === "limited" ? { requests: null, tokens: 1 } : { requests: null, tokens: null };
  const { post, metrics } = fakeGateway(script, "ready", { answersBytes: MiB, defaultLimits: limits });
  expect((await post(COMPLETIONS, wide)).statusCode).toBeGreaterThanOrEqual(400);
  await expect.poll(async () => (await metrics.answersHeld.get()).values[0]?.value).toBe(0);
});
