import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { readClusterRecord } from "../../cli/dist/cluster/cluster-record.js";
import { stopCluster } from "../../cli/dist/cluster/stop-cluster.js";
import { dataDirAt } from "../../cli/dist/data-dir.js";
import { chat } from "../cluster/chat.js";
import { RunningCluster, rhone } from "../cluster/start-cluster.js";

const POLL = { timeout: 20_000 };

let cluster: RunningCluster;
beforeAll(async () => {
  const listen = ["--listen", "127.0.0.1", "--listen-port", "0"];
  cluster = await RunningCluster.start(["--workers", "1", "--simulate", "null", ...listen]);
});
afterAll(async () => {
  await cluster?.stop();
});

/** Another machine, as far as a data directory of its own makes one. */
function newMachine() {
  const dataDir = mkdtempSync(join(tmpdir(), "rhone-machine-"));
  onTestFinished(async () => {
    await stopCluster(dataDirAt(dataDir));
    rmSync(dataDir, { recursive: true, force: true });
  });
  const flags = ["--detach", "--port", "0", "--simulate", "null", "--threads", "1", "--memory", "1G"];
  return {
    dataDir,
    join: (...args: readonly string[]) => rhone(["join", ...args, ...flags, "--data-dir", dataDir]),
    again: () => rhone(["join", "--detach", "--data-dir", dataDir]),
    leave: (...args: readonly string[]) => rhone(["leave", ...args, "--data-dir", dataDir]),
  };
}

async function newToken(...flags: readonly string[]): Promise<{ readonly id: string; readonly token: string }> {
  const { stdout } = await rhone(["token", "create", "--json", ...flags, "--data-dir", cluster.dataDir]);
  return JSON.parse(stdout);
}

const stages = async (): Promise<number> =>
  (await cluster.status()).workers.filter(({ layers }) => layers !== null).length;

/** The secret is in no log, and not in the arguments and the environment of any process. */
function expectNowhere(secret: string, dataDirs: readonly string[]): void {
  expect(secret).not.toBe("");
  for (const dataDir of dataDirs) {
    const { supervisor, services } = JSON.parse(readFileSync(join(dataDir, "run", "cluster.json"), "utf8"));
    for (const { pid } of [supervisor, ...services]) {
      for (const file of ["cmdline", "environ"]) {
        expect(readFileSync(`/proc/${pid}/${file}`, "utf8")).not.toContain(secret);
      }
    }
    for (const log of ["supervisor", "coordinator", "worker", "worker-1"]) {
      const path = join(dataDir, "logs", `${log}.log`);
      expect(readFileSync(path, { encoding: "utf8", flag: "a+" })).not.toMatch(/rhone1\.|PRIVATE KEY/);
    }
  }
}

test("a machine joins as up says, takes layers, shows its token nowhere, needs none again, and leaves", async () => {
  const [, door = "", token = ""] = /^ +rhone join (\S+) (\S+)$/m.exec(cluster.output) ?? [];
  const machine = newMachine();
  const joined = await machine.join(door, token, "--name", "attic");
  expect(joined).toMatchObject({ code: 0, stderr: "" });
  expect(joined.stdout).toMatch(/✓ Cluster +member attic of 127\.0\.0\.1:\d+\n/);
  expect(joined.stdout).toMatch(/✓ Coordinator +127\.0\.0\.1:\d+ has taken attic, and reaches it\n/);
  expect(joined.stdout).toMatch(/joined: attic has layers \d+-\d+ of breeze, with 2 workers in all\n$/);
  expect(await stages()).toBe(2);
  expectNowhere(token.split(".").at(-1) ?? "", [cluster.dataDir, machine.dataDir]);
  const { text } = await chat(cluster, { messages: [{ role: "user", content: "Hi" }], max_tokens: 8 });
  expect(text).not.toBe("");

  await stopCluster(dataDirAt(machine.dataDir));
  await expect.poll(stages, POLL).toBe(1);
  const again = await machine.again();
  expect(again.stdout).toMatch(/joined: attic has layers \d+-\d+ of breeze/);
  expect((await readClusterRecord(dataDirAt(machine.dataDir)))?.joined).toBe(door);

  const left = await machine.leave();
  expect(left).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^left 127\.0\.0\.1:\d+\. It joins again with/),
  });
  await expect.poll(stages, POLL).toBe(1);
  expect((await machine.leave()).code).toBe(3);
  expect((await machine.leave("--forget")).code).toBe(0);
  expect((await machine.again()).stderr).toMatch(/This machine has not joined a cluster/);
});

test("what is refused is refused by name: used and revoked tokens, a token of another cluster, a closed port", async () => {
  const { door = "" } = cluster.record();
  const { id, token } = await newToken();
  expect((await newMachine().join(door, token, "--name", "one")).code).toBe(0);
  expect((await newMachine().join(door, token, "--name", "two")).stderr).toMatch(/✗ TOKEN_USED_UP\n.*1 of 1 .*\(one\)/);
  const revoked = await newToken();
  await rhone(["token", "revoke", revoked.id, "--data-dir", cluster.dataDir]);
  expect((await newMachine().join(door, revoked.token)).stderr).toMatch(/✗ TOKEN_REVOKED/);
  const other = mkdtempSync(join(tmpdir(), "rhone-other-"));
  onTestFinished(() => rmSync(other, { recursive: true, force: true }));
  const foreign = JSON.parse((await rhone(["token", "create", "--json", "--data-dir", other])).stdout);
  expect((await newMachine().join(door, foreign.token)).stderr).toMatch(
    /✗ AUTHORITY_MISMATCH\n.*Nothing secret was sent/,
  );
  expect((await newMachine().join("127.0.0.1:1", token)).stderr).toMatch(/✗ UNREACHABLE\n.*TCP port 1 of 127\.0\.0\.1/);
  const listed = await rhone(["token", "list", "--data-dir", cluster.dataDir]);
  expect(listed.stdout).toMatch(new RegExp(`${id} +worker +used up +1 of 1 .* one`));
});
