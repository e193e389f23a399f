import { describe, expect, it } from "vitest";
import { OwnerTurns } from "./owner-turns.js";

/** "a1" is a's first batch. */
const waiting = (ids: string) => ids.split(" ").map((id) => ({ id, owner: id.slice(0, 1) }));

describe("turns of owners", () => {
  it.each<[string, string, string]>([
    ["a1 a2 a3 b1", "", "a1 b1 a2 a3"],
    ["a1 a2 a3 b1 b2 c1", "", "a1 b1 c1 a2 b2 a3"],
    ["a1 a2 b1 c1", "a", "b1 c1"],
  ])("of %j, without %j, are %j", (ids, refused, order) => {
    const turns = new OwnerTurns();
    const begun: string[] = [];
    let left = waiting(ids);
    for (let next = turns.next(left, mayRun); next !== undefined; next = turns.next(left, mayRun)) {
      turns.hadTurn(next.owner);
      begun.push(next.id);
      left = left.filter((batch) => batch !== next);
    }
    expect(begun.join(" ")).toBe(order);
    function mayRun(owner: string): boolean {
      return owner !== refused;
    }
  });

  it("are remembered while an owner has nothing to run: a new batch does not pass one that waits longer", () => {
    const turns = new OwnerTurns();
    for (const owner of "ab") turns.hadTurn(owner);
    turns.hadTurn("a");
    expect(turns.next(waiting("a1 b1"), () => true)?.id).toBe("b1");
  });
});
