import { expect, it } from "vitest";
import type { TextLine } from "../files/read-lines.js";
import { runLines } from "./run-lines.js";

const MiB = 1024 * 1024;

async function* linesOf(lengths: readonly number[]): AsyncGenerator<TextLine> {
  for (const [index, length] of lengths.entries()) yield { number: index + 1, text: "x".repeat(length) };
}

/** Runs lines of these lengths; returns the most lines, and the most characters of them, that ran at a time. */
async function mostOf(lengths: readonly number[], atOnce: number) {
  let [running, characters, mostRunning, mostCharacters] = [0, 0, 0, 0];
  const ran: number[] = [];
  const run = async ({ number, text }: TextLine): Promise<void> => {
    ran.push(number);
    characters += text?.length ?? 0;
    mostRunning = Math.max(mostRunning, ++running);
    mostCharacters = Math.max(mostCharacters, characters);
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    running--;
    characters -= text?.length ?? 0;
  };
  await runLines({
    lines: linesOf(lengths),
    done: new Set([2]),
    atOnce,
    stop: new AbortController(),
    rests: () => false,
    run,
  });
  return { ran, mostRunning, mostCharacters };
}

it("runs every line that is not done, as many at a time as it may", async () => {
  const { ran, mostRunning } = await mostOf(Array(9).fill(5), 4);
  expect(ran.toSorted((a, b) => a - b)).toEqual([1, 3, 4, 5, 6, 7, 8, 9]);
  expect(mostRunning).toBe(4);
});

it("holds long lines one by one: at most 32 Mi characters, and the line that exceeds them", async () => {
  const { ran, mostRunning, mostCharacters } = await mostOf(Array(12).fill(8 * MiB), 12);
  expect(ran).toHaveLength(11);
  expect(mostRunning).toBe(4);
  expect(mostCharacters).toBe(32 * MiB);
});

it("begins no more lines once it rests, and lets those that run end", async () => {
  const ran: number[] = [];
  await runLines({
    lines: linesOf(Array(9).fill(5)),
    done: new Set(),
    atOnce: 2,
    stop: new AbortController(),
    rests: () => ran.length >= 4,
    run: async ({ number }) => {
      await new Promise((resolve) => setImmediate(resolve));
      ran.push(number);
    },
  });
  expect(ran.length).toBeGreaterThanOrEqual(4);
  expect(ran.length).toBeLessThan(6);
});
