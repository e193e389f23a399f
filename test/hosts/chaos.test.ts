import { expect, test } from "vitest";
import { rhone } from "../cluster/start-cluster.js";
import { skipWithoutHosts } from "./skip-without-hosts.js";

/** Of the JSON report. */
interface Report {
  readonly result: {
    readonly struck: readonly { readonly name: string }[];
    readonly wrong: readonly unknown[];
    readonly lines: Readonly<Record<string, number>>;
  };
}

const FLAGS = [
  "--hosts",
  "--workers",
  "2",
  "--threads",
  "1",
  "--clients",
  "5",
  "--variants",
  "1",
  "--max-tokens",
  "40",
];
const FAULTS = ["--faults", "4", "--seed", "1", "--kinds", "part,cable,link", "--pause-ms", "200..800"];

skipWithoutHosts();

test("parted hosts, pulled cables and reset connections lose, double and change nothing", async ({ skip }) => {
  const args = ["bench", "chaos", "--spawn", ...FLAGS, ...FAULTS, "--part-ms", "1000..3000", "--batch-lines", "5"];
  const { code, stdout, stderr } = await rhone([...args, "--json"], { deadlineMs: 110_000 });
  skip(stderr.includes("so none is known"), "this processor has none of Rhone's kernels");
  expect(code, stderr + stdout).toBe(0);
  const { result } = JSON.parse(stdout) as Report;
  expect(result.struck.map(({ name }) => name.split(" ")[0]).sort()).toEqual(["part", "part", "pull", "reset"]);
  expect(result.wrong).toEqual([]);
  expect(result.lines).toMatchObject({ lost: 0, doubled: 0, failed: 0, wrong: 0 });
});
