import { EventEmitter } from "node:events";
import {
  CANCEL_CHANNEL,
  createLogger,
  encodeEvents,
  eventsChannel,
  type GenerationEvent,
  queueName,
  TOKEN_LOG_FIELD,
} from "@rhone/common";
import { RedisGenerationClient, type RedisGenerationClientOptions } from "../queue/redis-generation-client.js";
import { testJob } from "./events.js";
import { Queue, queues } from "./fake-bullmq.js";

/** A client whose Redis is this object; its token log is `log`. */
export async function openClient() {
  queues.clear();
  const interactive = new Queue(queueName(testJob()));
  const commands: string[] = [];
  const log: string[] = [];
  const redis = {
    failure: undefined as Error | undefined,
    async xrange() {
      commands.push("xrange");
      if (this.failure !== undefined) throw this.failure;
      return log.map((entry, index) => [`${index + 1}-0`, [TOKEN_LOG_FIELD, entry]]);
    },
    turns: 0,
    isFull: false,
    async eval(_script: string, keys: number, ...rest: unknown[]) {
      if (rest.includes(CANCEL_CHANNEL)) {
        commands.push(`cancel ${rest.slice(keys + 2).join(" ")}`);
        return [1];
      }
      return this.isFull ? [0, 10, 0] : [++this.turns, 0, 0];
    },
    /** Keys of jobs, by their ids. */
    entries: new Set<string>(),
    async exists(keys: readonly string[]) {
      return keys.filter((key) =>
        key.includes(":log:") ? log.length > 0 : this.entries.has(key.split(":").at(-1) ?? ""),
      ).length;
    },
    xlen: async () => log.length,
    xrevrange: async () => log.slice(-1).map((entry) => [`${log.length}-0`, [TOKEN_LOG_FIELD, entry]]),
  };
  const subscriber = Object.assign(new EventEmitter(), { subscribe: async () => 1, unsubscribe: async () => 1 });
  const logger = createLogger({ service: "gateway", level: "silent" });
  const options = { redis, subscriber, gatewayId: "g1", maxQueued: 10, queuedBytes: 100_000, logger };
  const client = await RedisGenerationClient.open(options as unknown as RedisGenerationClientOptions);
  const announce = (...events: GenerationEvent[]) =>
    subscriber.emit("message", eventsChannel("g1"), encodeEvents(events));
  return { client, redis, subscriber, commands, log, announce, interactive };
}
