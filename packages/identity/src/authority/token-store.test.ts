import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { newSecret } from "../join-token.js";
import { HOUR_MS, temporaryFolder } from "../testing/small-cluster.js";
import { TokenStore } from "./token-store.js";

async function setup() {
  const clock = { nowMs: 1_000_000 };
  const folder = await temporaryFolder();
  const store = new TokenStore(folder, () => clock.nowMs);
  const create = async (uses = 1) => {
    const { token, secret } = await store.create({ role: "worker", uses, ttlMs: HOUR_MS });
    const claim = (machine: string, changes = {}) =>
      store.claim({ id: token.id, secret, role: "worker", name: machine, key: `key of ${machine}`, ...changes });
    return { ...token, secret, claim };
  };
  return { store, clock, folder, create };
}

const named = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe("TokenStore", () => {
  it("admits as many machines as a token says, and names them when it refuses the next", async () => {
    const { store, create } = await setup();
    const token = await create(2);
    await token.claim("a");
    await token.claim("b");
    await expect(token.claim("c")).rejects.toEqual(named("TOKEN_USED_UP", /has admitted 2 of 2 machines \(a, b\)/));
    expect(await store.list()).toMatchObject([
      { id: token.id, state: "used up", usedBy: [{ name: "a" }, { name: "b" }] },
    ]);
  });

  it("admits the same key again, whose answer may have been lost", async () => {
    const { create } = await setup();
    const token = await create();
    await token.claim("a");
    await token.claim("a");
    await expect(token.claim("b")).rejects.toEqual(named("TOKEN_USED_UP", /1 of 1/));
  });

  it("admits no more machines when many come at once, in two processes", async () => {
    const { create, folder, clock } = await setup();
    const token = await create(3);
    const other = new TokenStore(folder, () => clock.nowMs);
    const claims = Array.from({ length: 12 }, (_, index) => {
      if (index % 2 === 0) return token.claim(`m${index}`);
      return other.claim({ id: token.id, secret: token.secret, role: "worker", name: `m${index}`, key: `k${index}` });
    });
    const results = await Promise.allSettled(claims);
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
  });

  it("refuses a token that has expired, with the time", async () => {
    const { create, clock, store } = await setup();
    const token = await create();
    clock.nowMs += HOUR_MS;
    await expect(token.claim("a")).rejects.toEqual(named("TOKEN_EXPIRED", /expired at 1970-01-01T01:16:40/));
    expect(await store.list()).toMatchObject([{ state: "expired" }]);
  });

  it("refuses a revoked token", async () => {
    const { create, store } = await setup();
    const token = await create(5);
    await token.claim("a");
    expect(await store.revoke(token.id)).toBe(true);
    await expect(token.claim("b")).rejects.toEqual(named("TOKEN_REVOKED", /was revoked/));
    expect(await store.revoke("00000000")).toBe(false);
  });

  it.each([
    ["another secret", { secret: newSecret() }],
    ["an unknown id", { id: "00000000" }],
    ["an id that is a path", { id: "../../ca-key" }],
  ])("refuses %s as it refuses a forged token", async (_, forged) => {
    const { create, store } = await setup();
    const token = await create();
    await expect(token.claim("a", forged)).rejects.toEqual(named("TOKEN_UNKNOWN", /not one of this cluster/));
    expect(await store.list()).toMatchObject([{ state: "valid", usedBy: [] }]);
  });

  it("says nothing of a token to one who does not know its secret", async () => {
    const { create, store } = await setup();
    const token = await create();
    await store.revoke(token.id);
    await expect(token.claim("a", { secret: newSecret() })).rejects.toEqual(named("TOKEN_UNKNOWN", /./));
  });

  it("refuses another role than the token's", async () => {
    const { create } = await setup();
    const token = await create();
    const asked = token.claim("a", { role: "coordinator" });
    await expect(asked).rejects.toEqual(named("CERTIFICATE_REFUSED", /admits a worker, .* for a coordinator/));
  });

  it("keeps no secret", async () => {
    const { create, folder } = await setup();
    const { secret } = await create();
    const files = await readdir(folder);
    const texts = await Promise.all(files.map((file) => readFile(join(folder, file), "utf8")));
    expect(texts.join()).not.toContain(secret);
  });

  it("forgets ended tokens after a week", async () => {
    const { create, clock, store } = await setup();
    const old = await create();
    await old.claim("a");
    await store.revoke(old.id);
    clock.nowMs += 8 * 24 * HOUR_MS;
    const fresh = await create();
    expect((await store.list()).map(({ id }) => id)).toEqual([fresh.id]);
  });
});
