// ./rhone test: lint, boundaries, then every test; ends with one plain line that counts them.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const run = (command, args) => spawnSync(command, args, { cwd: root, stdio: "inherit" }).status ?? 1;

const lintStatus = run("npm", ["run", "--silent", "lint"]);
if (lintStatus !== 0) process.exit(lintStatus);

const folder = mkdtempSync(join(tmpdir(), "rhone-test-"));
const report = join(folder, "report.json");
const args = ["vitest", "run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
const status = run("npx", [...args, ...process.argv.slice(2)]);
const counts = JSON.parse(readFileSync(report, "utf8"));
rmSync(folder, { recursive: true });

const skipped = counts.numPendingTests + counts.numTodoTests;
console.log(`${counts.numPassedTests} passed, ${counts.numFailedTests} failed, ${skipped} skipped`);
process.exit(status);
