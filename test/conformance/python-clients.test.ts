import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { RunningCluster } from "../cluster/start-cluster.js";
import type { Venv } from "./python/venv.js";

// Clients in Python, unmodified. Their checks are pytest's, in python/test_*.py; each is a test here. Most of
// their time goes into imports, so they run beside a file that has another cluster.

const SCRIPTS = fileURLToPath(new URL("python/", import.meta.url));
/** What takes longest to import, 20 s of processor time together; they ask through the packages of the others. */
const HEAVY = ["test_langchain.py", "test_litellm.py", "test_llama_index.py"];
const scripts = readdirSync(SCRIPTS).filter((name) => /^test_.*\.py$/.test(name));
const chosen = scripts.filter((name) => process.env.RHONE_CLIENTS === "all" || !HEAVY.includes(name));
const INSTALL_MS = 300_000;
const RUN_MS = 400_000;

/** One line of the report that python/conftest.py writes: a check with one set of its parameters. */
interface Check {
  readonly script: string;
  readonly name: string;
  /** pytest's word. No check has a reason to skip: an endpoint that is missing is a fault. */
  readonly outcome: "passed" | "failed" | "skipped";
  readonly reason: string;
}

let cluster: RunningCluster | undefined;
/** Why no script runs on this machine. */
let missing: string | undefined;
let checks: readonly Check[] = [];
let output = "";

beforeAll(async () => {
  const outcome = inject("pythonClients");
  await vi.waitUntil(() => existsSync(outcome), { timeout: INSTALL_MS, interval: 100 });
  const venv = JSON.parse(readFileSync(outcome, "utf8")) as Venv | { readonly failed: string };
  if ("failed" in venv) throw new Error(`the Python clients can't be installed: ${venv.failed}`);
  if ("missing" in venv) missing = venv.missing;
  else {
    cluster = await RunningCluster.start(["--workers", "1", "--threads", "1"]);
    await runScripts(venv.python, cluster.url);
  }
}, INSTALL_MS + RUN_MS);
afterAll(() => cluster?.stop());

/** All scripts in one process, which imports what the clients share once. */
async function runScripts(python: string, url: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "rhone-python-"));
  const report = join(folder, "report.jsonl");
  // Compiling what the clients import takes longer than their checks: it is kept in the environment's folder.
  const bytecode = join(dirname(python), "..", "bytecode");
  const kept = { PYTHONDONTWRITEBYTECODE: "", PYTHONPYCACHEPREFIX: bytecode };
  const env = { ...process.env, ...kept, RHONE_URL: url, RHONE_REPORT: report };
  const args = ["-m", "pytest", ...chosen.map((script) => join(SCRIPTS, script))];
  const child = spawn(python, args, { env, stdio: ["ignore", "pipe", "inherit"], timeout: RUN_MS });
  output = await text(child.stdout);
  const lines = existsSync(report) ? readFileSync(report, "utf8").trim().split("\n") : [];
  checks = lines.map((line) => JSON.parse(line) as Check);
  rmSync(folder, { recursive: true });
}

for (const script of scripts) {
  const source = readFileSync(join(SCRIPTS, script), "utf8");
  describe(script.slice("test_".length, -".py".length), () => {
    for (const [, name = ""] of source.matchAll(/^def test_(\w+)/gm)) {
      test(name.replaceAll("_", " "), ({ skip }) => {
        skip(!chosen.includes(script), "this client takes long to import; RHONE_CLIENTS=all runs it");
        skip(missing !== undefined, missing);
        const mine = checks.filter((check) => check.script === script && check.name === name);
        expect(mine.length, `it did not run:\n${output.slice(-3000)}`).toBeGreaterThan(0);
        const failed = mine.filter(({ outcome }) => outcome !== "passed");
        if (failed.length > 0) throw new Error(failed.map(({ reason }) => reason).join("\n\n"));
      });
    }
  });
}
