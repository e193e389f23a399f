import type { GenerationEvent } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { event } from "../testing/events.js";
import { replayOrder } from "./replay-order.js";
import { parsePosition } from "./stream-position.js";

const never = new AbortController().signal;

/** Two choices of a stream, and what was read of them and given back. */
function twoChoices(id: string, signal = never, texts: readonly [string, string] = ["ab", "xyz"]) {
  const read: string[] = [];
  const ended: number[] = [];
  async function* play(choice: number): AsyncGenerator<GenerationEvent, void, undefined> {
    try {
      for (const text of texts[choice] ?? "") {
        read.push(text);
        yield event({ text });
      }
    } finally {
      ended.push(choice);
    }
  }
  const choices = replayOrder([play(0), play(1)], parsePosition(id, 2), () => signal);
  return { choices, read, ended };
}

/** The texts in the order in which they come, when all choices are asked for their next event at once. */
async function order(id: string, texts?: readonly [string, string]): Promise<string[]> {
  const { choices } = twoChoices(id, never, texts);
  const seen: string[] = [];
  const readAll = async (events: AsyncIterable<GenerationEvent>) => {
    for await (const { text } of events) seen.push(text);
  };
  await Promise.all(choices.map(readAll));
  return seen;
}

describe("the order of a replay", () => {
  it.each<[string, string, readonly string[], string]>([
    ["nothing but the first", "1.0:0:0", ["a"], "bxyz"],
    ["a and x, a last", "1.1:0:0", ["x", "a"], "byz"],
    ["a and x, x last", "1.1:1:0", ["a", "x"], "byz"],
    ["all of choice 1", "0.3:1:0", ["x", "y", "z"], "ab"],
    ["everything, and the chunks at the end", "2.3:end:0", [], "abxyz"],
  ])("after %s begins with what the client has, the event it had last at the end", async (_, id, first, rest) => {
    const texts = await order(id);
    expect(texts.slice(0, first.length)).toEqual(first);
    expect(texts.slice(first.length).toSorted()).toEqual([...rest]);
  });

  it("reads nothing of a choice while another has events that the client has", async () => {
    const { choices, read } = twoChoices("2.0:0:0");
    const waiting = choices[1]?.next();
    await choices[0]?.next();
    await new Promise(setImmediate);
    expect(read).toEqual(["a"]);
    await choices[0]?.next();
    await choices[0]?.next();
    expect((await waiting)?.value).toMatchObject({ text: "x" });
  });

  it("is refused when a choice ends before the position", async () => {
    const refusal = {
      code: "INVALID_REQUEST",
      message: expect.stringMatching(/counts 9 events of choice 0, .* are 2/),
    };
    await expect(twoChoices("9.0:0:0").choices[0]?.next()).resolves.toMatchObject({ value: { text: "a" } });
    await expect(order("9.0:0:0")).rejects.toMatchObject(refusal);
  });

  it("ends with the signal, also for choices that wait", async () => {
    const leaving = new AbortController();
    const { choices, ended } = twoChoices("2.1:0:0", leaving.signal);
    await choices[1]?.next();
    const waiting = choices[1]?.next();
    leaving.abort(new Error("left"));
    await expect(waiting).rejects.toThrow("left");
    expect(ended).toEqual([1]);
  });
});
