import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { RhoneError } from "@rhone/common";
import { expect, onTestFinished, test } from "vitest";
import { childEnvironment } from "../config.js";
import { temporaryFolder } from "../testing/temporary-folder.js";
import type { Addresses, ServiceSpec } from "./service-process.js";
import { RestartBudget, type SupervisedOptions, SupervisedService } from "./supervised-service.js";

const DIES_LATER = `process.send({ kind: "listening", service: "x", addresses: { grpc: "127.0.0.1:7" } });
console.log("out of luck"); setTimeout(() => process.exit(7), 20);`;

test("a service that dies again and again keeps its address and is given up with its last words", async () => {
  const folder = await temporaryFolder();
  const entry = join(folder, "entry.mjs");
  await writeFile(entry, DIES_LATER);
  const starts: (Addresses | undefined)[] = [];
  const restarts: RhoneError[] = [];
  const why = await new Promise<RhoneError>((resolve) => {
    const service = new SupervisedService({
      spec: (previous) => {
        starts.push(previous);
        return {
          name: "thing",
          title: "The thing",
          entry,
          args: [],
          env: childEnvironment(),
          logFile: join(folder, "log"),
          hungAfterMs: 10_000,
        };
      },
      onChange: () => {},
      onRestart: (reason) => restarts.push(reason),
      onStopped: () => {},
      onGiveUp: resolve,
      budget: new RestartBudget({ most: 2, withinMs: 60_000, delayMs: 1 }),
    });
    void service.start();
  });
  expect(starts).toEqual([undefined, { grpc: "127.0.0.1:7" }, { grpc: "127.0.0.1:7" }]);
  expect(restarts).toHaveLength(2);
  expect(why.message).toMatch(/thing ended unexpectedly \(exit code 7\).*out of luck.*restarted 2 times within 60 s/s);
});

const limits = { most: 3, withinMs: 1000, delayMs: 10 };

test("there is no pause, pauses double, then the budget is spent, then the window has passed", () => {
  const budget = new RestartBudget(limits);
  expect([0, 100, 200, 300, 999].map((now) => budget.next(now))).toEqual([0, 10, 20, null, null]);
  expect(budget.next(1050)).toBe(20);
  expect(budget.next(5000)).toBe(0);
});

type Changes = Partial<SupervisedOptions> & Pick<ServiceSpec, "socketVariable">;

async function service(source: string, { socketVariable, ...changes }: Changes = {}) {
  const folder = await temporaryFolder();
  const entry = join(folder, "entry.mjs");
  await writeFile(entry, source);
  const events: string[] = [];
  const supervised = new SupervisedService({
    spec: () => ({
      name: "x",
      title: "X",
      entry,
      args: [],
      env: childEnvironment(),
      logFile: join(folder, "log"),
      hungAfterMs: 10_000,
      ...(socketVariable !== undefined && { socketVariable }),
    }),
    onChange: () => events.push("change"),
    onRestart: () => events.push("restart"),
    onStopped: (title) => events.push(`stopped ${title}`),
    onGiveUp: () => events.push("give up"),
    budget: new RestartBudget({ most: 5, withinMs: 60_000, delayMs: 1 }),
    ...changes,
  });
  onTestFinished(() => supervised.kill());
  return { supervised, events };
}

const LISTENS = 'process.send({ kind: "listening", service: "x", addresses: { http: "127.0.0.1:8" } });';

test("a service that never listens is not restarted: starting it fails", async () => {
  const { supervised, events } = await service("process.exitCode = 2;");
  await expect(supervised.start()).rejects.toMatchObject({ message: expect.stringContaining("exit code 2") });
  expect(events).not.toContain("restart");
});

test("a service that is killed comes back, until it is stopped", async () => {
  const { supervised, events } = await service(`${LISTENS} setInterval(() => {}, 1000);`);
  expect(await supervised.start()).toEqual({ http: "127.0.0.1:8" });
  const first = supervised.process?.pid ?? 0;
  process.kill(first, "SIGKILL");
  await expect.poll(() => supervised.process?.pid ?? first, { timeout: 20_000 }).not.toBe(first);
  await supervised.stop({ killAfterMs: 10_000 });
  await expect.poll(() => supervised.process).toBeUndefined();
  expect(events.filter((event) => event !== "change")).toEqual(["restart"]);
}, 30_000);

test("a service that somebody stops in order is started again at once, and no restart is counted", async () => {
  const ends = `process.once("SIGTERM", () => process.send({ kind: "ending" }, () => process.exit(0)));`;
  const budget = new RestartBudget({ most: 0, withinMs: 60_000, delayMs: 60_000 });
  const { supervised, events } = await service(`${ends} ${LISTENS} setInterval(() => {}, 1000);`, { budget });
  await supervised.start();
  for (let times = 0; times < 2; times++) {
    const before = supervised.process;
    await before?.listening;
    process.kill(before?.pid ?? 0, "SIGTERM");
    await expect.poll(() => supervised.process?.pid ?? before?.pid, { timeout: 20_000 }).not.toBe(before?.pid);
  }
  await supervised.stop({ killAfterMs: 10_000 });
  expect(events.filter((event) => event !== "change")).toEqual(["stopped X", "stopped X"]);
}, 60_000);

test("what a signal ends before it hears signals was not lost, and no restart is counted", async () => {
  const budget = new RestartBudget({ most: 0, withinMs: 60_000, delayMs: 60_000 });
  const { supervised, events } = await service(`${LISTENS} setInterval(() => {}, 1000);`, { budget });
  await supervised.start();
  const first = supervised.process?.pid ?? 0;
  process.kill(first, "SIGTERM");
  await expect.poll(() => supervised.process?.pid ?? first, { timeout: 20_000 }).not.toBe(first);
  await supervised.stop({ killAfterMs: 10_000 });
  expect(events.filter((event) => event !== "change")).toEqual(["stopped X"]);
}, 60_000);

test.each([
  ["that says so and fails", 'process.send({ kind: "ending" }, () => process.exit(1));'],
  ["with 0 without having been told to", "process.exit(0);"],
])(
  "an end %s is unexpected",
  async (_, ends) => {
    const budget = new RestartBudget({ most: 0, withinMs: 60_000, delayMs: 1 });
    const why = await new Promise<RhoneError>((resolve) => {
      void service(`${LISTENS} setTimeout(() => { ${ends} }, 20);`, { budget, onGiveUp: resolve }).then(
        ({ supervised }) => void supervised.start(),
      );
    });
    expect(why.message).toContain("X ended unexpectedly");
  },
  30_000,
);

test("a stop during the pause before a restart is the end", async () => {
  let restarts = 0;
  let paused: () => void = () => {};
  const pause = new Promise<void>((resolve) => {
    paused = resolve;
  });
  const { supervised, events } = await service(`${LISTENS} setTimeout(() => process.exit(1), 10);`, {
    budget: new RestartBudget({ most: 5, withinMs: 60_000, delayMs: 60_000 }),
    onRestart: () => ++restarts === 2 && paused(),
  });
  await supervised.start();
  await pause;
  await supervised.stop({ killAfterMs: 10_000 });
  expect(supervised.process).toBeUndefined();
  expect(events).not.toContain("give up");
});

test("a service that retires has its successor at once, and is stopped with it", async () => {
  const retires = `process.once("SIGTERM", () => {
      process.send({ kind: "ending" });
      process.send({ kind: "retiring" });
    });
    process.on("message", ({ kind }) => process.send({ kind: "standing", was: kind }));`;
  const { supervised, events } = await service(`${retires} ${LISTENS} setInterval(() => {}, 1000);`);
  await supervised.start();
  const first = supervised.process?.pid ?? 0;
  process.kill(first, "SIGTERM");
  await expect.poll(() => supervised.process?.pid ?? first, { timeout: 20_000 }).not.toBe(first);
  expect(supervised.processes.map(({ pid, isEnding }) => [pid, isEnding])).toEqual([
    [first, true],
    [supervised.process?.pid, false],
  ]);
  await supervised.process?.listening;
  await supervised.stop({ hurryAfterMs: 50, killAfterMs: 20_000 });
  await expect.poll(() => supervised.processes).toEqual([]);
  expect(events).not.toContain("restart");
}, 30_000);

test("a successor that fails has one that takes over, too: the one that retires holds its addresses until then", async () => {
  const folder = await temporaryFolder();
  const source = `import { existsSync, writeFileSync } from "node:fs";
    process.once("SIGTERM", () => process.send({ kind: "retiring" }));
    process.on("message", ({ kind }) => kind === "release" && process.exit(0));
    const [began, failed] = ${JSON.stringify(["began", "failed"].map((name) => join(folder, name)))};
    if (!existsSync(began)) writeFileSync(began, "");
    else if (!existsSync(failed)) { writeFileSync(failed, ""); process.exit(7); }
    ${LISTENS} setInterval(() => {}, 1000);`;
  const { supervised, events } = await service(source);
  await supervised.start();
  const first = supervised.process;
  process.kill(first?.pid ?? 0, "SIGTERM");
  await first?.ended;
  expect(supervised.process).not.toBe(first);
  await supervised.process?.listening;
  expect(events.filter((event) => event !== "change")).toEqual(["restart"]);
}, 30_000);

/** Answers each connection with its process id. */
const SERVES = `import { createServer } from "node:net";
  const server = createServer((socket) => socket.end(String(process.pid)));
  const tell = (socket) => () => {
    const http = "127.0.0.1:" + server.address().port;
    process.send({ kind: "listening", service: "x", addresses: { http } }, socket);
  };
  if (process.env.X_SOCKET === "kept") server.listen(0, "127.0.0.1", () => tell(server._handle)());
  else process.once("message", (message, socket) => message.kind === "socket" && server.listen(socket, tell()));`;

/** The process id that a connection is answered with. */
async function answerAt(address = ""): Promise<number> {
  const [host, port] = address.split(":");
  return Number(await text(connect(Number(port), host)));
}

test("connections that arrive while a service is started again wait for it, and are refused once it is stopped", async () => {
  const { supervised } = await service(SERVES, { socketVariable: "X_SOCKET" });
  const { http } = await supervised.start();
  for (let times = 0; times < 2; times++) {
    const first = supervised.process;
    await first?.listening;
    expect(await answerAt(http)).toBe(first?.pid);
    process.kill(first?.pid ?? 0, "SIGKILL");
    await expect
      .poll(() => supervised.process?.pid ?? first?.pid, { timeout: 20_000, interval: 1 })
      .not.toBe(first?.pid);
    const answers = await Promise.all(Array.from({ length: 20 }, () => answerAt(http)));
    expect(new Set(answers)).toEqual(new Set([supervised.process?.pid]));
  }
  await supervised.stop({ killAfterMs: 10_000 });
  await expect(answerAt(http)).rejects.toMatchObject({ code: "ECONNREFUSED" });
}, 60_000);
