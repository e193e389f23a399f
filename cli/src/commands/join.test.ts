import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { testDoor } from "../membership/testing/test-door.js";
import { freshDataDir, recordedCluster } from "../testing/recorded-cluster.js";
import { runCommand } from "../testing/run-command.js";
import { temporaryFolder } from "../testing/temporary-folder.js";

const title = process.title;

async function rhone(...args: readonly string[]) {
  const run = await runCommand(...args).finally(() => {
    process.title = title;
  });
  return run.error as { readonly code?: string; readonly message?: string } | undefined;
}

test("a machine that has not joined is told where to get the command", async () => {
  const error = await rhone("join", "--data-dir", await temporaryFolder());
  expect(error).toMatchObject({ code: "INVALID_CONFIG", message: expect.stringContaining("rhone up --listen") });
});

test.each([["10.0.0.1"], ["10.0.0.1:"], ["fd00::1:7100"]])("the address %s is refused", async (address) => {
  const error = await rhone("join", address, "--data-dir", await temporaryFolder());
  expect(error).toMatchObject({ code: "INVALID_CONFIG", message: expect.stringContaining("give host:port") });
});

test("a token in the address's place is not repeated", async () => {
  const error = await rhone("join", "rhone1.secret", "--data-dir", await temporaryFolder());
  expect(error).toMatchObject({ code: "INVALID_CONFIG", message: expect.not.stringContaining("secret") });
});

test("--discover takes the token alone", async () => {
  const home = await temporaryFolder();
  const message = expect.stringContaining("give the token alone");
  expect(await rhone("join", "--discover", "10.0.0.1:7100", "x", "--data-dir", home)).toMatchObject({ message });
  expect(await rhone("join", "--discover", "--data-dir", home)).toMatchObject({ code: "INVALID_CONFIG" });
  expect(await rhone("join", "--discover", "x", "--data-dir", home)).toMatchObject({ code: "TOKEN_UNKNOWN" });
});

test("a token that is refused leaves nothing to join again by", async () => {
  const { door, authority, newToken } = await testDoor();
  const home = await temporaryFolder();
  const token = await newToken();
  for (const { id } of await authority.tokens.list()) await authority.tokens.revoke(id);
  expect(await rhone("join", door, token, "--data-dir", home)).toMatchObject({ code: "TOKEN_REVOKED" });
  await expect(readFile(join(home, "identity", "member.json"))).rejects.toMatchObject({ code: "ENOENT" });
  expect(await rhone("join", door, `${token}x`, "--data-dir", home)).toMatchObject({ code: "TOKEN_UNKNOWN" });
});

test("a machine with a cluster of its own does not use up a token", async () => {
  const { door, authority, newToken } = await testDoor();
  const { root } = await recordedCluster({});
  expect(await rhone("join", door, await newToken(), "--data-dir", root)).toMatchObject({ code: "ALREADY_RUNNING" });
  expect(await authority.tokens.list()).toMatchObject([{ state: "valid" }]);
});

test("leave needs a machine that has joined, and does not end a cluster of this machine", async () => {
  expect(await rhone("leave", "--data-dir", await temporaryFolder())).toMatchObject({ code: "NOT_RUNNING" });
  const { root } = await recordedCluster({});
  const message = expect.stringMatching(/has a cluster of its own. Stop it with: .*down/);
  expect(await rhone("leave", "--data-dir", root)).toMatchObject({ code: "INVALID_CONFIG", message });
});

test("leave says as JSON what was left", async () => {
  const dataDir = await freshDataDir();
  await writeFile(
    dataDir.clusterFile,
    JSON.stringify({
      ...{ supervisor: { name: "supervisor", pid: process.pid, startedAt: "long ago" }, joined: "front:7400" },
      ...{ state: "ready", startedAtMs: 0, url: "", model: "m", redis: "", services: [] },
    }),
  );
  const { stdout } = await runCommand("leave", "--json", "--data-dir", dataDir.root);
  expect(JSON.parse(stdout)).toEqual({ left: "front:7400", outcome: "crashed", forgotten: false });
});

test("a flag of another role is refused instead of ignored", async () => {
  const { door, newToken, authority } = await testDoor();
  const home = await temporaryFolder();
  const asGateway = ["--as", "gateway", "--threads", "2", "--s3-endpoint", "http://s3", "--data-dir", home];
  const error = await rhone("join", door, await newToken(60_000, "gateway"), ...asGateway);
  expect(error).toMatchObject({
    code: "INVALID_CONFIG",
    message: expect.stringMatching(/^A gateway has no --threads\./),
  });
  const asWorker = ["--chat-template", "chatml", "--data-dir", home];
  const message = expect.stringMatching(/^A worker has no --chat-template\./);
  expect(await rhone("join", door, await newToken(), ...asWorker)).toMatchObject({ message });
  expect((await authority.tokens.list()).map(({ state }) => state)).toEqual(["valid", "valid"]);
});

test("a model that the cluster does not serve is refused with those that it has", async () => {
  const { door, newToken } = await testDoor();
  const flags = ["--model", "huge", "--data-dir", await temporaryFolder()];
  const message = `The cluster at ${door} does not serve huge; it has m.`;
  expect(await rhone("join", door, await newToken(), ...flags)).toMatchObject({ code: "MODEL_NOT_FOUND", message });
});
