import { beforeEach, expect, it } from "vitest";
import { OpenLogs } from "./open-logs.js";

let logs: OpenLogs;
const wrote = (requestId: string, bytes: number, keyId = ""): void =>
  logs.wrote({ requestId, replyTo: "g", keyId, model: "m", lane: "interactive" }, bytes);

beforeEach(() => {
  logs = new OpenLogs(100);
});

it("end none within the bound", () => {
  for (const requestId of "ab") wrote(requestId, 50);
  expect(logs.takeExcess()).toEqual([]);
});

it("end the longest above the bound, once, as many as it takes", () => {
  wrote("short", 10);
  for (const requestId of ["a", "b", "a"]) wrote(requestId, 60);
  expect(logs.takeExcess()).toEqual(["a"]);
  wrote("b", 40);
  expect(logs.takeExcess()).toEqual(["b"]);
  expect(logs.takeExcess()).toEqual([]);
});

it("end one of the key that has the most, though another's is longer", () => {
  wrote("long", 40, "light");
  for (const requestId of "abc") wrote(requestId, requestId === "b" ? 25 : 20, "heavy");
  expect(logs.takeExcess()).toEqual(["b"]);
});

it("do not count what has finished, nor what was told to end; both have their bytes", () => {
  wrote("a", 90);
  wrote("b", 60);
  expect(logs.takeExcess()).toEqual(["a"]);
  wrote("a", 5);
  expect(logs.takeExcess()).toEqual([]);
  expect([logs.close("a"), logs.close("b"), logs.close("b"), logs.close("unknown")]).toEqual([95, 60, 0, 0]);
  wrote("c", 100);
  expect(logs.takeExcess()).toEqual([]);
});
