import { describe, expect, it } from "vitest";
import { z } from "zod";
import { generationFields, generationSchema, optional, parseRequest } from "./request-fields.js";

const schema = z.object({
  ...generationFields,
  prompt: z.string(),
  tools: optional(z.array(z.unknown())),
  order: optional(z.enum(["asc", "desc"])),
  limit: optional(z.coerce.number()),
});
const read = (body: unknown) => parseRequest(schema, body);

describe("parseRequest", () => {
  it("takes null for absent, and ignores unknown fields", () => {
    const fields = read({ prompt: "a", temperature: null, user: "me", store: true });
    expect([fields.temperature, fields.prompt]).toEqual([undefined, "a"]);
    expect(fields).not.toHaveProperty("user");
  });

  it.each<[unknown, string | undefined, RegExp]>([
    [undefined, "prompt", /^prompt is missing\.$/],
    [null, "prompt", /^prompt is missing\.$/],
    ["a", undefined, /^The body is a text; it must be an object\.$/],
    [{ prompt: 5 }, "prompt", /^prompt is 5; it must be a text\.$/],
    [{ prompt: "a", top_p: -0.1 }, "top_p", /^top_p is -0\.1; it must be at least 0\.$/],
    [{ prompt: "a", top_p: 2, temperature: 9 }, "temperature", /^temperature is 9; it must be at most 2\.$/],
    [{ prompt: "a", max_tokens: -1 }, "max_tokens", /^max_tokens is -1; it must be 1 or more; leave it out for /],
    [{ prompt: "a", max_tokens: -2 }, "max_tokens", /^max_tokens is -2; it must be at least 0\.$/],
    [{ prompt: "a", seed: "5" }, "seed", /^seed must be a whole number from /],
    [{ prompt: "a", random_seed: 1e300 }, "random_seed", /^random_seed is 1e\+300; it must be a whole number/],
    [{ prompt: "a", top_k: -2 }, "top_k", /^top_k is -2; it must be at least -1\.$/],
    [{ prompt: "a", stop: ["", "b"] }, "stop.0", /^stop\.0 is empty; it must have at least 1 character\.$/],
    [{ prompt: "a", logit_bias: { x: 1 } }, "logit_bias.x", /^logit_bias\.x must have a token id as its key\.$/],
    [
      { prompt: "a", logit_bias: { "5": 101 } },
      "logit_bias.5",
      /^logit_bias\.5 is 101; it must be a number from -100 to 100\.$/,
    ],
    [
      { prompt: "a", stream_options: { include_usage: 1 } },
      "stream_options.include_usage",
      / is 1; it must be true or false\.$/,
    ],
    [{ prompt: "a", logit_bias: [1] }, "logit_bias", /is a list; it must be an object of numbers by token id\.$/],
    [
      { prompt: "a", stop_token_ids: Array(65).fill("x") },
      "stop_token_ids",
      /^stop_token_ids has 65 items; it must have at most 64\.$/,
    ],
    [{ prompt: "a", logit_bias: { [`${"9".repeat(5000)}`]: 1 } }, `logit_bias.${"9".repeat(100)}…`, /^.{120,200}$/],
    [{ prompt: "a", stop: Array(17).fill("a") }, "stop", /^stop has 17 items; it must have at most 16\.$/],
    [{ prompt: "a", stop: 5 }, "stop", /^stop is 5; it must be a text or a list\.$/],
    [{ prompt: "a", n: 17 }, "n", /^n is 17; it must be at most 16\.$/],
    [{ prompt: "a", order: "up" }, "order", /^order is "up"; it must be one of asc, desc\.$/],
    [{ prompt: "a", order: "u".repeat(5000) }, "order", /^order is "u{100}…"; it must be one of/],
    [{ prompt: "a", limit: "abc" }, "limit", /^limit must be a number\.$/],
    [{ prompt: "a", seed: 0.5 }, "seed", /^seed is 0\.5; it must be a whole number from -2\^63 to 2\^63 - 1\.$/],
  ])("%j: names the first bad field, %s", (body, param, message) => {
    expect(() => read(body)).toThrow(
      expect.objectContaining({ code: "INVALID_REQUEST", param, message: expect.stringMatching(message) }),
    );
  });
});

it.each(["seed", "random_seed"])("%s beyond 64 bits is refused, of whichever kind it is", (name) => {
  const must = "it must be a whole number from -2^63 to 2^63 - 1.";
  expect(() => read({ prompt: "a", [name]: 2n ** 63n })).toThrow(`${name} is 9223372036854775808; ${must}`);
  expect(read({ prompt: "a", [name]: -(2n ** 63n) })).toMatchObject({ [name]: -(2n ** 63n) });
});

describe("fields of other servers", () => {
  it.each<[string, unknown]>([
    ["functions", [{}]],
    ["function_call", "f"],
    ["tool_choice", "required"],
    ["use_beam_search", true],
    ["bad_words", ["x"]],
    ["allowed_token_ids", [1]],
    ["chat_template", "{{ messages }}"],
    ["samplers", ["top_k"]],
    ["dry_multiplier", 0.8],
    ["xtc_probability", 0.5],
    ["typical_p", 0.9],
    ["mirostat", 2],
    ["audio", {}],
  ])("%s: %j would change the answer, so it is refused", (name, value) => {
    const refusal = { code: "INVALID_REQUEST", param: name, apiCode: "unsupported_parameter" };
    expect(() => read({ prompt: "a", [name]: value })).toThrow(expect.objectContaining(refusal));
  });

  it.each<[string, unknown]>([
    ["functions", []],
    ["function_call", "none"],
    ["tool_choice", "auto"],
    ["use_beam_search", false],
    ["bad_words", null],
    ["dry_multiplier", 0],
    ["xtc_probability", 0],
    ["typical_p", 1],
    ["mirostat", 0],
  ])("%s: %j changes nothing, so it is ignored", (name, value) => {
    expect(read({ prompt: "a", [name]: value }).prompt).toBe("a");
  });

  it("are read where the endpoint has them", () => expect(read({ prompt: "a", tools: [1] }).tools).toEqual([1]));
});

it("every generation field may be absent", () => expect(() => generationSchema.parse({})).not.toThrow());
