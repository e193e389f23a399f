import { describe, expect, it } from "vitest";
import { formatLogLine, inOrder } from "./log-line.js";
import { styleFor } from "./style.js";

const shape = { width: 8, style: styleFor({}, undefined) };
const logged = (fields: object) =>
  JSON.stringify({ level: "info", time: "2026-11-26T19:36:51.123Z", service: "gateway", pid: 7, ...fields });
const format = (text: string) => formatLogLine({ name: "gateway", text }, shape);

describe("a line of a log", () => {
  it.each([
    ["constant", { msg: "listening" }, "19:36:51.123  gateway   info   listening"],
    [
      "with fields",
      { msg: "asked", path: "/v1/x", ms: 4.5 },
      "19:36:51.123  gateway   info   asked  path=/v1/x  ms=4.5",
    ],
    ["with words", { msg: "lost", why: 'it "hung"' }, '19:36:51.123  gateway   info   lost  why="it \\"hung\\""'],
    [
      "with objects",
      { msg: "plan", stages: [{ first: 0 }] },
      '19:36:51.123  gateway   info   plan  stages=[{"first":0}]',
    ],
  ])("%s", (_, fields, expected) => expect(format(logged(fields))).toBe(expected));

  it("with an error has its message, and its stack below", () => {
    const err = { type: "Error", message: "no room", stack: "Error: no room\n    at x.ts:1" };
    expect(format(logged({ level: "error", msg: "failed", err, code: "X" })).split("\n")).toEqual([
      '19:36:51.123  gateway   error  failed  err="no room"  code=X',
      "    Error: no room",
      "        at x.ts:1",
    ]);
  });

  it("that is no JSON is shown as it is", () => {
    expect(format("Segmentation fault")).toBe("              gateway   Segmentation fault");
    expect(format("[1,2]")).toBe("              gateway   [1,2]");
  });

  it("has colours on a terminal: warnings yellow, errors red", () => {
    const style = styleFor({ isTTY: true }, undefined);
    const coloured = (level: string) =>
      formatLogLine({ name: "a", text: logged({ level, msg: "x" }) }, { width: 1, style });
    expect(coloured("warn")).toContain("\x1b[33mwarn \x1b[39m");
    expect(coloured("error")).toContain("\x1b[31merror\x1b[39m");
  });
});

it("lines of several logs are ordered by time, those without one behind the line before them", () => {
  const at = (name: string, second: number) => ({
    name,
    text: JSON.stringify({ time: `2026-11-26T19:00:0${second}.000Z` }),
  });
  const [a1, a3, b2] = [at("a", 1), at("a", 3), at("b", 2)];
  const crash = { name: "a", text: "core dumped" };
  expect(inOrder([[a1, crash, a3], [b2]])).toEqual([a1, crash, b2, a3]);
});
