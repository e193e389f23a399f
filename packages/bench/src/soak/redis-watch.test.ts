import { expect, test } from "vitest";
import { groupOf, groupsOf } from "./redis-watch.js";

test.each([
  ["{rhone}:log:cmpl-1-0", "log"],
  ["{rhone}:generate-batch/breeze:events", "generate-batch"],
  ["{rhone}:prefixes/breeze@66748864", "prefixes"],
  ["{rhone}:coordinators", "coordinators"],
  ["{rhone}:kept:responses:of:", "response"],
  ["{rhone}:kept:idempotent:bytes", "idempotent"],
])("%s is one of %s", (name, group) => expect(groupOf(name)).toBe(group));

test("keys of a group are counted, with their bytes and the longest time to live", () => {
  const log = (bytes: number, ttlMs: number) => ({ name: `{rhone}:log:${bytes}`, bytes, ttlMs });
  expect(groupsOf([log(100, 599_100), log(50, 3000), log(7, -1)])).toEqual({
    log: { keys: 3, bytes: 157, lasting: 1, longestTtlS: 600 },
  });
});
