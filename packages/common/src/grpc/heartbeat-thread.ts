import { parentPort, workerData } from "node:worker_threads";
import { type Client, status } from "@grpc/grpc-js";
import { Stillness } from "../observability/stillness.js";
import { openSecurity } from "../security/security.js";
import { openChannel } from "./channel.js";
import { BUSY_US, type HeartbeatOrder, STEPS, TURNS } from "./heartbeat-order.js";
import { controlService } from "./services.js";

// The thread behind Heartbeats. Its connection to the coordinator and its timers are its own.

/** A beat that is answered later than this is of no use. */
const DEADLINE_MS = 2000;
/** Without an answer for this long, there is no way to the coordinator. */
const SILENT_MS = 5000;

const { coordinator, security, worker, counters, lookMs } = workerData as HeartbeatOrder;
const expect = { role: "coordinator" } as const;
const NO_ANSWER = [status.UNAVAILABLE, status.DEADLINE_EXCEEDED];
const settings = { security: openSecurity(security), expect, ownConnection: true } as const;
let client: Client | undefined;
/** Looks since the last answer. */
let unanswered = 0;
const { path, requestSerialize, responseDeserialize } = controlService.beat;
const counter = (index: number): number => Number(Atomics.load(counters, index));
const stillness = new Stillness();
let stillMs = 0;
let beating: NodeJS.Timeout | undefined;

setInterval(() => {
  stillMs = stillness.look(counter(TURNS)) * lookMs;
  if (client === undefined || ++unanswered * lookMs < SILENT_MS) return;
  unanswered = 0;
  parentPort?.postMessage(null);
}, lookMs);

function beat(): void {
  const counts = { steps: counter(STEPS), busyUs: counter(BUSY_US) };
  const heartbeat = { worker, ...counts, stillMs, resident: process.memoryUsage.rss() };
  const deadline = Date.now() + DEADLINE_MS;
  client?.makeUnaryRequest(path, requestSerialize, responseDeserialize, heartbeat, { deadline }, (error) => {
    if (error === null || !NO_ANSWER.includes(error.code)) unanswered = 0;
  });
}

/** Milliseconds between beats; 0 = none. Each series has a connection of its own: an old one may wait to try again. */
parentPort?.on("message", (everyMs: number) => {
  clearInterval(beating);
  client?.close();
  client = undefined;
  unanswered = 0;
  if (everyMs === 0) return;
  client = openChannel(coordinator, settings);
  beating = setInterval(beat, everyMs);
});
