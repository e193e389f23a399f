import { parentPort, workerData } from "node:worker_threads";
import { Stillness } from "../observability/stillness.js";
import { openSecurity } from "../security/security.js";
import { openChannel } from "./channel.js";
import { BUSY_US, type HeartbeatOrder, STEPS, TURNS } from "./heartbeat-order.js";
import { controlService } from "./services.js";

// The thread behind Heartbeats. Its connection to the coordinator and its timers are its own.

/** A beat that is answered later than this is of no use. */
const DEADLINE_MS = 2000;

const { coordinator, security, worker, counters, lookMs } = workerData as HeartbeatOrder;
const expect = { role: "coordinator" } as const;
const client = openChannel(coordinator, { security: openSecurity(security), expect, ownConnection: true });
const { path, requestSerialize, responseDeserialize } = controlService.beat;
const counter = (index: number): number => Number(Atomics.load(counters, index));
const stillness = new Stillness();
let stillMs = 0;
let beating: NodeJS.Timeout | undefined;

setInterval(() => {
  stillMs = stillness.look(counter(TURNS)) * lookMs;
}, lookMs);

function beat(): void {
  const counts = { steps: counter(STEPS), busyUs: counter(BUSY_US) };
  const heartbeat = { worker, ...counts, stillMs, resident: process.memoryUsage.rss() };
  const deadline = Date.now() + DEADLINE_MS;
  // A beat that fails is a beat that the coordinator misses; it is the one who judges.
  client.makeUnaryRequest(path, requestSerialize, responseDeserialize, heartbeat, { deadline }, () => {});
}

/** Milliseconds between beats; 0 = none. */
parentPort?.on("message", (everyMs: number) => {
  clearInterval(beating);
  if (everyMs > 0) beating = setInterval(beat, everyMs);
});
