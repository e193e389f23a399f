import { expect, test } from "vitest";
import type { TextLine } from "../files/read-lines.js";
import { validateInput } from "./batch-input.js";

const RULES = {
  format: "openai",
  endpoint: "/v1/completions",
  model: null,
  mostLines: 4,
  isServed: (model: string) => model !== "other",
} as const;

async function* input(...bodies: readonly [id: string, body: object][]): AsyncGenerator<TextLine> {
  for (const [index, [custom_id, body]] of bodies.entries()) {
    const line = { custom_id, method: "POST", url: RULES.endpoint, body };
    yield { number: index + 1, text: JSON.stringify(line) };
  }
}

test("counts the lines and finds the model that they ask for", async () => {
  const check = await validateInput(input(["a", {}], ["b", { model: "tiny" }], ["c", { model: "tiny" }]), RULES);
  expect(check).toEqual({ problems: [], total: 3, model: "tiny" });
});

test.each([
  [
    "a custom_id twice",
    [
      ["a", {}],
      ["a", {}],
    ],
    ["duplicate_custom_id"],
  ],
  [
    "two models",
    [
      ["a", { model: "x" }],
      ["b", { model: "y" }],
      ["c", { model: "x" }],
    ],
    ["mismatched_model"],
  ],
  ["a model that is not served", [["a", { model: "other" }]], ["model_not_found"]],
  ["no lines", [], ["empty_file"]],
  ["too many lines", ["a", "b", "c", "d", "e"].map((id) => [id, {}]), ["too_many_lines"]],
] as [string, [string, object][], string[]][])("%s: refused", async (_, lines, codes) => {
  const { problems } = await validateInput(input(...lines), RULES);
  expect(problems.map(({ code }) => code)).toEqual(codes);
});

test.each([{}, { model: "tiny" }])("a long model's name is not repeated, after %j", async (first) => {
  const isServed = (model: string) => model === "tiny";
  const long = { model: "m".repeat(1_000_000) };
  const { problems } = await validateInput(input(["a", first], ["b", long], ["c", long]), { ...RULES, isServed });
  expect(problems).toHaveLength(2);
  for (const { message } of problems) expect(message.length).toBeLessThan(200);
});
