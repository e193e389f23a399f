import { describe, expect, it, vi } from "vitest";
import { turnsDuring } from "../testing/turns-during.js";
import { type LineFormat, parseBatchLine } from "./batch-line.js";

const OPENAI = { format: "openai", endpoint: "/v1/completions", model: null } as const;
const MISTRAL = { format: "mistral", endpoint: "/v1/completions", model: "tiny" } as const;
const parse = (text: string | null, number: number, format: LineFormat) => parseBatchLine({ text, number }, format);
const line = { custom_id: "a", method: "POST", url: "/v1/completions", body: { prompt: "x" } };

describe("a line of OpenAI's", () => {
  it("is a request with an id", async () => {
    expect(await parse(JSON.stringify(line), 1, OPENAI)).toEqual({ customId: "a", body: { prompt: "x" } });
  });

  it("keeps all digits of its seed", async () => {
    const text = JSON.stringify({ ...line, body: { seed: 5 } }).replace("5}", "-9007199254740993}");
    expect(await parse(text, 1, OPENAI)).toMatchObject({ body: { seed: -9007199254740993n } });
  });

  it("that is not UTF-8 is refused as that", async () => {
    const refused = await parseBatchLine({ number: 3, text: null, isUtf8: false }, OPENAI);
    expect(refused).toMatchObject({
      code: "invalid_json_line",
      line: 3,
      message: expect.stringMatching(/^Line 3 is not UTF-8/),
    });
  });

  const bad: readonly [string, string | null, string][] = [
    ["no JSON", "{", "invalid_json_line"],
    ["a list", "[]", "invalid_json_line"],
    ["too long", null, "line_too_long"],
    ["nested too deep", "[".repeat(1001), "invalid_value"],
    ["of too many parts", `[${"{},".repeat(200_000)}1]`, "invalid_value"],
    ["no custom_id", JSON.stringify({ ...line, custom_id: undefined }), "missing_required_parameter"],
    ["an empty custom_id", JSON.stringify({ ...line, custom_id: "" }), "invalid_value"],
    ["a custom_id that is a number", JSON.stringify({ ...line, custom_id: 7 }), "invalid_value"],
    ["a custom_id of 513 characters", JSON.stringify({ ...line, custom_id: "a".repeat(513) }), "invalid_value"],
    ["another method", JSON.stringify({ ...line, method: "GET" }), "invalid_method"],
    ["another endpoint", JSON.stringify({ ...line, url: "/v1/chat/completions" }), "invalid_url"],
    ["no body", JSON.stringify({ ...line, body: undefined }), "missing_required_parameter"],
    ["a body that is a list", JSON.stringify({ ...line, body: [] }), "missing_required_parameter"],
    ["a stream", JSON.stringify({ ...line, body: { stream: true } }), "invalid_value"],
  ];
  it("with a key that can attack programs is said to have it", async () => {
    const refused = await parse('{"custom_id":"a","__proto__":{}}', 3, OPENAI);
    expect(refused).toMatchObject({ message: expect.stringMatching(/^Line 3 has the key "__proto__"/) });
  });

  it.each(bad)("%s is refused", async (_, text, code) => {
    expect(await parse(text, 3, OPENAI)).toMatchObject({
      code,
      line: 3,
      message: expect.stringMatching(/^Line 3 /),
    });
  });
});

describe("a line of Mistral's", () => {
  it("needs neither method nor url, and takes the job's model", async () => {
    const text = JSON.stringify({ custom_id: "a", body: { prompt: "x" } });
    expect(await parse(text, 1, MISTRAL)).toEqual({ customId: "a", body: { prompt: "x", model: "tiny" } });
  });

  it("without a custom_id is known by its place", async () => {
    expect(await parse('{"body":{}}', 5, MISTRAL)).toMatchObject({ customId: "4" });
  });

  it("for another endpoint is refused", async () => {
    expect(await parse(JSON.stringify({ ...line, url: "/v1/x" }), 1, MISTRAL)).toMatchObject({
      code: "invalid_url",
    });
  });
});

it("of a million token ids lets the event loop turn", async () => {
  const ids = Array.from({ length: 1_000_000 }, (_, id) => id % 32_000);
  const text = JSON.stringify({ ...line, body: { prompt: ids } });
  const { result, turns } = await turnsDuring(() => parse(text, 1, OPENAI));
  expect(result).toEqual({ customId: "a", body: { prompt: ids } });
  expect(turns).toBeGreaterThanOrEqual(2);
});

it("of 7 MB in one string is looked at piece by piece", async () => {
  const prompt = "x".repeat(7_000_000);
  const text = JSON.stringify({ ...line, body: { prompt } });
  const from = vi.spyOn(Buffer, "from");
  const parsed = await parse(text, 1, OPENAI);
  const longest = Math.max(...from.mock.calls.map(([piece]) => (piece as unknown as string).length));
  from.mockRestore();
  expect(parsed).toEqual({ customId: "a", body: { prompt } });
  expect(longest).toBe(256 * 1024);
});
