// Checks the chart as its users would meet it: `helm lint`, its unit tests, and each mode with each file of values
// against the strict schemas of Kubernetes and of the custom resources. node deploy/helm/check/check.mjs
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { KUBERNETES, openTools } from "./tools.mjs";

const run = promisify(execFile);
export const CHART = join(dirname(fileURLToPath(import.meta.url)), "..", "rhone");
export const MODES = ["statefulset", "leaderworkerset"];
export const VALUES = readdirSync(join(CHART, "ci")).map((file) => basename(file, "-values.yaml"));

/** What Helm is told of a mode and a file of values. Only the LeaderWorkerSet can be scaled. */
const flags = (mode, values) => [
  ...["--kube-version", KUBERNETES, "--values", join(CHART, "ci", `${values}-values.yaml`), "--set", `mode=${mode}`],
  ...(mode === "leaderworkerset" ? ["--set", "keda.enabled=true,keda.serverAddress=http://prometheus:9090"] : []),
];

/** @param {{ bin: string, schemas: string }} tools */
export function chartChecks({ bin, schemas }) {
  const tool = (name, ...args) => run(join(bin, name), args, { maxBuffer: 2 ** 26 });
  const render = async (mode, values) =>
    (await tool("helm", "template", "r", CHART, "--namespace", "rhone", ...flags(mode, values))).stdout;
  return {
    /** Throws what Helm says when it has a complaint. */
    lint: async (mode, values) => (await tool("helm", "lint", CHART, "--strict", ...flags(mode, values))).stdout,
    unitTests: async () => (await tool("helm-unittest", "--color=false", CHART)).stdout,
    render,
    /** kubeconform's summary; throws with its findings. */
    conform: async (manifests) => {
      const location = join(schemas, "{{.ResourceKind}}{{.KindSuffix}}.json");
      const child = run(join(bin, "kubeconform"), ["-strict", "-summary", "-schema-location", location]);
      child.child.stdin.end(manifests);
      return (await child).stdout.trim();
    },
  };
}

async function main() {
  const tools = await openTools();
  if ("missing" in tools) throw new Error(tools.missing);
  const checks = chartChecks(tools);
  console.log((await checks.unitTests()).trim());
  for (const mode of MODES) {
    for (const values of VALUES) {
      const linted = (await checks.lint(mode, values)).trim().split("\n").at(-1);
      console.log(`${mode}, ${values}: ${linted}; ${await checks.conform(await checks.render(mode, values))}`);
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main().catch((error) => {
    console.error(`${error.stdout ?? ""}${error.stderr ?? error.stack}`);
    process.exitCode = 1;
  });
}
