import { expect, it } from "vitest";
import { event, finish } from "../testing/events.js";
import { fakeModel } from "../testing/fake-model.js";
import { type AnswerShape, type ChoicePart, ChoiceReader, textOfParts } from "./choice-reader.js";

const shape: AnswerShape = {
  stripsSpace: false,
  opening: "",
  calls: { marker: null, forced: false, names: ["f"], parallel: true },
};

/** The parts of these texts, by event. */
function read(texts: readonly string[], changes: Partial<AnswerShape> = {}, choice = 0) {
  const reader = new ChoiceReader({ id: "chatcmpl-1", choice }, { ...shape, ...changes }, fakeModel());
  const events = texts.map((text) => event({ text }));
  return { reader, parts: [...events, finish()].map((each) => reader.take(each)) };
}

const text = (value: string): ChoicePart => ({ kind: "text", text: value });

it("tells calls from text, in their order, and numbers the calls in their ids", () => {
  const { reader, parts } = read(['[{"name": "f", "arguments": {"a"', ': 1}}, {"name": "f", "arguments": {}}]', " b"]);
  const call = (json: string) => ({ kind: "call", call: { id: expect.any(String), name: "f", arguments: json } });
  expect(parts).toEqual([[], [call('{"a": 1}'), call("{}")], [text(" b")], []]);
  expect(reader.calls).toBe(2);
  const ids = (which: typeof parts) => which.flat().flatMap((part) => (part.kind === "call" ? [part.call.id] : []));
  const again = read(['[{"name": "f", "arguments": {}}, {"name": "f", "arguments": {}}]']).parts;
  const ofOther = read(['{"name": "f", "arguments": {}}'], {}, 1).parts;
  expect(ids(again)).toEqual(ids(parts));
  expect(new Set([...ids(parts), ...ids(ofOther)]).size).toBe(3);
});

it.each<[string, readonly string[], Partial<AnswerShape>, readonly (readonly ChoicePart[])[]]>([
  ["an opening before the first text", ["a"], { opening: "O", calls: null }, [[text("O"), text("a")], []]],
  ["an opening of an empty answer", [], { opening: "O" }, [[text("O")]]],
  ["no tokenizer's space", ["", " a", " b"], { stripsSpace: true, calls: null }, [[], [text("a")], [text(" b")], []]],
  ["what may be a call, at the end", ['{"name'], {}, [[], [text('{"name')]]],
])("has %s", (_, texts, changes, parts) => {
  expect(read(texts, changes).parts).toEqual(parts);
});

it("joins the text of its parts", () => {
  expect(textOfParts(read(["a", "b"], { opening: "O", calls: null }).parts.flat())).toBe("Oab");
});
