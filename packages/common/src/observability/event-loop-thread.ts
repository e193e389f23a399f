import { writeSync } from "node:fs";
import { type MessagePort, workerData } from "node:worker_threads";
import { mainThreadStack, type StackSample } from "./main-thread-stack.js";
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
  } else if (stillMs >= nextSampleMs) void look();
  if (isTold || stillMs < hungAfterMs / 2) return;
  isTold = true;
  tell("error", "the event loop does not turn", stillMs); // a launcher may be faster with SIGKILL
}, lookMs);

async function look(): Promise<void> {
  nextSampleMs *= 2;
  if (isSampling) return; // the main thread is in native code
  isSampling = true;
  const sample = await mainThreadStack();
  isSampling = false;
  if (sample === null || sample.stack.length === 0) return; // in no JavaScript at all: its turn has ended
  ({ stack } = sample);
  samples.postMessage(sample satisfies StackSample);
}

/** The main thread writes no log now. */
function tell(level: string, msg: string, stillMs: number): void {
  const line = { level, time: new Date().toISOString(), service, pid: process.pid, stillMs, stack, msg };
  writeSync(1, `${JSON.stringify(line)}\n`);
}
