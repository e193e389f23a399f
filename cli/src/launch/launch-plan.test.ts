import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MemoryClaim } from "@rhone/common";
import { inspectModel } from "@rhone/model";
import { modelRequest } from "@rhone/planner";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { freshDataDir } from "../testing/recorded-cluster.js";
import type { ClusterOptions } from "./cluster-options.js";
import { claimLaunch, hintAfter, type PipelinePlan, planLaunch } from "./launch-plan.js";

const folder = mkdtempSync(join(tmpdir(), "rhone-launch-"));
afterAll(() => rmSync(folder, { recursive: true }));
const BROKEN = join(folder, "broken.jinja");
writeFileSync(BROKEN, "{% for %}");
const MACHINE = {
  cores: 6,
  availableMemory: 10e9,
  memory: { bytes: 10e9, available: { bytes: 10e9, group: null }, claimed: 0 },
};
const options = (changes: Partial<ClusterOptions> = {}): ClusterOptions => ({
  ...{ dataDir: "/d", model: "breeze", host: "127.0.0.1", port: 0, kvType: "f16" },
  ...changes,
});
const launch = async (changes: Partial<ClusterOptions> = {}, machine = MACHINE) =>
  planLaunch(options(changes), await freshDataDir(), machine);
/** The first pipeline. */
async function plan(changes: Partial<ClusterOptions> = {}, machine = MACHINE): Promise<PipelinePlan> {
  const [first] = (await launch(changes, machine)).pipelines;
  if (first === undefined) throw new Error("A cluster has a pipeline");
  return first;
}

const MODEL = fileURLToPath(new URL("../../../test/fixtures/oracle/mistral-8l-full/model-f32.gguf", import.meta.url));

describe("planLaunch, of a model that is no demonstration", () => {
  it.each([
    [
      "one worker with all cores",
      {},
      { workers: 1, threads: 6 },
      /^1 worker x 6 threads: predicted fastest on 6 cores; 2 workers would reach \d+ % of that\. --workers sets/,
    ],
    [
      "more where each gets few threads",
      { threads: 1 },
      { threads: 1 },
      /^\d workers? x 1 thread: predicted fastest on 6 cores/,
    ],
    [
      "one worker on a device",
      { device: "CUDA0" },
      { workers: 1, memory: undefined },
      /^1 worker: predicted fastest on CUDA0/,
    ],
    ["what is asked", { workers: 3 }, { workers: 3, threads: 2 }, null],
  ])("takes %s, and says why", async (_, changes, expected, why) => {
    const made = await plan({ model: MODEL, ...changes });
    expect(made).toMatchObject(expected);
    if (why === null) expect(made.why).toBeNull();
    else expect(made.why).toMatch(why);
  });

  it("takes more workers where each may use little memory, and refuses where none would do", async () => {
    const { weights, pageBytes } = modelRequest(await inspectModel(MODEL), options());
    const memory =
      Math.ceil(weights.embeddingBytes + weights.headBytes + 4 * (weights.layerBytes[0] ?? 0)) + 99 * pageBytes;
    const made = await plan({ model: MODEL, memory, context: 64 });
    expect(made.workers).toBeGreaterThan(1);
    expect(made.why).toMatch(/^\d workers x \d threads?: (fewer workers of .* can't hold the model|predicted fastest)/);
    await expect(plan({ model: MODEL, memory: 1000 })).rejects.toMatchObject({
      code: "NOT_ENOUGH_MEMORY",
      message: expect.stringMatching(/ What one worker has is set by --memory\.$/),
    });
    const listening = await plan({ model: MODEL, memory: 1000, listen: true });
    expect(listening).toMatchObject({ workers: 1, why: expect.stringMatching(/Others that join hold the rest\.$/) });
  });
});

describe("planLaunch", () => {
  it("serves Breeze on two workers that divide cores and 90 % of the memory", async () => {
    const { model, workers, threads, memory, memoryFrom, why } = await plan();
    expect(model).toMatchObject({ name: "breeze", path: expect.stringMatching(/breeze-q8_0\.gguf$/) });
    expect(model.description).toMatch(/^Breeze, a demonstration model of 6 M parameters/);
    expect({ workers, threads, memory, why }).toEqual({ workers: 2, threads: 3, memory: 4.5e9, why: null });
    expect(memoryFrom).toBe("45 % of 10.0 GB free");
  });

  it.each([
    ["threads that are given", { workers: 4, threads: 9 }, { workers: 4, threads: 9, memory: 2.25e9 }],
    ["a remainder of the cores", { workers: 4 }, { workers: 4, threads: 1, memory: 2.25e9 }],
    ["more workers than cores", { workers: 8 }, { workers: 8, threads: 1, memory: 1.125e9 }],
    ["memory that is given", { memory: 1e9 }, { threads: 3, memory: 1e9, memoryFrom: "set by --memory" }],
    ["a device, which has its own memory", { device: "CUDA0" }, { workers: 2, threads: 3, memory: undefined }],
  ])("%s", async (_, changes, expected) => expect(await plan(changes)).toMatchObject(expected));

  it("refuses more workers than layers, and says how many there may be", async () => {
    await expect(plan({ workers: 33 })).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: "33 workers can't share 32 layers. Set --workers to 32 or less.",
    });
  });

  it("says of a file that is no model that it is not GGUF", async () => {
    const refusal = { code: "GGUF_MALFORMED", message: expect.stringMatching(/package\.json.* is not a GGUF file/) };
    await expect(plan({ model: "package.json" })).rejects.toMatchObject(refusal);
  });

  it("names a file that is given by path after the file", async () => {
    const { model } = await plan({ model: (await plan()).model.path });
    expect(model.name).toMatch(/^breeze/);
  });

  it.each([
    ["the catalogue's", {}, "mistral-v1"],
    ["a name", { chatTemplate: "chatml" }, "chatml"],
    ["a file", { chatTemplate: fileURLToPath(new URL("../../../README.md", import.meta.url)) }, /README\.md$/],
  ])("has the chat template: %s", async (_, changes, expected) => {
    const { model } = await plan(changes);
    expect(model.chatTemplate).toMatch(expected);
  });

  it("says of a model that can't chat why", async () => {
    expect((await plan()).model.chatRefusal).toBeUndefined();
    const { model } = await plan({ chatTemplate: "none" });
    expect(model.chatRefusal).toMatch(
      / is a base model without a chat template\. Use \/v1\/completions, or start with/,
    );
  });

  it.each([
    [
      "no name and no file",
      "mistral-v9",
      "INVALID_CONFIG",
      /^--chat-template mistral-v9 is neither a file nor one of /,
    ],
    ["a file that can't be parsed", BROKEN, "INVALID_CONFIG", /broken\.jinja can't be parsed as a Jinja template/],
    ["a template of another vocabulary", "mistral-v3", "MODEL_UNSUPPORTED", /whose token 3 is \[INST\]/],
  ])("refuses a chat template before anything starts: %s", async (_, chatTemplate, code, message) => {
    const refusal = { code, message: expect.stringMatching(message) };
    await expect(plan({ chatTemplate })).rejects.toMatchObject(refusal);
  });

  it("refuses a model that is not there", async () => {
    await expect(plan({ model: "mistral-7b-instruct-v0.3" })).rejects.toMatchObject({ code: "MODEL_NOT_FOUND" });
  });
});

describe.runIf(process.platform === "linux")("claimLaunch", () => {
  it("claims what the workers will hold, so that who plans next counts on the rest", async () => {
    const claims = mkdtempSync(join(tmpdir(), "rhone-claims-"));
    onTestFinished(() => rmSync(claims, { recursive: true }));
    const claim = new MemoryClaim(claims);
    const { pipelines } = await claimLaunch(
      options({ model: MODEL, workers: 2, memory: 1e9 }),
      await freshDataDir(),
      claim,
    );
    const { weights, pageBytes } = modelRequest(await inspectModel(MODEL), options());
    const held = JSON.parse(readFileSync(join(claims, String(process.pid)), "utf8")) as { readonly bytes: number };
    expect(held.bytes).toBeGreaterThan(weights.wholeBytes + 2 * pageBytes);
    expect(held.bytes).toBeLessThan(2e9);
    expect(pipelines[0]).toMatchObject({ workers: 2, memory: 1e9, memoryFrom: "set by --memory" });
  });
});

describe("planLaunch, of several pipelines", () => {
  it("gives each model cores alike and memory by its bytes", async () => {
    const { models, pipelines } = await launch({ moreModels: [MODEL], workers: 1 });
    expect(models.map(({ name }) => name)).toEqual(["breeze", "model-f32"]);
    expect(pipelines.map(({ label, workersBefore, threads }) => [label, workersBefore, threads])).toEqual([
      ["breeze", 0, 3],
      ["model-f32", 1, 3],
    ]);
    const bytes = await Promise.all(models.map(async ({ path }) => (await inspectModel(path)).weightBytes.total));
    const [first = 0, second = 0] = bytes;
    const shares = pipelines.map(({ memory = 0 }) => memory / 9e9);
    expect(shares[0]).toBeCloseTo(first / (first + second), 6);
    expect(shares[1]).toBeCloseTo(second / (first + second), 6);
  });

  it("gives replicas the same share each, and numbers their workers on", async () => {
    const { models, pipelines } = await launch({ replicas: 3 });
    expect(models).toHaveLength(1);
    expect(pipelines.map(({ label, workersBefore }) => [label, workersBefore])).toEqual([
      ["breeze (1 of 3)", 0],
      ["breeze (2 of 3)", 2],
      ["breeze (3 of 3)", 4],
    ]);
    expect(pipelines.map(({ workers, threads, memory }) => [workers, threads, memory])).toEqual(
      Array(3).fill([2, 1, 1_499_999_999]),
    );
  });

  it("refuses two models of one name", async () => {
    const refusal = {
      code: "INVALID_CONFIG",
      message: expect.stringMatching(/^Two models are called breeze: --replicas/),
    };
    await expect(launch({ moreModels: ["Breeze"] })).rejects.toMatchObject(refusal);
  });
});

describe("hintAfter", () => {
  it("tells how to get and serve Mistral 7B, only to those who serve Breeze", async () => {
    const dataDir = await freshDataDir();
    const place = `--data-dir ${dataDir.root}`;
    expect(await hintAfter(options(), dataDir)).toBe(
      `For Mistral 7B: rhone model pull mistral-7b-instruct-v0.3 ${place} && rhone down ${place} && ` +
        `rhone up --model mistral-7b-instruct-v0.3 ${place}`,
    );
    expect(await hintAfter(options({ model: "./my.gguf" }), dataDir)).toBeUndefined();
    expect(await hintAfter(options({ moreModels: ["./my.gguf"] }), dataDir)).toBeUndefined();
  });

  it("leaves the pull out when the model is there", async () => {
    const dataDir = await freshDataDir();
    await mkdir(dataDir.models, { recursive: true });
    const hint = await hintAfter(options(), dataDir);
    const [, name = ""] = /model pull (\S+)/.exec(hint ?? "") ?? [];
    const { findModel, modelPath } = await import("@rhone/model");
    const entry = findModel(name);
    if (entry === undefined) throw new Error(`${name} is not in the catalogue`);
    await writeFile(modelPath(entry, dataDir.models), "");
    expect(await hintAfter(options(), dataDir)).toMatch(/^For Mistral 7B: rhone down .* && rhone up --model /);
  });
});
