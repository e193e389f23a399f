import { PassThrough } from "node:stream";
import { createLogger, type Peer, PROTOCOL_VERSION, RhoneError, type WorkerMessage } from "@rhone/common";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LOST_AFTER_MS } from "./member.js";
import { WorkerRegistry } from "./worker-registry.js";

const logger = createLogger({ service: "test", level: "silent" });

/** A registry and one worker's stream into it. */
function setup(options = {}) {
  const registry = new WorkerRegistry(logger, options);
  const heard: string[] = [];
  let letLeave = (_problem: string): void => {};
  const mayLeave = new Promise<string>((resolve) => {
    letLeave = resolve;
  });
  registry.listen({
    joined: (member) => heard.push(`joined ${member.worker}`),
    left: (member, reason) => heard.push(`left ${member.worker}: ${reason}`),
    leaving: (member) => {
      heard.push(`leaving ${member.worker}`);
      return mayLeave;
    },
    message: () => {},
  });
  const connect = (peer: Peer | null = null) => {
    const stream = new PassThrough({ objectMode: true });
    const errors: string[] = [];
    stream.on("error", (status: { details?: string }) => errors.push(status.details ?? ""));
    vi.spyOn(stream, "write").mockReturnValue(true); // what the registry answers is not heard by itself
    registry.join(stream as never, peer);
    const say = (message: WorkerMessage): boolean => stream.emit("data", message);
    return { stream, say, errors };
  };
  return { registry, heard, connect, letLeave };
}

const hello = (worker: string, protocol = PROTOCOL_VERSION, session = "s"): WorkerMessage => ({
  hello: { worker, address: "127.0.0.1:1", protocol, memoryTotal: 1000, session },
});
const certified = (name: string): Peer => ({ cluster: "c", role: "worker", name });

describe("WorkerRegistry", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("keeps a worker that beats and loses one that falls silent", () => {
    const { registry, heard, connect } = setup();
    connect().say(hello("w"));
    for (let second = 0; second < 10; second++) {
      vi.advanceTimersByTime(1000);
      registry.beat({ worker: "w", steps: second, stillMs: 3900 }, null);
      registry.beat({ worker: "another" }, null);
    }
    expect(registry.members).toHaveLength(1);
    vi.advanceTimersByTime(LOST_AFTER_MS);
    expect(heard).toEqual(["joined w", `left w: silent for ${LOST_AFTER_MS} ms`]);
    expect(registry.members).toHaveLength(0);
  });

  it("takes 1,024 workers, and refuses one more by name", () => {
    const { registry, connect } = setup();
    for (let count = 0; count < 1024; count++) connect().say(hello(`w-${count}`));
    const late = connect();
    late.say(hello("late"));
    expect(late.errors).toEqual(["1024 workers have joined this coordinator, the most that it takes."]);
    expect(registry.members).toHaveLength(1024);
  });

  it("logs the first of many refusals, cut short, and how many there were", () => {
    const warn = vi.spyOn(logger, "warn");
    const { connect } = setup();
    const refuse = () => connect().say(hello("w".repeat(60_000), 0));
    for (let count = 0; count < 1000; count++) refuse();
    expect(warn).toHaveBeenCalledTimes(20);
    expect(JSON.stringify(warn.mock.calls).length).toBeLessThan(20 * 1500);
    vi.advanceTimersByTime(10_000);
    refuse();
    expect(warn.mock.calls.slice(20).map(([fields]) => fields)).toEqual([{ refusals: 1000 }, expect.anything()]);
    warn.mockRestore();
  });

  it("loses a worker whose heartbeats say that its main thread has stood still for too long", () => {
    const { registry, heard, connect } = setup({ hungAfter: 4 });
    connect().say(hello("w"));
    registry.beat({ worker: "w", stillMs: 3900 }, null);
    expect(registry.members).toHaveLength(1);
    registry.beat({ worker: "w", stillMs: 4000 }, null);
    expect(heard).toEqual(["joined w", "left w: its main thread has not turned for 4000 ms"]);
  });

  it("tells how busy a worker is from its counters", () => {
    const { registry, connect } = setup();
    connect().say(hello("w"));
    registry.beat({ worker: "w", busyUs: 0 }, null);
    vi.advanceTimersByTime(1000);
    registry.beat({ worker: "w", busyUs: 250_000 }, null);
    expect(registry.members[0]?.status().busy).toBeCloseTo(0.25);
  });

  it("takes no other process with the id of a live worker, until that one is lost", () => {
    const { heard, connect } = setup();
    connect().say(hello("w"));
    const [other, silent] = [connect(), connect()];
    other.say(hello("w", PROTOCOL_VERSION, "t"));
    silent.say(hello("w", PROTOCOL_VERSION, ""));
    for (const { errors } of [other, silent]) expect(errors.join()).toMatch(/^Worker w is live in another process/);
    expect(heard).toEqual(["joined w"]);
    vi.advanceTimersByTime(LOST_AFTER_MS);
    connect().say(hello("w", PROTOCOL_VERSION, "t"));
    expect(heard.at(-1)).toBe("joined w");
  });

  it("takes a worker only by the name in its certificate, and heartbeats, too", () => {
    const { registry, heard, connect } = setup();
    const forged = connect(certified("v"));
    forged.say(hello("w"));
    expect(forged.errors).toEqual(["The certificate is of worker v, the message of worker w."]);
    connect(certified("w")).say(hello("w"));
    expect(heard).toEqual(["joined w"]);
    expect(registry.beat({ worker: "w", stillMs: 99_000 }, certified("v"))).toMatchObject({ code: "FORBIDDEN_PEER" });
    expect(registry.members).toHaveLength(1);
    expect(registry.beat({ worker: "w", stillMs: 0 }, certified("w"))).toBeNull();
  });

  it("takes a process that joins again for another worker", () => {
    const { registry, heard, connect } = setup();
    connect().say(hello("w"));
    connect().say(hello("w"));
    expect(heard).toEqual(["joined w", "left w: it joined again", "joined w"]);
    expect(registry.members).toHaveLength(1);
  });

  it("refuses another protocol, a first message that is no Hello, and silence", () => {
    const { heard, connect } = setup();
    const [other, rude, silent] = [connect(), connect(), connect()];
    other.say(hello("w", 99));
    rude.say({ progress: {} });
    vi.advanceTimersByTime(5000);
    expect(other.errors).toEqual([
      `Worker w speaks wire protocol 99, this coordinator ${PROTOCOL_VERSION}; run the same release of both.`,
    ]);
    expect(rude.errors).toEqual([expect.stringMatching(/must be Hello/)]);
    expect(silent.errors).toEqual([expect.stringMatching(/No Hello came within 5 s/)]);
    expect(heard).toEqual([]);
  });

  it("keeps a worker that leaves until the pipeline can do without it, and then ends its stream", async () => {
    const { registry, heard, connect, letLeave } = setup();
    const { say, stream } = connect();
    say(hello("w"));
    say({ leave: {} });
    say({ leave: {} });
    expect(heard).toEqual(["joined w", "leaving w"]);
    expect(registry.members).toMatchObject([{ worker: "w", isLeaving: true }]);
    letLeave("nobody takes them");
    await vi.advanceTimersByTimeAsync(0);
    expect(heard.at(-1)).toBe("left w: it has left");
    expect(stream.write).toHaveBeenLastCalledWith({ left: { problem: "nobody takes them" } });
    expect(stream.writableEnded).toBe(true);
  });

  it.each(["root ::= ", "a", "a:99999", "a@b<c:1"])("refuses the address %s, and asks nobody there", (address) => {
    const reach = vi.fn(async () => null);
    const { connect } = setup({ reach });
    const { say, errors } = connect();
    say({ hello: { ...hello("w").hello, address } });
    expect(reach).not.toHaveBeenCalled();
    return vi.waitFor(() => expect(errors).toEqual([expect.stringMatching(/must be at host:port/)]));
  });

  it("refuses speeds that are no numbers", () => {
    const { registry, connect } = setup();
    const { say, errors } = connect();
    say({ hello: { ...hello("w").hello, gflops: Number.POSITIVE_INFINITY, bandwidth: 1 } });
    expect(errors).toEqual(["Worker w says that its speeds are Infinity, 1."]);
    expect(registry.members).toEqual([]);
  });

  it("ends a stream that its worker ends before a Hello", async () => {
    const { stream } = setup().connect();
    const ended = vi.spyOn(stream, "end");
    stream.emit("end");
    expect(ended).toHaveBeenCalledOnce();
  });

  it("welcomes a worker once it is reached at its address, and refuses it by the reason otherwise", async () => {
    const closed = new RhoneError("UNREACHABLE", "Open TCP port 1.");
    const reach = vi.fn(async (worker: string) => (worker === "far" ? closed : null));
    const { heard, connect } = setup({ reach });
    const [near, far, rude] = [connect(), connect(), connect()];
    near.say(hello("near"));
    far.say(hello("far"));
    rude.say({ progress: {} });
    expect(heard).toEqual([]);
    await vi.advanceTimersByTimeAsync(0);
    expect(heard).toEqual(["joined near"]);
    expect([near.errors, far.errors]).toEqual([[], ["Open TCP port 1."]]);
    expect(rude.errors).toEqual([expect.stringMatching(/must be Hello/)]);
    expect(reach.mock.calls).toEqual([
      ["near", "127.0.0.1:1"],
      ["far", "127.0.0.1:1"],
    ]);
  });

  it("forgets a worker that has gone while it was asked for", async () => {
    const { heard, connect } = setup({ reach: async () => null });
    const { say, stream } = connect();
    say(hello("w"));
    stream.emit("end");
    await vi.advanceTimersByTimeAsync(0);
    expect(heard).toEqual([]);
  });

  it("loses a worker whose stream ends", () => {
    const { heard, connect } = setup();
    const { say, stream } = connect();
    say(hello("w"));
    stream.emit("end");
    expect(heard.at(-1)).toBe("left w: its stream ended");
  });

  it.each([
    [false, true, /is simulated; start the coordinator with --simulated true/],
    [true, false, /is not simulated; start it with --simulate/],
  ])("never mixes: simulated itself %s, refuses a worker that is simulated %s", (own, theirs, why) => {
    const { registry, connect } = setup({ simulated: own });
    const other = connect();
    other.say({ hello: { ...hello("w").hello, simulated: theirs } });
    expect(other.errors.join()).toMatch(why);
    connect().say({ hello: { ...hello("v").hello, simulated: own } });
    expect(registry.members.map(({ worker }) => worker)).toEqual(["v"]);
  });
});
