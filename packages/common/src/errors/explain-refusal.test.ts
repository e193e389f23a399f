import { expect, it } from "vitest";
import { z } from "zod";
import { explainRefusal } from "./explain-refusal.js";

const part = z.object({ type: z.literal("text"), text: z.string() });
const schema = z.object({
  name: z.string().min(1).max(5).optional(),
  count: z.number().int().min(0).max(9).optional(),
  share: z.number().gt(0).lt(1).optional(),
  on: z.boolean().optional(),
  order: z.enum(["asc", "desc"]).optional(),
  kind: z.literal("function").optional(),
  list: z.array(z.number()).min(1).max(2).optional(),
  stop: z.union([z.string().min(1), z.array(z.string().min(1))]).optional(),
  parts: z.union([z.string(), z.array(part)]).optional(),
  format: z.discriminatedUnion("type", [part, z.object({ type: z.literal("json") })]).optional(),
  either: z.union([z.boolean(), z.record(z.string(), z.unknown())], "must be a JSON schema").optional(),
  ids: z.custom(Array.isArray, "must be a list of token ids").optional(),
  window: z
    .string()
    .regex(/^\d+h$/, "must be a number of hours")
    .optional(),
  labels: z.record(z.string().max(3), z.string()).optional(),
  limit: z.coerce.number().optional(),
  after: z.coerce.date().optional(),
  parity: z
    .number()
    .refine((n) => n % 2 === 0)
    .optional(),
});

it.each<[unknown, string, string]>([
  ["a", "", "The body is a text; it must be an object"],
  [[], "", "The body is a list; it must be an object"],
  [null, "", "The body is null; it must be an object"],
  [{ name: 5 }, "name", "name is 5; it must be a text"],
  [{ name: "" }, "name", "name is empty; it must have at least 1 character"],
  [{ name: "abcdef" }, "name", "name has 6 characters; it must have at most 5"],
  [{ count: "3" }, "count", "count is a text; it must be a number"],
  [{ count: 0.5 }, "count", "count is 0.5; it must be a whole number"],
  [{ count: 10 }, "count", "count is 10; it must be at most 9"],
  [{ count: -1 }, "count", "count is -1; it must be at least 0"],
  [{ count: null }, "count", "count is null; it must be a number"],
  [{ share: 0 }, "share", "share is 0; it must be more than 0"],
  [{ share: 1 }, "share", "share is 1; it must be less than 1"],
  [{ on: "yes" }, "on", "on is a text; it must be true or false"],
  [{ order: "up" }, "order", 'order is "up"; it must be one of asc, desc'],
  [{ order: 1 }, "order", "order is 1; it must be one of asc, desc"],
  [{ kind: "f" }, "kind", 'kind is "f"; it must be "function"'],
  [{ list: {} }, "list", "list is an object; it must be a list"],
  [{ list: [] }, "list", "list is empty; it must have at least 1 item"],
  [{ list: [1, 2, 3] }, "list", "list has 3 items; it must have at most 2"],
  [{ list: [1, true] }, "list.1", "list.1 is true; it must be a number"],
  [{ stop: 5 }, "stop", "stop is 5; it must be a text or a list"],
  [{ stop: ["a", 5] }, "stop.1", "stop.1 is 5; it must be a text"],
  [{ stop: [""] }, "stop.0", "stop.0 is empty; it must have at least 1 character"],
  [{ parts: [{ type: "text" }] }, "parts.0.text", "parts.0.text is missing"],
  [{ parts: [{ type: "image" }] }, "parts.0.type", 'parts.0.type is "image"; it must be "text"'],
  [{ format: {} }, "format.type", "format.type is missing"],
  [{ format: { type: "xml" } }, "format.type", 'format.type is "xml"; it must be one of text, json'],
  [{ format: { type: "text", text: 1 } }, "format.text", "format.text is 1; it must be a text"],
  [{ either: 5 }, "either", "either is 5; it must be a JSON schema"],
  [{ either: "5" }, "either", "either must be a JSON schema"],
  [{ ids: 5 }, "ids", "ids is 5; it must be a list of token ids"],
  [{ window: "3d" }, "window", "window must be a number of hours"],
  [{ window: 3 }, "window", "window is 3; it must be a text"],
  [{ labels: { abcd: "" } }, "labels.abcd", "the key labels.abcd has 4 characters; it must have at most 3"],
  [{ labels: { a: [] } }, "labels.a", "labels.a is a list; it must be a text"],
  [{ limit: "x" }, "limit", "limit must be a number"],
  [{ after: "x" }, "after", "after must be a date"],
  [{ parity: 3 }, "parity", "parity has a value that it can't have"],
])("%j: names the value, its kind and what it must be", (value, path, problem) => {
  const { error } = schema.safeParse(value, { reportInput: true });
  if (error === undefined) throw new Error("nothing is refused");
  expect(explainRefusal(error, "The body")).toEqual({ path, problem });
});

it("repeats the beginning of a long key or choice", () => {
  const { error } = schema.safeParse({ labels: { ["k".repeat(500)]: "" } }, { reportInput: true });
  const key = `labels.${"k".repeat(100)}…`;
  expect(error && explainRefusal(error, "").path).toBe(key);
  const choice = schema.safeParse({ order: "u".repeat(500) }, { reportInput: true });
  expect(choice.error && explainRefusal(choice.error, "").problem).toBe(
    `order is "${"u".repeat(100)}…"; it must be one of asc, desc`,
  );
});
