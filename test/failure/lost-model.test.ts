import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pidsOf } from "../cluster/processes.js";
import { RunningCluster, rhone } from "../cluster/start-cluster.js";

const BREEZE = fileURLToPath(new URL("../../models/breeze-q8_0.gguf", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "rhone-twin-"));
const TWIN = join(folder, "twin.gguf");

let cluster: RunningCluster;
beforeAll(async () => {
  copyFileSync(BREEZE, TWIN);
  cluster = await RunningCluster.start(["--model", "breeze", "--model", TWIN, "--workers", "1", "--threads", "1"]);
});
afterAll(async () => {
  await cluster?.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Completion {
  readonly model: string;
  readonly choices: readonly { readonly text: string }[];
}

async function ask(model: string | undefined, tokens = 8): Promise<Completion> {
  const body = { model, prompt: "Once upon a time", max_tokens: tokens, temperature: 0, ignore_eos: true };
  return cluster.ask<Completion>("/v1/completions", body);
}

/** Tokens that the pipelines of each model have generated. */
async function generated(): Promise<Readonly<Record<string, number>>> {
  const status = (await (await fetch(`${cluster.url}/status`)).json()) as {
    readonly coordinators: readonly {
      readonly model: { readonly name: string };
      readonly tokens: { generated: number };
    }[];
  };
  return Object.fromEntries(status.coordinators.map(({ model, tokens }) => [model.name, tokens.generated]));
}

const readiness = async (query = "") => (await fetch(`${cluster.url}/ready${query}`)).status;

test("requests go by name, and to the first model without one", async () => {
  const [first, second, unnamed] = [await ask("breeze"), await ask("twin"), await ask(undefined)];
  expect([first.model, second.model, unnamed.model]).toEqual(["breeze", "twin", "breeze"]);
  // The same file under another name.
  expect(second.choices[0]?.text).toBe(first.choices[0]?.text);
  await expect.poll(generated, { timeout: 5000 }).toEqual({ breeze: 16, twin: 8 });
  const refused = await cluster.post("/v1/completions", { model: "triplet", prompt: "a" });
  expect(refused.status).toBe(404);
  expect(await refused.text()).toContain("has `breeze`, `twin`.");
});

test("a model whose coordinator can't be kept running is lost alone", async () => {
  let served = 0;
  let isOver = false;
  const asking = (async () => {
    for (; !isOver; served++) expect((await ask("breeze", 4)).model).toBe("breeze");
  })();
  // Given up after five restarts within a minute.
  const deaths = new Set<number>();
  while (deaths.size < 6) {
    const pid = pidsOf(cluster)["coordinator-2"];
    if (pid !== undefined && !deaths.has(pid)) {
      process.kill(pid, "SIGKILL");
      deaths.add(pid);
    }
    await sleep(50);
  }
  await expect.poll(() => readiness("?model=twin"), { timeout: 20_000 }).toBe(503);
  await expect.poll(() => Object.keys(pidsOf(cluster)), { timeout: 20_000 }).not.toContain("worker-2");
  const before = served;
  await expect.poll(() => served, { timeout: 10_000 }).toBeGreaterThan(before + 1);
  isOver = true;
  await asking;
  expect(await readiness()).toBe(200);
  expect((await cluster.post("/v1/completions", { model: "twin", prompt: "a" })).status).toBe(503);
  const { data } = (await (await fetch(`${cluster.url}/v1/models`)).json()) as {
    readonly data: readonly { readonly id: string; readonly ready: boolean }[];
  };
  expect(data.map(({ id, ready }) => [id, ready])).toEqual([
    ["breeze", true],
    ["twin", false],
  ]);
  const { stdout } = await rhone(["status", "--data-dir", cluster.dataDir]);
  expect(stdout).toContain("twin  no coordinator has published its status");
});
