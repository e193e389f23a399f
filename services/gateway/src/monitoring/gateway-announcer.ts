import { GATEWAYS_KEY, gatewayKey, type Logger } from "@rhone/common";
import type { Redis } from "ioredis";
import type { GatewayPlace } from "./cluster-records.js";

const EVERY_MS = 2000;
/** An address that is not renewed for this long expires: its gateway is dead. */
const EXPIRES_MS = 10_000;

/** Tells the cluster's other gateways where this one listens, so that each can name all to Prometheus. */
export class GatewayAnnouncer {
  readonly #redis: Redis;
  readonly #place: GatewayPlace;
  readonly #logger: Logger;
  readonly #timer: NodeJS.Timeout;

  /** `redis` is borrowed. */
  constructor({
    redis,
    place,
    logger,
  }: { readonly redis: Redis; readonly place: GatewayPlace; readonly logger: Logger }) {
    this.#redis = redis;
    this.#place = place;
    this.#logger = logger;
    this.#timer = setInterval(() => void this.#tell(), EVERY_MS);
    void this.#tell();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    if (this.#redis.status !== "ready") return;
    const { id } = this.#place;
    await this.#redis
      .pipeline()
      .del(gatewayKey(id))
      .srem(GATEWAYS_KEY, id)
      .exec()
      .catch(() => {});
  }

  /** Skipped while Redis is away. */
  async #tell(): Promise<void> {
    if (this.#redis.status !== "ready") return;
    const { id, address } = this.#place;
    try {
      await this.#redis.pipeline().set(gatewayKey(id), address, "PX", EXPIRES_MS).sadd(GATEWAYS_KEY, id).exec();
    } catch (err) {
      this.#logger.debug({ err }, "address of the gateway not told");
    }
  }
}
