// ./rhone test: lint, boundaries, then every test; ends with one plain line that counts them.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const run = (command, args) => spawnSync(command, args, { cwd: root, stdio: "inherit" }).status ?? 1;

// At once: the compiler needs one core for as long as the others need the second.
const lints = ["lint:text", "lint:types"].map((name) =>
  once(spawn("npm", ["run", "--silent", name], { cwd: root, stdio: "inherit" }), "exit"),
);
const failed = (await Promise.all(lints)).find(([code]) => code !== 0);
if (failed !== undefined) process.exit(failed[0] ?? 1);

const folder = mkdtempSync(join(tmpdir(), "rhone-test-"));
const report = join(folder, "report.json");
const vitest = join(root, "node_modules/vitest/vitest.mjs");
const args = [vitest, "run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
const status = run(process.execPath, [...args, ...process.argv.slice(2)]);
// Vitest writes no report when it refuses its arguments; it has said why.
const counts = existsSync(report) ? JSON.parse(readFileSync(report, "utf8")) : null;
rmSync(folder, { recursive: true });
if (counts === null) process.exit(status);

const skipped = counts.numPendingTests + counts.numTodoTests;
console.log(`${counts.numPassedTests} passed, ${counts.numFailedTests} failed, ${skipped} skipped`);
process.exit(status);
