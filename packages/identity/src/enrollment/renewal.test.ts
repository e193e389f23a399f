import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { silent } from "../testing/small-cluster.js";
import { isDue, Renewal } from "./renewal.js";

describe("isDue", () => {
  it.each([
    [0, false],
    [299, false],
    [300, true],
    [2000, true],
  ])("of a certificate for the moments 0 to 900, at %d: %s", (now, due) => {
    expect(isDue({ validFromMs: 0, validUntilMs: 900 }, now)).toBe(due);
  });
});

describe("Renewal", () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 0 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("renews when a third of the life is over, tries again after a failure, and then rests", async () => {
    let identity = { validFromMs: 0, validUntilMs: 9000 };
    let failures = 2;
    const renewedAt: number[] = [];
    const renewal = new Renewal({
      read: async () => identity,
      renew: async () => {
        if (failures-- > 0) throw new Error("not reachable");
        renewedAt.push(Date.now());
        identity = { validFromMs: Date.now(), validUntilMs: Date.now() + 9000 };
      },
      logger: silent,
      lookMs: 500,
    });
    await vi.advanceTimersByTimeAsync(6000);
    expect(renewedAt).toEqual([4000]);
    renewal.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(renewedAt).toEqual([4000]);
  });

  it("waits while there is no identity", async () => {
    const renew = vi.fn();
    const renewal = new Renewal({ read: async () => null, renew, logger: silent });
    await renewal.look();
    renewal.close();
    expect(renew).not.toHaveBeenCalled();
  });
});
