import { describe, expect, it } from "vitest";
import { chooseWorkers } from "./choose-workers.js";

describe("chooseWorkers", () => {
  it.each([
    [["a", "b"], 3, [], null],
    [["a", "b", "c"], 2, [], ["a", "b"]],
    [["c", "b", "d"], 3, ["a", "b", "c"], ["d", "b", "c"]],
    [["d", "c", "a"], 2, ["a", "b"], ["a", "d"]],
  ])("of %j for %i places after %j: %j", (members, places, last, expected) => {
    expect(chooseWorkers(members, places, last)).toEqual(expected);
  });
});
