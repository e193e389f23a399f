import { prefixesKey } from "@rhone/common";
import type { Redis } from "ioredis";
import { expect, it } from "vitest";
import { HeldLinks } from "../scheduler/pages/held-links.js";
import { useRedis } from "../testing/use-redis.js";
import { ToldLinks } from "./told-links.js";

const KEY = prefixesKey("m", "a");

let redis: Redis;
useRedis((opened) => {
  redis = opened;
});

function open(...held: string[]) {
  const links = new HeldLinks();
  links.add(held);
  return { links, told: new ToldLinks({ redis, id: "a", model: "m", links }) };
}

const known = async () => (await redis.smembers(KEY)).toSorted();

it("others know what is in the cache, for a minute after this coordinator said it last", async () => {
  const { links, told } = open("a", "b");
  await told.tell();
  expect(await known()).toEqual(["a", "b"]);
  links.add(["c"]);
  links.delete(["a"]);
  await told.tell();
  expect(await known()).toEqual(["b", "c"]);
  expect(await redis.ttl(KEY)).toBeGreaterThan(50);
});

it("what they count on is put right when a job ends", async () => {
  const { told } = open("aaaaaaaaaaa");
  await told.tell();
  await redis.sadd(KEY, "bbbbbbbbbbb");
  told.doubt("64 8 32 aaaaaaaaaaabbbbbbbbbbb");
  await told.tell();
  expect(await known()).toEqual(["aaaaaaaaaaa"]);
});

it("all is told again when Redis has lost it", async () => {
  const { links, told } = open("a", "b");
  await told.tell();
  await redis.flushall();
  links.add(["c"]);
  await told.tell();
  await told.tell();
  expect(await known()).toEqual(["a", "b", "c"]);
  expect(await redis.ttl(KEY)).toBeGreaterThan(50);
});

it("nothing is left when it takes no more jobs", async () => {
  const { told } = open("a");
  await told.tell();
  await told.forget();
  expect(await redis.keys("*")).toEqual([]);
});
