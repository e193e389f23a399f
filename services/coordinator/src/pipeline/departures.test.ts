import { createLogger, RhoneError } from "@rhone/common";
import { describe, expect, it, vi } from "vitest";
import { fakeMember } from "../testing/fake-member.js";
import { Departures, type DeparturesOptions } from "./departures.js";

const logger = createLogger({ service: "test", level: "silent" });
const refusal = new RhoneError("NO_PIPELINE", "The pipeline needs 2 workers.");

/** A worker whose layers others hold. `next`: makes the plan without it. */
function setUp({ next = vi.fn(), replace = vi.fn() }: { next?: () => void; replace?: () => Promise<void> } = {}) {
  const { member, sent } = fakeMember({ worker: "a" });
  const epoch = { includes: () => true };
  const pipeline = { epoch, giveUp: vi.fn(), mayPlan: vi.fn(), tell: vi.fn() };
  const [changes, handover, loads] = [{ replace }, { next }, { release: vi.fn() }];
  const registry = { get: () => member };
  const options = { pipeline, changes, handover, registry, loads, logger } as unknown as DeparturesOptions;
  return { departures: new Departures(options), member, sent, pipeline, epoch };
}

describe("a drain", () => {
  it("ends the epoch once others hold the layers", async () => {
    const { departures, member, sent, pipeline, epoch } = setUp();
    await departures.drain(member);
    expect([member.drain, pipeline.giveUp.mock.calls[0]?.[0]]).toEqual(["drained", epoch]);
    await expect.poll(() => sent).toEqual([{ drain: {} }]);
  });

  it("of a worker that is drained changes nothing, and two at a time are one", async () => {
    const replace = vi.fn(() => Promise.resolve());
    const { departures, member, pipeline } = setUp({ replace });
    await Promise.all([departures.drain(member), departures.drain(member)]);
    await departures.drain(member);
    expect([replace.mock.calls.length, pipeline.giveUp.mock.calls.length, member.drain]).toEqual([1, 1, "drained"]);
  });

  it("of a worker that leaves is refused", async () => {
    const { departures, member } = setUp();
    member.isLeaving = true;
    const message = "Worker a is leaving already.";
    await expect(departures.drain(member)).rejects.toMatchObject({ code: "INVALID_CONFIG", message });
  });

  it("that fails while the layers are loaded lets the epoch go on", async () => {
    const { departures, member, pipeline } = setUp({ replace: () => Promise.reject(refusal) });
    await expect(departures.drain(member)).rejects.toBe(refusal);
    expect([member.drain, pipeline.giveUp.mock.calls]).toEqual([null, []]);
  });

  it("that fails behind that begins another epoch: this one takes no steps any more", async () => {
    const next = (): void => {
      throw refusal;
    };
    const { departures, member, pipeline, epoch } = setUp({ next });
    await expect(departures.drain(member)).rejects.toBe(refusal);
    expect([member.drain, pipeline.giveUp.mock.calls[0]?.[0]]).toEqual([null, epoch]);
  });
});
