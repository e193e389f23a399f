import { expect, it } from "vitest";
import { parseSimulation } from "./simulation.js";

it.each([
  ["null", { stageMs: 0, rowUs: 0, rowBytes: null }],
  ["stage-ms=5", { stageMs: 5, rowUs: 0, rowBytes: null }],
  ["row-bytes=0", { stageMs: 0, rowUs: 0, rowBytes: 0 }],
  ["stage-ms=1,row-us=200,row-bytes=8192", { stageMs: 1, rowUs: 200, rowBytes: 8192 }],
  ["", null],
  ["true", null],
  ["null,stage-ms=5", null],
  ["stage-ms=-1", null],
  ["stage-ms=0.5", null],
])("reads %j", (text, expected) => {
  expect(parseSimulation(text)).toEqual(expected);
});
