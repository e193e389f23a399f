import { hostname } from "node:os";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { serve } from "../../../packages/client/src/testing/serve.js";
import type { PlanReport } from "../planning/plan-report.js";
import { freshDataDir, recordedCluster } from "../testing/recorded-cluster.js";
import { runCommand } from "../testing/run-command.js";
import { clusterStatus, workerStatus } from "../testing/sample-status.js";

describe("rhone plan", () => {
  it.each([
    ["a model and the running cluster", ["--model", "breeze", "--running"], "Give --model or --running, not both."],
    [
      "settings for the plan in force",
      ["--running", "--workers", "4", "--kv-type", "f32"],
      "--workers, --kv-type can't change the plan in force; leave --running out to plan its model with them.",
    ],
  ])("refuses %s", async (_, flags, message) => {
    const { root } = await freshDataDir();
    const { error } = await runCommand("plan", "--data-dir", root, ...flags);
    expect(error).toMatchObject({ code: "INVALID_CONFIG", message });
  });

  it("shows the running cluster's plan, with the asked numbers of streams", async () => {
    const status = clusterStatus([workerStatus("a", [0, 4]), workerStatus("b", [4, 8])]);
    const { url } = await serve((_, response) => response.end(JSON.stringify(status)));
    const { root } = await recordedCluster({ operations: new URL(url).host });
    const { stdout } = await runCommand("plan", "--data-dir", root, "--concurrency", "2,4");
    expect(stdout).toMatch(
      /^m8 {2}2 workers x 1 thread, 100 f16 pages of 32 positions, context 4096, computed by ggml\n/,
    );
    expect(stdout).toMatch(/1 stream +2 streams +4 streams/);
  });

  it("plans the running cluster's model with the flags that are given, and its own settings otherwise", async () => {
    const breeze = fileURLToPath(new URL("../../../models/breeze-q8_0.gguf", import.meta.url));
    const running = clusterStatus([
      workerStatus("a", [0, 16], { hostname: hostname(), memoryTotal: 3e9 }),
      workerStatus("b", [16, 32], { hostname: hostname(), memoryTotal: 3e9 }),
    ]);
    const model = { ...running.model, path: breeze, contextLength: 256, slidingWindow: 64, nLayers: 32 };
    const { url } = await serve((_, response) => response.end(JSON.stringify({ ...running, kvType: "q8_0", model })));
    const { root } = await recordedCluster({ operations: new URL(url).host });
    const { stdout, stderr } = await runCommand(
      "plan",
      "--data-dir",
      root,
      "--workers",
      "3",
      "--threads",
      "1",
      "--json",
    );
    const report = JSON.parse(stdout) as PlanReport;
    expect(report).toMatchObject({
      model: "breeze",
      kvType: "q8_0",
      contextLength: 256,
      shape: { workers: 3, threads: 1 },
    });
    expect(report.shape.stages.map(({ memoryTotal }) => memoryTotal)).toEqual([2e9, 2e9, 2e9]);
    expect(report.shape.stages[0]?.memoryFrom).toBe("what the running workers have");
    expect(stderr).toContain("timing 3 workers with 1 thread each\n");
  }, 60_000);

  it("plans what `up` would start where no cluster runs", async () => {
    const { root } = await freshDataDir();
    const { stdout } = await runCommand("plan", "--data-dir", root, "--memory", "1G", "--link", "1G");
    expect(stdout).toMatch(/^breeze {2}2 workers x \d+ threads?, /);
    expect(stdout).toContain("The link carries 125 MB/s.");
    expect(stdout).toContain("\nLIMIT is 1.0 GB per worker: set by --memory.\n");
    const { error } = await runCommand("plan", "--data-dir", root, "--running");
    expect(error).toMatchObject({ code: "NOT_RUNNING" });
  }, 60_000);

  it.each([
    ["is starting", {}, "The cluster is still starting."],
    ["does not answer", { operations: "127.0.0.1:1" }, /no plan yet .*: the coordinator does not answer\.$/],
  ])("fails while the cluster %s", async (_, about, message) => {
    const { root } = await recordedCluster(about);
    const { error } = await runCommand("plan", "--data-dir", root);
    expect(error).toMatchObject({ code: "NO_PIPELINE", message: expect.stringMatching(message) });
  });

  it("refuses a model that does not fit before it times anything", async () => {
    const { root } = await freshDataDir();
    const { error } = await runCommand("plan", "--model", "breeze", "--memory", "2M", "--data-dir", root);
    expect(error).toMatchObject({ code: "NOT_ENOUGH_MEMORY" });
  });

  it("refuses kernels that the processor does not run before it reads the model", async () => {
    const { root } = await freshDataDir();
    const foreign = process.arch === "arm64" ? "avx2" : "neon-dotprod";
    const { error } = await runCommand("plan", "--model", "nothing.gguf", "--kernels", foreign, "--data-dir", root);
    expect(error).toMatchObject({ code: "KERNELS_UNAVAILABLE", message: expect.stringContaining("it runs") });
  });

  it("names the devices when one is asked for that is not there", async () => {
    const { root } = await freshDataDir();
    const { error } = await runCommand("plan", "--model", "breeze", "--device", "CUDA9", "--data-dir", root);
    expect(error).toMatchObject({ code: "DEVICE_NOT_FOUND", message: expect.stringMatching(/"CUDA9"; .* has .*CPU/) });
  });
});

describe("rhone device", () => {
  it("lists what this machine computes on", async () => {
    const { stdout } = await runCommand("device", "ls");
    expect(stdout).toMatch(/^NAME +KIND +MEMORY +FREE +KERNELS +DESCRIPTION\n/);
    const json = await runCommand("device", "ls", "--json");
    expect((JSON.parse(json.stdout) as { name: string }[]).map(({ name }) => name)).toContain("CPU");
  });

  it("refuses a kind that has no libraries, with those that have", async () => {
    const { error } = await runCommand("device", "add", "tpu");
    expect(error).toMatchObject({ code: "DEVICE_NOT_FOUND", message: expect.stringContaining("tpu") });
  });
});
