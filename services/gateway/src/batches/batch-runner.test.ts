import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { ObjectStorage } from "../storage/object-storage.js";
import { status } from "../testing/coordinator-status.js";
import { fakeGateway, type Script } from "../testing/fake-gateway.js";
import { fakeModel } from "../testing/fake-model.js";
import { testBatch } from "../testing/test-batch.js";
import { STORAGES } from "../testing/test-storages.js";
import type { TextModel } from "../text/text-model.js";
import { BatchLease } from "./batch-lease.js";
import { BatchRunner } from "./batch-runner.js";
import { keepRequests } from "./own-batches.js";

/** Redis's lease: one value by key, with the two scripts. */
class FakeLeases {
  owner: string | null = null;
  failure: Error | undefined;

  async set(_key: string, owner: string): Promise<"OK" | null> {
    if (this.owner !== null) return null;
    this.owner = owner;
    return "OK";
  }

  async eval(script: string, _keys: number, _key: string, owner: string): Promise<number> {
    if (this.failure !== undefined) throw this.failure;
    const isRelease = script.includes("'del'");
    if (this.owner !== null && this.owner !== owner) return isRelease ? 1 : 0;
    this.owner = isRelease ? null : owner;
    return 1;
  }
}

type LeaseRedis = Parameters<typeof BatchLease.take>[0];
const take = (leases: FakeLeases, owner: string) =>
  BatchLease.take(leases as unknown as LeaseRedis, { id: "batch_1", owner, leaseMs: 9000 });

describe("a lease", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is one gateway's at a time", async () => {
    const leases = new FakeLeases();
    const first = await take(leases, "a");
    expect(await take(leases, "b")).toBeNull();
    await first?.release();
    expect(await take(leases, "b")).not.toBeNull();
  });

  it("is renewed, and taken again when Redis forgot it", async () => {
    const leases = new FakeLeases();
    const lease = await take(leases, "a");
    leases.owner = null;
    await vi.advanceTimersByTimeAsync(3000);
    expect([leases.owner, lease?.lost.aborted]).toEqual(["a", false]);
  });

  it("is lost when another has it", async () => {
    const leases = new FakeLeases();
    const lease = await take(leases, "a");
    leases.owner = "b";
    await vi.advanceTimersByTimeAsync(3000);
    expect(lease?.lost.reason).toMatchObject({ code: "SHUTTING_DOWN" });
    await lease?.release();
    expect(leases.owner).toBe("b");
  });

  it.each([
    [6000, false],
    [12_000, true],
  ])("without Redis for %d ms is lost: %s", async (ms, isLost) => {
    const leases = new FakeLeases();
    const lease = await take(leases, "a");
    leases.failure = new Error("connection refused");
    await vi.advanceTimersByTimeAsync(ms);
    expect(lease?.lost.aborted).toBe(isLost);
  });
});

interface GatewayOptions {
  readonly storage?: ObjectStorage;
  readonly mostBatches?: number;
  readonly script?: Script;
  readonly models?: readonly TextModel[];
}

describe("the runner", () => {
  /** A gateway with a runner whose leases are the only ones. */
  function gateway({ mostBatches = 2, script, ...others }: GatewayOptions = {}) {
    const fake = fakeGateway(script, undefined, others);
    const taken: string[] = [];
    /** Batches that another gateway runs. */
    const leased = new Set<string>();
    const lease = { lost: new AbortController().signal, release: async () => {} };
    const runner = new BatchRunner({
      uses: fake,
      takeLease: async ({ id }) => {
        taken.push(id);
        return leased.has(id) ? null : lease;
      },
      mostBatches,
      linesInFlight: 2,
      input: { mostLines: 10, mostBytes: 10_000 },
    });
    onTestFinished(async () => {
      await runner.close();
      await fake.app.close();
    });
    return { ...fake, runner, taken, leased };
  }

  async function newBatch({ batches, files, quota }: ReturnType<typeof gateway>, owner = "", model?: string) {
    const requests = [{ custom_id: "a", body: { prompt: "x" } }];
    const input = await keepRequests({ files, quota }, requests, owner);
    const batch = testBatch({ format: "mistral", inputFileIds: [input], owner, model: model ?? null });
    await batches.create(batch);
    return batch.id;
  }

  const statusOf = async ({ batches }: ReturnType<typeof gateway>, id: string) => (await batches.get(id)).status;

  it("gives the place of a batch whose model is lost to others, until the model is back", async () => {
    const other = fakeModel({ name: "other", aliases: [], fingerprint: "other" });
    const fake = gateway({ mostBatches: 1, models: [fakeModel(), other] });
    const [lost, served] = [await newBatch(fake, "", "other"), await newBatch(fake)];
    fake.runner.start();
    await expect.poll(() => statusOf(fake, served), { timeout: 10_000 }).toBe("completed");
    expect(await statusOf(fake, lost)).toBe("in_progress");
    fake.statuses.push(status("c2", { model: { ...status("").model, name: "other", fingerprint: "other" } }));
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 11_000 });
    onTestFinished(() => void vi.useRealTimers());
    await expect.poll(() => statusOf(fake, lost), { timeout: 10_000 }).toBe("completed");
  });

  it("takes a batch that waits, and runs it to its end", async () => {
    const fake = gateway();
    const id = await newBatch(fake);
    fake.runner.start();
    await expect.poll(() => statusOf(fake, id)).toBe("completed");
    expect(fake.taken).toEqual([id]);
  });

  it("leaves a batch that rests alone until it goes on, or its window ends", async () => {
    const fake = gateway();
    const [first, second, other] = [await newBatch(fake), await newBatch(fake), await newBatch(fake)];
    for (const id of [first, second]) await fake.batches.pause(id);
    fake.runner.start();
    await expect.poll(() => statusOf(fake, other)).toBe("completed");
    expect(fake.taken).toEqual([other]);
    await fake.batches.resume(first);
    await expect.poll(() => statusOf(fake, first)).toBe("completed");
    const { expiresAt } = await fake.batches.get(second);
    vi.useFakeTimers({ toFake: ["Date"], now: expiresAt * 1000 });
    onTestFinished(() => void vi.useRealTimers());
    await expect.poll(() => statusOf(fake, second), { timeout: 10_000 }).toBe("expired");
  });

  it("counts the open batches without those that rest: nobody has to run them", async () => {
    const fake = gateway({ mostBatches: 0 });
    const [resting] = [await newBatch(fake), await newBatch(fake)];
    await fake.batches.pause(resting);
    fake.runner.start();
    await expect.poll(async () => (await fake.metrics.batchesOpen.get()).values[0]?.value).toBe(1);
  });

  it("takes a batch that is created here at once", async () => {
    const fake = gateway();
    fake.runner.start();
    const id = await newBatch(fake);
    await expect.poll(() => statusOf(fake, id)).toBe("completed");
  });

  it.each([
    ["a key's batches no more places than they leave free", "key", 2],
    ["batches all places where no keys are required", "", 4],
  ])("gives %s", async (_, owner, places) => {
    // No line is ever answered.
    const script: Script = () => [{ ordinal: 0, tokens: [], text: "" }];
    const fake = gateway({ mostBatches: 4, script });
    const many: string[] = [];
    for (let made = 0; made < 5; made++) many.push(await newBatch(fake, owner));
    fake.runner.start();
    await expect.poll(() => fake.taken).toEqual(many.sort().slice(0, places));
    const other = await newBatch(fake, "other");
    if (owner !== "") await expect.poll(() => fake.taken).toContain(other);
  });

  it("lets keys take turns, however many batches one of them has", async () => {
    const fake = gateway({ mostBatches: 1 });
    const many: string[] = [];
    for (let made = 0; made < 4; made++) many.push(await newBatch(fake, "many"));
    const [first, second, ...others] = [...many].sort();
    const one = await newBatch(fake, "one");
    fake.runner.start();
    await expect.poll(() => fake.taken).toEqual([first, one, second, ...others]);
  });

  it("passes over a batch that another gateway runs, without a turn of its key", async () => {
    const fake = gateway({ mostBatches: 1 });
    const [theirs, ours] = [await newBatch(fake, "a"), await newBatch(fake, "a")].sort();
    const other = await newBatch(fake, "b");
    fake.leased.add(theirs ?? "");
    fake.runner.start();
    await expect.poll(() => fake.taken.slice(0, 3)).toEqual([theirs, ours, other]);
  });

  it("cleans the storage while all its places are taken, and looks for batches meanwhile", async () => {
    const fake = gateway({ mostBatches: 1 });
    const cleaned = vi.spyOn(fake.files, "clean").mockReturnValue(new Promise(() => {}));
    const id = await newBatch(fake);
    fake.runner.start();
    await expect.poll(() => statusOf(fake, id)).toBe("completed");
    expect(cleaned).toHaveBeenCalledTimes(1);
  });

  it("leaves batches to others where it may run none", async () => {
    const fake = gateway({ mostBatches: 0 });
    const id = await newBatch(fake);
    fake.runner.start();
    await fake.runner.close();
    expect([fake.taken, await statusOf(fake, id)]).toEqual([[], "validating"]);
  });

  it("forgets the mark of a batch that is over", async () => {
    const storage = await STORAGES[0].open();
    const fake = gateway({ storage });
    const over = testBatch({ status: "completed" });
    await fake.batches.save(over);
    await storage.put(`open/${over.id}`, over.id);
    expect(await fake.batches.openIds()).toEqual([over.id]);
    fake.runner.start();
    await expect.poll(() => fake.batches.openIds()).toEqual([]);
  });

  it("begins no batch once it was stopped", async () => {
    const fake = gateway();
    const id = await newBatch(fake);
    await fake.runner.close();
    fake.runner.start();
    expect(await statusOf(fake, id)).toBe("validating");
  });
});
