import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SCENARIOS } from "@rhone/bench";
import { afterEach, describe, expect, it } from "vitest";
import { FakeGateway } from "../../../packages/bench/src/testing/fake-gateway.js";
import { freshDataDir, recordedCluster } from "../testing/recorded-cluster.js";
import { runCommand } from "../testing/run-command.js";
import { temporaryFolder } from "../testing/temporary-folder.js";

let gateway: FakeGateway | undefined;
afterEach(() => gateway?.close());

const PREFIX = ["bench", "prefix", "--prefix-tokens", "8", "--tail-tokens", "8", "--requests", "1"];

describe("rhone bench", () => {
  it("measures the gateway of --url and prints tables and lines", async () => {
    gateway = await FakeGateway.open();
    const { stdout, error } = await runCommand(...PREFIX, "--url", `${gateway.url}/`);
    expect(error).toBeUndefined();
    expect(stdout).toMatch(/^REQUEST +TTFT ms +CACHED TOKENS\n +1 .*0 of 16\n +2 .*8 of 16\n\nTTFT later \/ first: /);
  });

  it("measures the cluster of the data directory, and notes each turn", async () => {
    gateway = await FakeGateway.open();
    const { root } = await recordedCluster({ url: gateway.url });
    const args = ["bench", "sweep", "-c", "1", "--max-tokens", "6", "--data-dir", root];
    const { stdout, stderr } = await runCommand(...args);
    expect(stdout).toMatch(/^STREAMS +TTFT p50/);
    expect(stderr).toMatch(/^1 stream: decode \d/);
  });

  it("prints and writes the report as JSON, without addresses and paths", async () => {
    gateway = await FakeGateway.open();
    const out = join(await temporaryFolder(), "report.json");
    const { stdout } = await runCommand(...PREFIX, "--url", gateway.url, "--json", "--out", out);
    const report = JSON.parse(stdout) as { options: object };
    expect(report).toMatchObject({
      scenario: "prefix",
      clusters: [{ model: { name: "tiny", layers: 2 } }],
      options: { prefixTokens: 8, tailTokens: 8, requests: 1, maxTokens: 8 },
      result: { promptTokens: 16 },
    });
    for (const key of ["url", "dataDir", "out", "json", "model"]) expect(report.options).not.toHaveProperty(key);
    expect(await readFile(out, "utf8")).toBe(stdout);
  });

  it.each([
    ["--spawn and --url", ["--spawn", "--url", "http://127.0.0.1:1"], /^Give --spawn .* or --url/],
    [
      "settings for a running cluster",
      ["--workers", "4", "--sliding-window", "64"],
      /^--workers, --sliding-window can't change a running cluster\. Add --spawn/,
    ],
  ])("refuses %s", async (_, flags, message) => {
    const { error } = await runCommand(...PREFIX, ...flags);
    expect(error).toMatchObject({ code: "INVALID_CONFIG", message: expect.stringMatching(message) });
  });

  it("refuses a scenario that starts clusters of its own without --spawn", async () => {
    gateway = await FakeGateway.open();
    const { error } = await runCommand("bench", "speculate", "--url", gateway.url);
    expect(error).toMatchObject({
      message: "--speculate can't change a running cluster. Add --spawn to measure a new one.",
    });
  });

  it("kills nothing of a running cluster", async () => {
    gateway = await FakeGateway.open();
    const { root } = await recordedCluster({ url: gateway.url });
    const { error } = await runCommand("bench", "chaos", "--data-dir", root);
    const message = expect.stringMatching(/kills processes, so it measures no running cluster\. Add --spawn/);
    expect(error).toMatchObject({ code: "INVALID_CONFIG", message });
  });

  it("refuses a setting that the scenario chooses itself", async () => {
    const { error } = await runCommand("bench", "speculate", "--spawn", "--speculate", "4", "-c", "1");
    expect(error).toMatchObject({
      code: "INVALID_CONFIG",
      message: "The scenario itself chooses --speculate 0. Leave the flag out.",
    });
  });

  it.each([
    ["kernels", ["--spawn", "--workers", "--url", "--data-dir", "--kernels"]],
    ["scale", ["--url"]],
    ["chaos", ["--url"]],
    ["soak", ["--url"]],
  ])("%s refuses flags of clusters that it never measures", async (scenario, flags) => {
    for (const flag of flags) {
      const { error } = await runCommand("bench", scenario, flag);
      expect(error).toMatchObject({ code: "commander.unknownOption", message: expect.stringContaining(`'${flag}'`) });
    }
  });

  it.each(SCENARIOS)("the help of $name shows its own examples, whose flags it has", async ({ name, examples }) => {
    const { stdout } = await runCommand("bench", name, "--help");
    const [usage = "", shown = ""] = stdout.split("Examples:\n");
    expect(shown.match(/^ {2}rhone bench .*$/gm)).toEqual(
      examples.map(({ flags }) => `  rhone bench ${name} ${flags}`.trimEnd()),
    );
    expect(examples.length).toBeGreaterThan(0);
    for (const flag of examples.flatMap(({ flags }) => flags.match(/(?<!\S)--?[a-z][a-z-]*/g) ?? [])) {
      expect(usage).toMatch(new RegExp(`^ .*(?<!\\S)${flag}(?![a-z-])`, "m"));
    }
  });

  it("says that no cluster is running", async () => {
    const { root } = await freshDataDir();
    for (const command of [PREFIX, ["bench", "soak"]])
      expect((await runCommand(...command, "--data-dir", root)).error).toMatchObject({ code: "NOT_RUNNING" });
  });
});
