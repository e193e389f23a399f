import { identityFiles, readIdentity } from "@rhone/identity";
import { expect, test } from "vitest";
import { commandWriter } from "../config.js";
import { freshDataDir } from "../testing/recorded-cluster.js";
import { type Application, becomeMember, memberNameIn } from "./become-member.js";
import { testDoor } from "./testing/test-door.js";

async function machine(door: string) {
  const dataDir = await freshDataDir();
  const join = (token?: string, before: Application["before"] = null) =>
    becomeMember({ door, token, as: "worker", name: "b-1", dataDir, rhone: commandWriter(dataDir.root), before });
  const identity = () => readIdentity(identityFiles(dataDir.identity, "worker", "b-1"));
  return { dataDir, join, identity };
}

test("a token admits a machine, which needs none the next time", async () => {
  const { door, newToken, places } = await testDoor();
  const { join, identity } = await machine(door);
  expect(await join(await newToken())).toEqual(places);
  const first = await identity();
  expect(await join()).toEqual(places);
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
  const { door, newToken, server, places } = await testDoor();
  const { join } = await machine(door);
  await join(await newToken());
  await server.close();
  expect(await join(undefined, { door, places })).toEqual(places);
  await expect(join()).rejects.toMatchObject({ code: "UNREACHABLE" });
});

test("a machine that has not joined is told how to get a token", async () => {
  const { door } = await testDoor();
  const { join } = await machine(door);
  const message = expect.stringMatching(/has not joined a cluster as a worker.*rhone token create/);
  await expect(join()).rejects.toMatchObject({ code: "INVALID_CONFIG", message });
});

test("a machine with a token of another cluster joins that one", async () => {
  const [one, other] = [await testDoor(), await testDoor()];
  const { dataDir, join, identity } = await machine(one.door);
  await join(await one.newToken());
  const who = { as: "worker", name: "b-1", dataDir, rhone: commandWriter(), before: null } as const;
  await becomeMember({ ...who, door: other.door, token: await other.newToken() });
  expect((await identity())?.ca).toBe(other.authority.ca);
});

test("a refused machine keeps its name for the next token", async () => {
  const { door, authority } = await testDoor();
  const { dataDir } = await machine(door);
  const name = await memberNameIn(dataDir, "worker");
  expect(name).toMatch(/^[a-z0-9].*-[0-9a-f]{4}$/);
  const gone = await authority.tokens.create({ role: "worker", uses: 1, ttlMs: 1 });
  await authority.tokens.revoke(gone.token.id);
  const { formatToken } = await import("@rhone/identity");
  const token = formatToken({ authority: authority.hash, id: gone.token.id, secret: gone.secret });
  const who = { door, as: "worker", name, dataDir, rhone: commandWriter(), before: null } as const;
  await expect(becomeMember({ ...who, token })).rejects.toMatchObject({ code: "TOKEN_REVOKED" });
  expect(await memberNameIn(dataDir, "worker")).toBe(name);
  expect(await memberNameIn(dataDir, "gateway")).not.toBe(name);
});

test("a token admits one role, and says how to get another", async () => {
  const { door, newToken, places } = await testDoor();
  const { dataDir } = await machine(door);
  const who = { door, as: "gateway", name: "b-1", dataDir, rhone: commandWriter(), before: null } as const;
  const message = expect.stringMatching(/admits a worker, .* for a gateway\. .*rhone token create --as gateway$/);
  await expect(becomeMember({ ...who, token: await newToken() })).rejects.toMatchObject({ message });
  expect(await becomeMember({ ...who, token: await newToken(60_000, "gateway") })).toEqual(places);
});
