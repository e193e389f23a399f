import { StringDecoder } from "node:string_decoder";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { readLines, type TextLine } from "./read-lines.js";

async function* inPieces(text: string, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function linesOf(text: string, size: number, most = 100): Promise<TextLine[]> {
  const lines: TextLine[] = [];
  for await (const line of readLines(inPieces(text, size), most)) lines.push(line);
  return lines;
}

test.each([1, 2, 3, 1000])("finds lines in pieces of %d bytes, and passes blank ones over", async (size) => {
  expect(await linesOf("\ufeffone\r\n\n  \nzwö\n\nlast", size)).toEqual([
    { number: 1, text: "one" },
    { number: 4, text: "zwö" },
    { number: 6, text: "last" },
  ]);
});

test.each([1, 4, 1000])("a line beyond the limit is none, those after it are", async (size) => {
  expect(await linesOf("12345\n123456\n12345\n123456", size, 5)).toEqual([
    { number: 1, text: "12345" },
    { number: 2, text: null },
    { number: 3, text: "12345" },
    { number: 4, text: null },
  ]);
});

test.each([1, 2, 1000])("a line that is not UTF-8 is none, those after it are, in pieces of %d bytes", async (size) => {
  const bytes = Buffer.from("é\n\xe9\n\xe9\xe9\n\xff1234\né", "latin1");
  const good = Buffer.from("é");
  const whole = Buffer.concat([good, bytes.subarray(1, -1), good]);
  async function* pieces() {
    for (let at = 0; at < whole.length; at += size) yield whole.subarray(at, at + size);
  }
  const lines: TextLine[] = [];
  for await (const line of readLines(pieces(), 4)) lines.push(line);
  expect(lines).toEqual([
    { number: 1, text: "é" },
    { number: 2, text: null, isUtf8: false },
    { number: 3, text: null, isUtf8: false },
    { number: 4, text: null },
    { number: 5, text: "é" },
  ]);
});

test("agrees with a split of the whole text", async () => {
  const text = fc.array(fc.constantFrom("a", "é", "\n", " ", "\r\n")).map((parts) => parts.join(""));
  await fc.assert(
    fc.asyncProperty(text, fc.integer({ min: 1, max: 5 }), async (whole, size) => {
      const expected = whole.split("\n").map((line, index) => ({ number: index + 1, text: line.trim() }));
      expect(await linesOf(whole, size)).toEqual(expected.filter((line) => line.text !== ""));
    }),
  );
});

test("the event loop turns while a piece of 200,000 lines is used", async () => {
  let turns = 0;
  const counting = setInterval(() => turns++, 0);
  let used = 0;
  for await (const { number } of readLines(inPieces("x\n".repeat(200_000), 1e6), 100)) used = number;
  clearInterval(counting);
  expect(used).toBe(200_000);
  expect(turns).toBeGreaterThan(2);
});

test("a long line becomes text piece by piece, cut within characters or not", async () => {
  const text = "aé日😀".repeat(2000);
  const asText = vi.spyOn(Buffer.prototype, "toString");
  const write = vi.spyOn(StringDecoder.prototype, "write");
  const lines = await linesOf(text, 1001, 100_000);
  const decoded = [...asText.mock.contexts, ...write.mock.calls.map(([bytes]) => bytes)] as readonly Buffer[];
  vi.restoreAllMocks();
  expect(lines).toEqual([{ number: 1, text }]);
  expect(Math.max(...decoded.map(({ length }) => length))).toBe(1001);
});
