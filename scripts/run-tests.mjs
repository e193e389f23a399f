// ./rhone test: lint, boundaries, then every test; ends with one plain line that counts them.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
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
// Vitest writes no report when it refuses its arguments; it has said why.
const counts = existsSync(report) ? JSON.parse(readFileSync(report, "utf8")) : null;
rmSync(folder, { recursive: true });
if (counts === null) process.exit(status);

const skipped = counts.numPendingTests + counts.numTodoTests;
console.log(`${counts.numPassedTests} passed, ${counts.numFailedTests} failed, ${skipped} skipped`);
process.exit(status);
