import { expect, it } from "vitest";
import { checkLines, endpointIn } from "./check-lines.ts";

const line = (changes: object = {}) =>
  JSON.stringify({ custom_id: "a", method: "POST", url: "/v1/completions", body: { prompt: "x" }, ...changes });

it("finds nothing wrong with lines that are right, blank ones between them", () => {
  const text = `${line()}\n\n${line({ custom_id: "b" })}\n`;
  expect(checkLines(text)).toEqual({ lines: 2, endpoint: "/v1/completions", problems: [] });
});

it.each([
  ["{", /^This is no JSON: /],
  ["[1]", /no JSON object/],
  [line({ custom_id: 1 }), /no "custom_id"/],
  [line({ custom_id: "c", body: undefined }), /no "body"/],
  [line({ custom_id: "c", url: undefined }), /no "url"/],
  [line({ custom_id: "c", url: "/v1/messages" }), /do not call \/v1\/messages/],
  [line(), /earlier line has the custom_id a/],
  [line({ custom_id: "c", url: "/v1/embeddings" }), /a batch has one endpoint/],
])("says what is wrong with %s, and with which line", (bad, message) => {
  const { problems } = checkLines(`${line()}\n${bad}\n${line({ custom_id: "z" })}`);
  expect(problems).toEqual([{ line: 2, message: expect.stringMatching(message) }]);
});

it("tells of the first hundred problems, and counts all lines", () => {
  const { lines, problems } = checkLines("x\n".repeat(5000));
  expect([lines, problems.length, problems.at(-1)?.line]).toEqual([5000, 100, 100]);
});

it("finds the endpoint of a file that is too large to be looked through", async () => {
  const large = new Blob(Array.from({ length: 20_000 }, (_, id) => `${line({ custom_id: `${id}` })}\n`));
  expect(large.size).toBeGreaterThan(1.5e6);
  expect(await endpointIn(large)).toBe("/v1/completions");
  expect(await endpointIn(new Blob(["no line"]))).toBe("");
});

it("wants a line", () => {
  expect(checkLines("\n \n").problems).toEqual([{ line: null, message: "The file has no lines." }]);
});
