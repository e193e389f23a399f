import { identityFiles, readIdentity } from "@rhone/identity";
import { expect, test } from "vitest";
import { commandWriter } from "../config.js";
import { freshDataDir } from "../testing/recorded-cluster.js";
import { becomeMember, memberNameIn } from "./become-member.js";
import type { MemberOptions } from "./member-options.js";
import { testDoor } from "./testing/test-door.js";

async function machine(door: string) {
  const dataDir = await freshDataDir();
  const join = (token?: string, before: MemberOptions | null = null) =>
    becomeMember({ door, token, name: "b-1", dataDir, rhone: commandWriter(dataDir.root), before });
  const identity = () => readIdentity(identityFiles(dataDir.identity, "worker", "b-1"));
  return { dataDir, join, identity };
}

test("a token admits a machine, which needs none the next time", async () => {
  const { door, newToken, coordinator } = await testDoor();
  const { join, identity } = await machine(door);
  expect(await join(await newToken())).toBe(coordinator);
  const first = await identity();
  expect(await join()).toBe(coordinator);
  expect((await identity())?.certificate).not.toBe(first?.certificate);
});

test("a member does not use up another token of its cluster", async () => {
  const { door, newToken, authority } = await testDoor();
  const { join } = await machine(door);
  await join(await newToken());
  await join(await newToken());
  expect((await authority.tokens.list()).map(({ state }) => state).toSorted()).toEqual(["used up", "valid"]);
});

test("while the door does not answer, a member goes where it was", async () => {
  const { door, newToken, server, coordinator } = await testDoor();
  const { join, dataDir } = await machine(door);
  await join(await newToken());
  await server.close();
  const before = { dataDir: dataDir.root, door, name: "b-1", coordinator, port: 7200 };
  expect(await join(undefined, before)).toBe(coordinator);
  await expect(join()).rejects.toMatchObject({ code: "UNREACHABLE" });
});

test("a machine that has not joined is told how to get a token", async () => {
  const { door } = await testDoor();
  const { join } = await machine(door);
  const message = expect.stringMatching(/has not joined.*rhone token create/);
  await expect(join()).rejects.toMatchObject({ code: "INVALID_CONFIG", message });
});

test("a machine with a token of another cluster joins that one", async () => {
  const [one, other] = [await testDoor(), await testDoor()];
  const { dataDir, join, identity } = await machine(one.door);
  await join(await one.newToken());
  const who = { name: "b-1", dataDir, rhone: commandWriter(), before: null };
  await becomeMember({ ...who, door: other.door, token: await other.newToken() });
  expect((await identity())?.ca).toBe(other.authority.ca);
});

test("a refused machine keeps its name for the next token", async () => {
  const { door, authority } = await testDoor();
  const { dataDir } = await machine(door);
  const name = await memberNameIn(dataDir);
  expect(name).toMatch(/^[a-z0-9].*-[0-9a-f]{4}$/);
  const gone = await authority.tokens.create({ role: "worker", uses: 1, ttlMs: 1 });
  await authority.tokens.revoke(gone.token.id);
  const { formatToken } = await import("@rhone/identity");
  const token = formatToken({ authority: authority.hash, id: gone.token.id, secret: gone.secret });
  const who = { door, name, dataDir, rhone: commandWriter(), before: null };
  await expect(becomeMember({ ...who, token })).rejects.toMatchObject({ code: "TOKEN_REVOKED" });
  expect(await memberNameIn(dataDir)).toBe(name);
});
