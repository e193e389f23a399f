import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningCluster, rhone } from "../cluster/start-cluster.js";
import { ip } from "./leftovers.js";
import { Network } from "./network.js";
import { skipWithoutHosts, whyNoHosts } from "./why-no-hosts.js";

const SIMULATE = ["--simulate", "stage-ms=5"];
const PATIENCE = { timeout: 40_000, interval: 200 };
const TIMEOUT = { timeout: 120_000 };
const PROMPT = { prompt: "The sea", max_tokens: 20, ignore_eos: true, temperature: 0, return_token_ids: true };

interface Completion {
  readonly choices: readonly { readonly token_ids: readonly number[] }[];
}

interface Status {
  readonly coordinators: readonly {
    readonly state: string;
    readonly workers: readonly object[];
  }[];
}

skipWithoutHosts();
let network: Network<"a" | "b" | "c">;
let cluster: RunningCluster;
/** As `rhone up` prints it: the words behind `rhone`. */
let invitation: readonly string[];
let alone: readonly number[];

beforeAll(async () => {
  if (whyNoHosts !== null) return;
  network = Network.open(["a", "b", "c"]);
  const { a } = network.hosts;
  const flags = ["--listen", "--host", a.address, "--auth", "off", "--workers", "1", ...SIMULATE];
  const { code, stdout, stderr } = await rhone(["up", "--detach", ...flags], { on: a });
  const url = /^ready (http:\S+)$/m.exec(stdout)?.[1];
  const command = /^ *rhone (join \S+ \S+)$/m.exec(stdout)?.[1];
  if (code !== 0 || url === undefined || command === undefined) throw new Error(`${stdout}${stderr}`);
  cluster = new RunningCluster({ url, dataDir: join(a.folder, ".rhone") });
  invitation = command.split(" ");
  alone = await answer();
});
afterAll(() => network?.close());

const answer = async (): Promise<readonly number[]> =>
  (await cluster.ask<Completion>("/v1/completions", PROMPT)).choices[0]?.token_ids ?? [];

/** Number of workers in the pipeline; null while it is not ready. */
async function workers(): Promise<number | null> {
  const status = (await (await fetch(`${cluster.url}/status`)).json()) as Status;
  const [coordinator] = status.coordinators;
  return coordinator?.state === "ready" ? coordinator.workers.length : null;
}

test("machines join by the command that `rhone up --listen` prints, and serve", TIMEOUT, async () => {
  const { b, c } = network.hosts;
  const began = performance.now();
  const joined = await Promise.all([b, c].map((on) => rhone([...invitation, "--detach", ...SIMULATE], { on })));
  expect(joined.map(({ code, stderr }) => [code, stderr])).toEqual([
    [0, ""],
    [0, ""],
  ]);
  await expect.poll(workers, PATIENCE).toBe(3);
  process.stdout.write(`${((performance.now() - began) / 1000).toFixed(1)} s from join to serving\n`);
  expect(await answer()).toEqual(alone);
});

test("no process, environment or log of the machines has the token", async () => {
  const secret = invitation.at(-1)?.slice(-16) ?? "";
  expect(secret).toHaveLength(16);
  for (const host of Object.values(network.hosts)) {
    const pids = ip("netns", "pids", host.namespace).split("\n").filter(Boolean);
    const shown = pids.flatMap((pid) =>
      ["cmdline", "environ"].map((file) => readFileSync(`/proc/${pid}/${file}`, "utf8")),
    );
    const logs = filesOf(join(host.folder, ".rhone", "logs")).map((path) => readFileSync(path, "utf8"));
    expect([...shown, ...logs].filter((text) => text.includes(secret))).toEqual([]);
  }
});

test("a machine that leaves is let go, and joins again without a token", TIMEOUT, async () => {
  const { b } = network.hosts;
  expect(await rhone(["leave"], { on: b })).toMatchObject({ code: 0, stderr: "" });
  await expect.poll(workers, PATIENCE).toBe(2);
  expect(await answer()).toEqual(alone);
  expect(await rhone(["join", "--detach", ...SIMULATE], { on: b })).toMatchObject({ code: 0, stderr: "" });
  await expect.poll(workers, PATIENCE).toBe(3);
});

function filesOf(folder: string): readonly string[] {
  return readdirSync(folder).map((name) => join(folder, name));
}
