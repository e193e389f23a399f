import { RhoneError } from "@rhone/common";
import type { ModelPlan } from "@rhone/planner";
import { describe, expect, it, vi } from "vitest";
import { fakeMember } from "../testing/fake-member.js";
import type { Member } from "../workers/member.js";
import { Planning, type PlanningOptions } from "./planning.js";

/** A plan of one layer for each worker. */
const planOf = (...workers: readonly string[]): ModelPlan => ({
  pages: 1,
  stages: workers.map((worker, stage) => ({
    ...{ worker, stage, first: stage, last: stage + 1, weightBytes: 1, memoryTotal: 1 },
    ...{ embeds: stage === 0, heads: stage === workers.length - 1 },
  })),
});

const member = (worker: string): Member => fakeMember({ worker }).member;

function planningOf(members: Member[], changes: Partial<PlanningOptions> = {}) {
  const closing = new AbortController();
  const onWaiting = vi.fn();
  const planning = new Planning({
    registry: { members },
    plan: (candidates) => (candidates.length < 2 ? null : planOf(...candidates.map(({ worker }) => worker))),
    workersNeeded: 2,
    grow: false,
    spares: { takeOver: () => null },
    ...changes,
  });
  return { planning, closing, onWaiting, next: () => planning.next(closing.signal, onWaiting) };
}

describe("Planning", () => {
  it("waits for workers, and says how many there are", async () => {
    const drained = member("d");
    drained.drain = "drained";
    const members = [member("a"), drained];
    const { planning, onWaiting, next } = planningOf(members);
    const plan = next();
    await vi.waitFor(() => expect(onWaiting).toHaveBeenCalled());
    expect(onWaiting).toHaveBeenCalledExactlyOnceWith("1 of 2 workers have joined; 1 more is drained");
    members.push(member("b"));
    planning.changed();
    expect(await plan).toEqual(planOf("a", "b"));
    expect(planning.nextStages).toBe(2);
  });

  it("ends its wait with the signal's reason, once something has changed", async () => {
    const { planning, closing, next } = planningOf([]);
    const plan = next();
    closing.abort(new RhoneError("SHUTTING_DOWN", "The coordinator is shutting down."));
    planning.changed();
    await expect(plan).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
  });

  it("has survivors take over after a loss, and the plan for all after an epoch that ended in order", async () => {
    const takenOver = planOf("a");
    const { planning, next } = planningOf([member("a"), member("b")], { spares: { takeOver: () => takenOver } });
    expect([await next(), planning.isTakenOver]).toEqual([takenOver, true]);
    planning.changed();
    await planning.afterEnd("EPOCH_CHANGED", { wasReady: true });
    expect([await next(), planning.isTakenOver]).toEqual([planOf("a", "b"), false]);
    planning.changed();
    await planning.afterEnd("WORKER_LOST", { wasReady: true });
    expect(await next()).toBe(takenOver);
    expect(planning.inOrder()).toEqual(planOf("a", "b"));
  });

  it("finds another cut once workers have been timed, or none", async () => {
    const cuts = [planOf("a", "b"), planOf("b", "a"), planOf("b", "a")];
    const lastPlans: unknown[] = [];
    const plan: PlanningOptions["plan"] = (_, lastPlan) => {
      lastPlans.push(lastPlan);
      return cuts.shift() ?? null;
    };
    const { planning, next } = planningOf([member("a"), member("b")], { plan });
    const first = await next();
    planning.loaded(first);
    const better = planning.better(first);
    expect(better).toEqual(planOf("b", "a"));
    expect(planning.better(planOf("b", "a"))).toBeNull();
    expect(lastPlans).toEqual([[], first.stages, first.stages]);
  });

  it("tries again when others may mend it: at once with a spare, else when the membership changes", async () => {
    const [a, b, spare] = [member("a"), member("b"), member("spare")];
    const members = [a, b];
    const { planning, next } = planningOf(members);
    planning.begun(await next());
    const over = vi.fn();
    const ended = planning.afterEnd("NOT_ENOUGH_MEMORY", { wasReady: false }).then(over);
    await new Promise((resolve) => setImmediate(resolve));
    expect(over).not.toHaveBeenCalled();
    members.push(spare);
    planning.changed();
    await ended;
    await next();
    planning.begun(planOf("a", "b"));
    await planning.afterEnd("NOT_ENOUGH_MEMORY", { wasReady: false }); // without a change
  });

  it("tries again without the workers that failed, where a pipeline grows", async () => {
    const members = [member("a"), member("b"), member("c")];
    const { planning, next } = planningOf(members, { grow: true });
    planning.begun(await next());
    for (const each of members.slice(2)) each.loadFailedAt = 1;
    expect(planning.able).toBe(2);
    await planning.afterEnd("OUT_OF_MEMORY", { wasReady: false });
  });
});
