import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { RhoneError } from "@rhone/common";
import { expect, it, vi } from "vitest";
import { newMachine, silent, temporaryFolder, testCluster } from "../testing/small-cluster.js";
import { enroll, fetchRevoked } from "./enrollment-client.js";
import { Expulsions } from "./expulsions.js";

it("members know who was expelled, and the expelled one that it was", async () => {
  const { address, authority, newToken } = await testCluster();
  const [stays, goes] = [await newMachine(address, "b-1"), await newMachine(address, "b-2")];
  for (const machine of [stays, goes]) await enroll(machine, (await newToken()).text);
  expect(await fetchRevoked(stays)).toEqual({ keys: [], expelled: null });
  await authority.members.expel(goes);
  const keys = await authority.members.revoked();
  expect(keys).toHaveLength(1);
  expect(await fetchRevoked(stays)).toEqual({ keys, expelled: null });
  const message = expect.stringMatching(/^The worker b-2 of this machine was expelled .*leave --forget/);
  expect((await fetchRevoked(goes)).expelled).toMatchObject({ code: "CERTIFICATE_REFUSED", message });
});

it("the list is kept while the authority is away, and says so once", async () => {
  const path = join(await temporaryFolder(), "revoked");
  const answers = [["a".repeat(64)], new Error("away"), new Error("away"), ["b".repeat(64)]];
  const fetch = async () => {
    const answer = answers.shift();
    if (answer instanceof Error || answer === undefined) throw answer;
    return { keys: answer, expelled: null };
  };
  const logger = { warn: vi.fn() };
  const expulsions = new Expulsions({ fetch, path, onExpelled: vi.fn(), logger });
  const read = async () => {
    await expulsions.look();
    return readFile(path, "utf8");
  };
  const lists = [await read(), await read(), await read(), await read()];
  expulsions.close();
  expect(lists.map((list) => list[0])).toEqual(["a", "a", "a", "b"]);
  expect(logger.warn).toHaveBeenCalledTimes(1);
});

it("a machine that was expelled is told, and keeps its list", async () => {
  const path = join(await temporaryFolder(), "revoked");
  const expelled = new RhoneError("CERTIFICATE_REFUSED", "expelled");
  const onExpelled = vi.fn();
  const fetch = async () => ({ keys: ["a".repeat(64)], expelled });
  const expulsions = new Expulsions({ fetch, path, onExpelled, logger: silent });
  await expulsions.look();
  expulsions.close();
  expect(onExpelled).toHaveBeenCalledExactlyOnceWith(expelled);
  await expect(readFile(path)).rejects.toMatchObject({ code: "ENOENT" });
});
