import type { GenerationEvent } from "@rhone/common";
import { expect, it } from "vitest";
import { mergeEvents } from "./run-request.js";

const event = (requestId: string): GenerationEvent => ({ requestId, ordinal: 0, tokens: [], text: "" });

it("begins no more sources than may run at a time, the next as soon as one ends", async () => {
  let [running, most] = [0, 0];
  const source = async function* (name: string) {
    most = Math.max(most, ++running);
    yield event(name);
    await new Promise(setImmediate);
    running--;
  };
  const names = ["a", "b", "c", "d", "e"];
  const seen: string[] = [];
  for await (const { choice, event } of mergeEvents(names.map(source), 2)) seen.push(`${choice}${event.requestId}`);
  expect(seen.toSorted()).toEqual(["0a", "1b", "2c", "3d", "4e"]);
  expect(most).toBe(2);
});

it("runs all of them together when nothing is said", async () => {
  let release: () => void = () => {};
  const last = new Promise<void>((resolve) => {
    release = resolve;
  });
  const waits = async function* () {
    await last;
    yield event("a");
  };
  const releases = async function* () {
    release();
    yield event("b");
  };
  const seen: number[] = [];
  for await (const { choice } of mergeEvents([waits(), releases()])) seen.push(choice);
  expect(seen.toSorted()).toEqual([0, 1]);
});
