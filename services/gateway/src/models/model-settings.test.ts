import { loadConfig } from "@rhone/common";
import { expect, it } from "vitest";
import { modelSettings } from "./model-settings.js";

const read = (models?: string) => loadConfig(modelSettings, { RHONE_MODEL_PATH: "/a.gguf", RHONE_MODELS: models }, []);

it("a gateway has one model unless it is told of more", () => expect(read().models).toEqual([]));

it("further models have a path, and what else is theirs", () => {
  const more = [{ path: "/b.gguf" }, { path: "/c.gguf", name: "c", aliases: ["d"], chatTemplate: "chatml" }];
  expect(read(JSON.stringify(more)).models).toEqual([{ path: "/b.gguf", aliases: [] }, more[1]]);
});

it.each([
  ["no JSON", "/b.gguf", /RHONE_MODELS=\/b.gguf is no list of models: the text is no JSON\. Further models/],
  ["no list", "{}", /is no list of models: the list /],
  ["no path", '[{"name":"b"}]', /is no list of models: 0\.path /],
  ["a field that is none", '[{"path":"/b.gguf","alias":"x"}]', /alias/],
  [
    "a template that is none",
    '[{"path":"/b.gguf","chatTemplate":"none such"}]',
    /0\.chatTemplate .*none such|0\.chatTemplate/,
  ],
])("a list with %s is refused by name", (_, models, message) => {
  expect(() => read(models)).toThrow(message);
});
