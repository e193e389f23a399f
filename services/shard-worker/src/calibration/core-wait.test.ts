import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { CoreWait } from "./core-wait.js";

function tasks(threads: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(join(tmpdir(), "rhone-tasks-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const write = (all: Readonly<Record<string, string>>) => {
    for (const [thread, times] of Object.entries(all)) {
      mkdirSync(join(folder, thread), { recursive: true });
      writeFileSync(join(folder, thread, "schedstat"), `${times} 7\n`);
    }
  };
  write(threads);
  return { folder, write };
}

it("is the share of the time that threads waited, those included that began meanwhile", () => {
  const { folder, write } = tasks({ 1: "1000 500", 2: "9000 0" });
  const wait = new CoreWait(folder);
  write({ 1: "4000 1500", 2: "12000 0", 3: "1000 2000" });
  expect(wait.share()).toBeCloseTo(3000 / 10_000);
});

it("is unknown while nothing ran, and where the system does not say", () => {
  const { folder } = tasks({ 1: "1000 500" });
  expect(new CoreWait(folder).share()).toBeNull();
  expect(new CoreWait("/nowhere").share()).toBeNull();
});
