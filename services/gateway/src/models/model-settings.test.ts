import { loadConfig } from "@rhone/common";
import { expect, it } from "vitest";
import { modelSettings } from "./model-settings.js";

const read = (models?: string) => loadConfig(modelSettings, { RHONE_MODEL_PATH: "/a.gguf", RHONE_MODELS: models }, []);

it("a gateway has one model unless it is told of more", () => expect(read().models).toEqual([]));

it("further models have a path or a machine to ask, and what else is theirs", () => {
  const more = [
    { path: "/b.gguf" },
    { from: "10.0.0.1:7110" },
    { path: "/c.gguf", name: "c", aliases: ["d"], chatTemplate: "chatml" },
  ];
  expect(read(JSON.stringify(more)).models).toEqual([
    { path: "/b.gguf", aliases: [] },
    { from: "10.0.0.1:7110", aliases: [] },
    more[2],
  ]);
});

it.each([
  ["no JSON", "/b.gguf", /RHONE_MODELS=\/b.gguf is no list of models: the text is no JSON\. Further models/],
  ["no list", "{}", /is no list of models: the list /],
  ["no path", '[{"name":"b"}]', /is no list of models: 0 must have a path or from/],
  ["a place that is none", '[{"from":"b"}]', /is no list of models: 0\.from must be host:port/],
  ["a field that is none", '[{"path":"/b.gguf","alias":"x"}]', /alias/],
  [
    "a template that is none",
    '[{"path":"/b.gguf","chatTemplate":"none such"}]',
    /0\.chatTemplate .*none such|0\.chatTemplate/,
  ],
])("a list with %s is refused by name", (_, models, message) => {
  expect(() => read(models)).toThrow(message);
});
