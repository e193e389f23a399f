import { json } from "node:stream/consumers";
import { expect, it } from "vitest";
import { senderTo } from "../testing/sender-to.js";
import { ANSWER_ATTACKS } from "./answer-attacks.js";

it.each([
  ["logprobs-whole", undefined],
  ["logprobs-unread", true],
])("%s asks for all that the context holds, 60 times at once", async (name, stream) => {
  const bodies: unknown[] = [];
  const sender = await senderTo(async (request, response) => {
    bodies.push(await json(request));
    response.end("x");
  });
  const attack = ANSWER_ATTACKS.find((each) => each.name === name);
  void attack?.send(sender, { name: "breeze", vocabSize: 1024, contextLength: 2048 });
  await expect.poll(() => bodies.length).toBe(60);
  for (const body of bodies) {
    expect(body).toMatchObject({ max_tokens: 1984, top_logprobs: 20, ignore_eos: true });
    expect((body as { stream?: boolean }).stream).toBe(stream);
  }
});
