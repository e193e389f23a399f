import { FINISHED_LOG_TTL_S } from "@rhone/common";
import { beforeEach, expect, it } from "vitest";
import { FinishedLogs } from "./finished-logs.js";

let now = 0;
let logs: FinishedLogs;

const owner = (requestId: string, keyId = "") => ({
  requestId,
  replyTo: "g",
  keyId,
  model: "m",
  lane: "interactive" as const,
});
const finish = (requestId: string, bytes: number, keyId = ""): void => logs.add(owner(requestId, keyId), bytes);
const excess = () => logs.takeExcess().map(({ requestId }) => requestId);

beforeEach(() => {
  now = 0;
  logs = new FinishedLogs(100, () => now);
});

it("drops none within the bound", () => {
  finish("a", 50);
  finish("b", 50);
  now = 70_000;
  expect(excess()).toEqual([]);
});

it("drops the oldest above the bound, once, but none in its first minute", () => {
  for (const requestId of ["a", "b", "c"]) finish(requestId, 40);
  now = 59_999;
  expect(excess()).toEqual([]);
  now = 60_000;
  expect(excess()).toEqual(["a"]);
  expect(excess()).toEqual([]);
});

it("keeps nothing of a job but what dropping its log needs", () => {
  const job = { ...owner("a"), promptIds: [1, 2, 3] };
  logs.add(job, 101);
  now = 60_000;
  expect(logs.takeExcess()).toEqual([{ requestId: "a", keyId: "", lane: "interactive", bytes: 101, endedAt: 0 }]);
});

it("drops those of the key that has the most", () => {
  finish("light", 40, "light");
  for (const requestId of ["a", "b", "c"]) finish(requestId, 30, "heavy");
  now = 60_000;
  expect(excess()).toEqual(["a"]);
});

it("drops nobody's for a key whose own are all in their first minute", () => {
  finish("light", 40, "light");
  now = 60_000;
  finish("a", 90, "heavy");
  expect(excess()).toEqual([]);
});

it("counts no log that has expired by itself", () => {
  finish("a", 90);
  now = FINISHED_LOG_TTL_S * 1000;
  finish("b", 10);
  finish("c", 90);
  now += 60_000;
  expect(excess()).toEqual([]);
});

it("counts a request once whose id had another log that expired", () => {
  finish("a", 60);
  now = FINISHED_LOG_TTL_S * 1000;
  finish("a", 60);
  now += 60_000;
  expect(excess()).toEqual([]);
  finish("b", 50);
  expect(excess()).toEqual(["a"]);
});
