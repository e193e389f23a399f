import { type ApiKey, newApiKey } from "@rhone/common";
import { expect, it } from "vitest";
import { mostInATurn } from "../testing/most-in-a-turn.js";
import { KeyRing } from "./key-ring.js";

const about = { name: "team", requestsPerMinute: null, tokensPerMinute: null };

function ring() {
  const keys = new Map<string, ApiKey>();
  let nowMs = 0;
  let lookups = 0;
  const store = {
    get: async (id: string) => {
      lookups++;
      return keys.get(id) ?? null;
    },
    count: async () => keys.size,
  };
  const made = newApiKey(about);
  keys.set(made.key.id, made.key);
  return {
    ...made,
    keys,
    keyRing: new KeyRing(store, () => nowMs),
    lookups: () => lookups,
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

it("looks a key up once a second, however often it comes", async () => {
  const { keyRing, secret, key, lookups, pass } = ring();
  for (let request = 0; request < 5; request++) expect(await keyRing.find(secret)).toBe(key);
  expect(lookups()).toBe(1);
  pass(1000);
  await keyRing.find(secret);
  expect(lookups()).toBe(2);
});

it("knows a revoked key no longer than a second", async () => {
  const { keyRing, secret, keys, pass } = ring();
  await keyRing.find(secret);
  keys.clear();
  pass(1000);
  expect(await keyRing.find(secret)).toBeNull();
  expect(await keyRing.isEmpty()).toBe(true);
});

it("knows a new key at once, also one that was asked for before", async () => {
  const { keyRing, keys } = ring();
  const { key, secret } = newApiKey(about);
  expect(await keyRing.find(secret)).toBeNull();
  keys.set(key.id, key);
  expect(await keyRing.find(secret)).toBe(key);
});

it("refuses another secret under a known id, and asks nobody about what is no key", async () => {
  const { keyRing, key, lookups } = ring();
  expect(await keyRing.find(`rhone_sk_${key.id}_${"x".repeat(43)}`)).toBeNull();
  const before = lookups();
  expect(await keyRing.find("sk-other")).toBeNull();
  expect(lookups()).toBe(before);
});

it("lets 2,000 requests whose keys were looked up at once go on in turns", async () => {
  const { keyRing } = ring();
  const secrets = Array.from({ length: 2000 }, () => newApiKey(about).secret);
  const most = await mostInATurn((work) => Promise.all(secrets.map((secret) => keyRing.find(secret).then(work))));
  expect(most).toBeLessThan(64);
  expect(await mostInATurn((work) => Promise.all(secrets.map(() => keyRing.isEmpty().then(work))))).toBeLessThan(64);
});
