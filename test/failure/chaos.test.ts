import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { rhone } from "../cluster/start-cluster.js";

/** Of the JSON report. */
interface Report {
  readonly result: {
    readonly struck: readonly { readonly name: string }[];
    readonly skipped: Readonly<Record<string, string>>;
    readonly streams: Readonly<Record<string, number>>;
    readonly wrong: readonly unknown[];
    readonly lines: Readonly<Record<string, number>>;
  };
}

const FLAGS = ["--workers", "2", "--threads", "1", "--clients", "5", "--variants", "1", "--max-tokens", "50"];
const FAULTS = ["--faults", "8", "--seed", "7", "--pause-ms", "200..800", "--stop-ms", "1500..2500"];
// 10 s by default, which would make a slow test.
const env = { RHONE_JOB_LOCK: "3" };

test("eight faults of a seed, of every kind that one host has, lose, double and change nothing", async ({ skip }) => {
  const home = mkdtempSync(join(tmpdir(), "rhone-chaos-"));
  onTestFinished(() => rmSync(home, { recursive: true }));
  const args = ["bench", "chaos", "--spawn", "--data-dir", home, ...FLAGS, ...FAULTS, "--batch-lines", "5", "--json"];
  const { code, stdout, stderr } = await rhone(args, { env, deadlineMs: 110_000 });
  skip(stderr.includes("so none is known"), "this processor has none of Rhone's kernels");
  expect(code, stderr + stdout).toBe(0);
  const { result } = JSON.parse(stdout) as Report;
  expect(result.struck.length).toBe(8);
  expect(new Set(result.struck.map(({ name }) => name)).size).toBe(8);
  expect(Object.keys(result.streams).sort()).toEqual(["greedy", "logprobs", "sampled", "schema", "tools"]);
  expect(result.wrong).toEqual([]);
  expect(result.lines).toMatchObject({ lost: 0, doubled: 0, failed: 0, wrong: 0 });
  expect(result.lines.asked).toBeGreaterThan(0);
});
