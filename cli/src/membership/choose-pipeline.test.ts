import { expect, it } from "vitest";
import { choosePipeline, type PipelineWish } from "./choose-pipeline.js";

const places = {
  pipelines: [
    { model: "a", coordinator: "10.0.0.1:7110", workers: 2 },
    { model: "a", coordinator: "10.0.0.1:7111", workers: 1 },
    { model: "b", coordinator: "10.0.0.2:7110", workers: 3 },
  ],
  hasTemplateFile: false,
};
const chosen = (wish: Partial<PipelineWish>) =>
  choosePipeline(places, { door: "10.0.0.1:7100", model: undefined, last: undefined, ...wish }).coordinator;

it.each<[string, Partial<PipelineWish>, string]>([
  ["the one with the fewest workers", {}, "10.0.0.1:7111"],
  ["one of the model that is named", { model: "b" }, "10.0.0.2:7110"],
  ["the one that the machine was in", { last: "10.0.0.1:7110" }, "10.0.0.1:7110"],
  ["another where that one is gone", { last: "10.0.0.9:7110" }, "10.0.0.1:7111"],
  ["one of the model, though it was in another's", { model: "b", last: "10.0.0.1:7110" }, "10.0.0.2:7110"],
])("a machine joins %s", (_, wish, expected) => expect(chosen(wish)).toBe(expected));

it("a model that nobody serves is refused with those that there are", () => {
  const refusal = { code: "MODEL_NOT_FOUND", message: "The cluster at 10.0.0.1:7100 does not serve c; it has a, b." };
  expect(() => chosen({ model: "c" })).toThrow(expect.objectContaining(refusal));
});

it("a cluster without a coordinator is refused", () => {
  const wish = { door: "10.0.0.1:7100", model: undefined, last: undefined };
  const refusal = expect.objectContaining({ code: "NO_PIPELINE" });
  expect(() => choosePipeline({ pipelines: [], hasTemplateFile: false }, wish)).toThrow(refusal);
});
