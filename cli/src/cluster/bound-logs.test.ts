import { closeSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { cutLogs } from "./bound-logs.js";

test("a log that is too long goes on in an empty file, and what it had is kept beside it", async () => {
  const folder = await temporaryFolder();
  const log = join(folder, "gateway.log");
  const file = openSync(log, "a"); // as services write theirs
  onTestFinished(() => closeSync(file));
  writeFileSync(join(folder, "worker.log"), "short\n");
  writeSync(file, "first line\n");
  await cutLogs(folder, 10);
  writeSync(file, "next\n");
  await cutLogs(folder, 10);
  expect(readdirSync(folder).sort()).toEqual(["gateway.log", "gateway.log.1", "worker.log"]);
  expect([readFileSync(log, "utf8"), readFileSync(`${log}.1`, "utf8")]).toEqual(["next\n", "first line\n"]);
});
