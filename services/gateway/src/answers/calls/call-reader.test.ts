import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CallFormat } from "./call-format.js";
import { CallReader } from "./call-reader.js";

const format: CallFormat = { marker: null, forced: false, names: ["add", "now"], parallel: true };
const MARKER = 5;

interface Read {
  readonly text: string;
  readonly calls: readonly (readonly [name: string, args: string])[];
}

/** What is read of an answer that comes in these pieces, each with a token; the first token is `first`. */
function read(pieces: readonly string[], options: Partial<CallFormat> = {}, first = 100): Read {
  const reader = new CallReader({ ...format, ...options }, "[CALLS]");
  const parts = pieces.flatMap((piece, i) => reader.take([i === 0 ? first : 100], piece));
  const all = [...parts, ...reader.end()];
  return {
    text: all.map((part) => (part.kind === "text" ? part.text : "")).join(""),
    calls: all.flatMap((part) => (part.kind === "call" ? [[part.call.name, part.call.arguments] as const] : [])),
  };
}

/** The text whole, letter by letter, and cut at any places. */
function cuts(text: string): readonly (readonly string[])[] {
  const places = fc.uniqueArray(fc.nat(text.length), { maxLength: 8 });
  const random = fc.sample(places, { numRuns: 30, seed: 1 }).map((some) => {
    const sorted = [0, ...some, text.length].sort((a, b) => a - b);
    return sorted.slice(1).map((place, i) => text.slice(sorted[i], place));
  });
  return [[text], text.split(""), ...random];
}

const ADD = '{"name": "add", "arguments": {"a": 1.0, "b": "}]\\" {", "c": 12345678901234567890}}';
const ADD_READ = ["add", '{"a": 1.0, "b": "}]\\" {", "c": 12345678901234567890}'] as const;
const NOW = '{"arguments":{},"name":"now","id":"abcdefghi"}';
const NOW_READ = ["now", "{}"] as const;

describe.each<[string, string, Read]>([
  ["one call", ADD, { text: "", calls: [ADD_READ] }],
  ["a call with space around it", ` \n${NOW}\n`, { text: "", calls: [NOW_READ] }],
  ["a list of calls", `[${ADD}, ${NOW}]`, { text: "", calls: [ADD_READ, NOW_READ] }],
  ["a list of one", ` [ ${NOW} ] `, { text: "", calls: [NOW_READ] }],
  ["words", "It is {warm}.", { text: "It is {warm}.", calls: [] }],
  ["words behind a call", `${NOW}\nThat was it.`, { text: "\nThat was it.", calls: [NOW_READ] }],
  ["words before a call", `Let me see: ${NOW}`, { text: `Let me see: ${NOW}`, calls: [] }],
  ["a list that is cut", `[${NOW}, {"name": "ad`, { text: ', {"name": "ad', calls: [NOW_READ] }],
  ["a call that is cut", ' {"name": "add", "argu', { text: ' {"name": "add", "argu', calls: [] }],
  [
    "a call of an unknown function",
    '{"name": "sub", "arguments": {}}',
    { text: '{"name": "sub", "arguments": {}}', calls: [] },
  ],
  [
    "arguments that are no object",
    '{"name": "add", "arguments": "1"}',
    { text: '{"name": "add", "arguments": "1"}', calls: [] },
  ],
  ["a call without arguments", '{"name": "add"}', { text: '{"name": "add"}', calls: [] }],
  ["broken JSON", '{"name": add, "arguments": {}}', { text: '{"name": add, "arguments": {}}', calls: [] }],
  ["another object", '{"answer": {"name": "add"}}', { text: '{"answer": {"name": "add"}}', calls: [] }],
  ["another list", "[1, 2]", { text: "[1, 2]", calls: [] }],
  ["an empty list", "[]", { text: "[]", calls: [] }],
  ["a list with something else in it", `[${NOW}, 3]`, { text: ", 3]", calls: [NOW_READ] }],
  ["space", "  ", { text: "  ", calls: [] }],
])("%s", (_, answer, expected) => {
  test("is read the same however it is cut", () => {
    for (const pieces of cuts(answer)) expect(read(pieces), JSON.stringify(pieces)).toEqual(expected);
  });
});

test("an answer is text unless it begins with the marker, where there is one", () => {
  for (const pieces of cuts(`[${NOW}]`)) {
    expect(read(pieces, { marker: MARKER }, MARKER)).toEqual({ text: "", calls: [NOW_READ] });
    expect(read(pieces, { marker: MARKER, forced: true })).toEqual({ text: "", calls: [NOW_READ] });
    expect(read(pieces, { marker: MARKER })).toEqual({ text: `[${NOW}]`, calls: [] });
  }
});

test("a marker that is shown is no part of the text", () => {
  expect(read(["[CALLS]", ` [${NOW}]`], { marker: MARKER }, MARKER)).toEqual({ text: "", calls: [NOW_READ] });
  expect(read(["[CALLS]", " [{"], { marker: MARKER }, MARKER)).toEqual({ text: " [{", calls: [] });
});

test("what follows the one call that is allowed is text", () => {
  expect(read([`[${NOW}, ${NOW}]`], { parallel: false })).toEqual({ text: `, ${NOW}]`, calls: [NOW_READ] });
});

test("an answer is held back only as long as it may be a call", () => {
  const held = (text: string) => {
    const reader = new CallReader(format);
    reader.take([1], text);
    return reader.isUndecided;
  };
  for (const text of ["", " ", "[", '[ {"', '{"na', '{"name', '{"name": "now"']) expect(held(text), text).toBe(true);
  for (const text of ["W", "[1", '{"nu', '{"names"', "{}", '{"a"']) expect(held(text), text).toBe(false);
});

test("a call is given out before the list ends", () => {
  const reader = new CallReader(format);
  expect(reader.take([1], `[${NOW}`)).toHaveLength(1);
});
