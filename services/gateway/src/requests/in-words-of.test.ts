import { expect, it } from "vitest";
import { RequestError } from "../request-error.js";
import { inWordsOf, messageNamed, type Renaming, warningsInWordsOf } from "./in-words-of.js";

const NAMES: readonly Renaming[] = [
  [/^tools\.(\d+)\.function\.parameters/, "tools.$1.input_schema"],
  messageNamed((index) => (index === 0 ? "system" : `input.${index - 1}`)),
  [/^messages$/, "input"],
];

const refuse = (param: string) => async () => {
  throw new RequestError("INVALID_REQUEST", `${param} is bad.`, { param });
};

it.each([
  ["tools.12.function.parameters", "tools.12.input_schema"],
  ["messages", "input"],
  ["messages.0", "system"],
  ["messages.3.role", "input.2.role"],
  ["seed", "seed"],
])("a refusal of a chat's %s names %s", async (param, own) => {
  const refusal = { code: "INVALID_REQUEST", message: `${own} is bad.`, param: own };
  await expect(inWordsOf(NAMES, refuse(param))).rejects.toMatchObject(refusal);
});

it("a warning about a chat's field names the API's own", () => {
  const about = (param: string) => ({ param, path: "#/a", reason: "has the keyword if" });
  expect(warningsInWordsOf(NAMES, [about("tools.0.function.parameters"), about("n")])).toEqual([
    about("tools.0.input_schema"),
    about("n"),
  ]);
});
