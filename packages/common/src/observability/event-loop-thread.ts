import { writeSync } from "node:fs";
import { type MessagePort, workerData } from "node:worker_threads";
import { mainThreadStack } from "./main-thread-stack.js";
import { Stillness } from "./stillness.js";

// The thread behind watchEventLoop. It looks whether the main thread turns, samples its stack in a long turn, and ends
// the process when it has hung.

export interface EventLoopOrder {
  readonly service: string;
  /** Takes each StackSample. */
  readonly samples: MessagePort;
  /** [1]: turns of the main thread so far. Written by the main thread. */
  readonly turns: BigInt64Array;
  readonly lookMs: number;
  /** Stillness after which the stack is sampled, and again each time it has doubled. */
  readonly sampleAfterMs: number;
  readonly hungAfterMs: number;
}

/** A stack of the main thread. */
export interface StackSample {
  /** Turns of the main thread when it was paused, which may be later than the thread asked for it. */
  readonly turn: bigint;
  readonly stack: readonly string[];
}

const { service, samples, turns, lookMs, sampleAfterMs, hungAfterMs } = workerData as EventLoopOrder;
const stillness = new Stillness();
let nextSampleMs = sampleAfterMs;
let isSampling = false;
let isTold = false;
let stack: readonly string[] = [];

setInterval(() => {
  const stillMs = stillness.look(Number(Atomics.load(turns, 0))) * lookMs;
  if (stillMs === 0) {
    nextSampleMs = sampleAfterMs;
    isTold = false;
    stack = [];
  } else if (stillMs >= hungAfterMs) {
    tell("fatal", "the event loop hangs; the process ends itself", stillMs);
    process.kill(process.pid, "SIGKILL");
  } else if (stillMs >= nextSampleMs) void sample();
  if (isTold || stillMs < hungAfterMs / 2) return;
  isTold = true;
  tell("error", "the event loop does not turn", stillMs); // a launcher may be faster with SIGKILL
}, lookMs);

async function sample(): Promise<void> {
  nextSampleMs *= 2;
  if (isSampling) return; // the main thread is in native code
  isSampling = true;
  let turn = 0n;
  stack = await mainThreadStack(() => {
    turn = Atomics.load(turns, 0);
  });
  isSampling = false;
  samples.postMessage({ turn, stack } satisfies StackSample);
}

/** The main thread writes no log now. */
function tell(level: string, msg: string, stillMs: number): void {
  const line = { level, time: new Date().toISOString(), service, pid: process.pid, stillMs, stack, msg };
  writeSync(1, `${JSON.stringify(line)}\n`);
}
