import { readFile } from "node:fs/promises";
import { createLogger } from "@rhone/common";
import { Authority, EnrollmentServer, enroll, formatToken, identityFiles, renew } from "@rhone/identity";
import { expect, onTestFinished, test } from "vitest";
import { freshDataDir } from "../testing/recorded-cluster.js";
import { runCommand } from "../testing/run-command.js";
import { temporaryFolder } from "../testing/temporary-folder.js";

/** A machine that made a cluster, and machines that joined it. */
async function setup() {
  const dataDir = await freshDataDir();
  const authority = await Authority.open(dataDir.authority);
  const places = async () => ({ pipelines: [], hasTemplateFile: false });
  const logger = createLogger({ service: "test", level: "silent" });
  const server = await EnrollmentServer.open({
    ...{ authority, host: "127.0.0.1", port: 0, places, logger },
    probe: async () => null,
  });
  onTestFinished(() => server.close());
  const own = identityFiles(dataDir.identity, "gateway", "here");
  await authority.issueHere(own, { role: "gateway", name: "here", hosts: [] });
  const { token, secret } = await authority.tokens.create({ role: "worker", uses: 5, ttlMs: 60_000 });
  const text = formatToken({ authority: authority.hash, id: token.id, secret });
  const join = async (name: string) => {
    const files = identityFiles(await temporaryFolder(), "worker", name);
    const place = { address: `127.0.0.1:${server.port}`, role: "worker", name, files } as const;
    await enroll(place, text);
    return { renew: () => renew(place), again: () => enroll(place, text) };
  };
  const rhone = (...args: readonly string[]) => runCommand("members", ...args, "--data-dir", dataDir.root);
  return { dataDir, join, rhone, token };
}

test("members are listed with role, state and times", async () => {
  const { join, rhone } = await setup();
  await join("attic");
  const { stdout } = await rhone("list");
  expect(stdout).toMatch(/^NAME +ROLE +STATE +SINCE \(UTC\) +RENEWED +VALID UNTIL$/m);
  expect(stdout).toMatch(/^attic +worker +valid +(\d{4}-\d\d-\d\d \d\d:\d\d) +\1 +\d{4}-/m);
  expect(JSON.parse((await rhone("list", "--json")).stdout)).toMatchObject([
    { name: "here", role: "gateway", state: "valid" },
    { name: "attic", role: "worker", state: "valid" },
  ]);
});

test("one that is expelled gets no certificate, and is in this machine's list of revoked keys", async () => {
  const { dataDir, join, rhone, token } = await setup();
  const attic = await join("attic");
  await join("cellar");
  const { stdout } = await rhone("expel", "attic");
  expect(stdout).toMatch(/^expelled the worker attic: .*\nrevoked the token [0-9a-f]{8}, by which it joined\n$/);
  expect(stdout).toContain(token.id);
  expect(await readFile(dataDir.revoked, "utf8")).toMatch(/^[0-9a-f]{64}\n$/);
  const refused = {
    code: "CERTIFICATE_REFUSED",
    message: expect.stringMatching(/attic was expelled .* leave --forget/),
  };
  await expect(attic.renew()).rejects.toMatchObject(refused);
  await expect(attic.again()).rejects.toMatchObject({ code: "TOKEN_REVOKED" });
  expect((await rhone("list")).stdout).toMatch(/\ncellar +worker +valid .*\nattic +worker +expelled /);
});

test("only members are expelled, by role where several have a name, and none of this machine", async () => {
  const { join, rhone } = await setup();
  const code = async (...args: readonly string[]) => ((await rhone("expel", ...args)).error as { code: string }).code;
  expect(await code("nobody")).toBe("NOT_FOUND");
  expect((await rhone("expel", "here")).error).toMatchObject({ message: expect.stringMatching(/of this machine/) });
  await join("here");
  expect((await rhone("expel", "here")).error).toMatchObject({ message: expect.stringMatching(/gateway, worker/) });
  expect((await rhone("expel", "here", "--role", "worker")).error).toBeUndefined();
  expect(await code("here", "--role", "worker")).toBe("NOT_FOUND");
});
