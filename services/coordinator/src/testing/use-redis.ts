import { openRedis } from "@rhone/common";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { startValkey, type TestValkey } from "../../../../packages/common/src/testing/valkey.js";

/** For the tests of a file, at its top: a Redis of its own, empty before each test. `onOpen` gets the connection. */
export function useRedis(onOpen: (redis: Redis) => void): void {
  let valkey: TestValkey;
  let redis: Redis;
  beforeAll(async () => {
    valkey = await startValkey();
    redis = await openRedis({ url: valkey.url, name: "test", waits: true, onError: () => {} });
    onOpen(redis);
  });
  beforeEach(() => redis.flushall());
  afterAll(async () => {
    redis.disconnect();
    await valkey.stop();
  });
}
