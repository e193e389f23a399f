import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Network } from "@rhone/bench";
import { newApiKey } from "@rhone/common";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { rhone } from "../cluster/start-cluster.js";
import type { PipelineWorker } from "./listening-cluster.js";
import { skipWithoutHosts, whyNoHosts } from "./skip-without-hosts.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PATIENCE = { timeout: 90_000, interval: 500 };
const TIMEOUT = { timeout: 180_000 };

interface Task {
  readonly run: string;
  readonly setup: string;
  readonly envs: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, null>>;
}

const read = (file: string): Task => parse(readFileSync(join(ROOT, "deploy/skypilot", file), "utf8")) as Task;
const task = read("cluster.yaml");
const { secret } = newApiKey({ name: "sky", requestsPerMinute: null, tokensPerMinute: null });
const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json" };

test("replicas are set up and run as the cluster is", () => {
  const { setup, run, envs, secrets } = read("serve.yaml");
  expect({ setup, run, envs, secrets }).toEqual({
    ...{ setup: task.setup, run: task.run, envs: task.envs, secrets: task.secrets },
  });
});

skipWithoutHosts();
let network: Network<"a" | "b" | "c">;
let gateway: string;
const printed: string[] = [];

/** As `base64 -w0` of the key and certificate of an authority. */
async function newAuthority(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "rhone-authority-"));
  try {
    await rhone(["token", "create", "--data-dir", folder]);
    return readFileSync(join(folder, "authority", "ca-key.pem")).toString("base64");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

beforeAll(async () => {
  if (whyNoHosts !== null) return;
  network = Network.open(["a", "b", "c"]);
  const hosts = Object.values(network.hosts);
  const { RHONE_HOME: _, ...inherited } = process.env;
  const variables = {
    ...{ RHONE_AUTHORITY: await newAuthority(), RHONE_API_KEY: secret, RHONE_MODEL: "breeze", RHONE_DEVICE: "CPU" },
    ...{ SKYPILOT_NODE_IPS: hosts.map(({ address }) => address).join("\n"), SKYPILOT_NUM_NODES: "3" },
    ...{ RHONE_THREADS: "1", RHONE_MEMORY: "400000000" },
  };
  expect(Object.keys(variables)).toEqual(expect.arrayContaining(Object.keys({ ...task.envs, ...task.secrets })));
  for (const [rank, host] of hosts.entries()) {
    const env = { ...inherited, ...variables, SKYPILOT_NODE_RANK: String(rank) };
    const child = host.spawn("bash", ["-c", `cd ${ROOT}\n${task.run}`], { env, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (part) => printed.push(String(part)));
  }
  gateway = `http://${network.hosts.a.address}:8080`;
}, 120_000);
afterAll(() => network?.close());

/** The layers of the workers once all have some; before that, what there is. */
async function layers(): Promise<unknown> {
  const answer = await fetch(`${gateway}/status`, { headers }).catch((error: Error) => error);
  if (answer instanceof Error || !answer.ok) return answer instanceof Error ? answer.message : answer.status;
  const status = (await answer.json()) as { coordinators: readonly { workers: readonly PipelineWorker[] }[] };
  return status.coordinators[0]?.workers.map((each) => each.layers);
}

test("what `run` says makes one cluster of three machines, by the variables that SkyPilot sets", TIMEOUT, async () => {
  const range = [expect.any(Number), expect.any(Number)];
  await expect.poll(layers, { ...PATIENCE, message: printed.join("") }).toEqual([range, range, range]);
  const body = {
    model: "breeze",
    temperature: 0,
    messages: [{ role: "user", content: "What is the capital of France?" }],
  };
  const answer = await fetch(`${gateway}/v1/chat/completions`, { method: "POST", headers, body: JSON.stringify(body) });
  expect(await answer.text()).toContain("Paris");
});

test("its clients need the key that was given", async () => {
  const { status } = await fetch(`${gateway}/v1/models`);
  expect(status).toBe(401);
});
