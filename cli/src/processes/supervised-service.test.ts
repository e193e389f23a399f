import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RhoneError } from "@rhone/common";
import { expect, test } from "vitest";
import { childEnvironment } from "../config.js";
import { temporaryFolder } from "../testing/temporary-folder.js";
import type { Addresses } from "./service-process.js";
import { RestartBudget, SupervisedService } from "./supervised-service.js";

const DIES_LATER = `process.send({ kind: "listening", service: "x", addresses: { grpc: "127.0.0.1:7" } });
console.log("out of luck"); setTimeout(() => process.exit(7), 20);`;

test("a service that dies again and again keeps its address and is given up with its last words", async () => {
  const folder = await temporaryFolder();
  const entry = join(folder, "entry.mjs");
  await writeFile(entry, DIES_LATER);
  const starts: (Addresses | undefined)[] = [];
  const restarts: RhoneError[] = [];
  const why = await new Promise<RhoneError>((resolve) => {
    const service = new SupervisedService({
      spec: (previous) => {
        starts.push(previous);
        return {
          name: "thing",
          title: "The thing",
          entry,
          args: [],
          env: childEnvironment(),
          logFile: join(folder, "log"),
        };
      },
      onChange: () => {},
      onRestart: (reason) => restarts.push(reason),
      onGiveUp: resolve,
      budget: new RestartBudget({ most: 2, withinMs: 60_000, firstDelayMs: 1 }),
    });
    void service.start();
  });
  expect(starts).toEqual([undefined, { grpc: "127.0.0.1:7" }, { grpc: "127.0.0.1:7" }]);
  expect(restarts).toHaveLength(2);
  expect(why.message).toMatch(/thing ended unexpectedly \(exit code 7\).*out of luck.*restarted 2 times within 60 s/s);
});

const limits = { most: 3, withinMs: 1000, firstDelayMs: 10 };

test("pauses double, then the budget is spent, then the window has passed", () => {
  const budget = new RestartBudget(limits);
  expect([0, 100, 200, 300, 999].map((now) => budget.next(now))).toEqual([10, 20, 40, null, null]);
  expect(budget.next(1050)).toBe(40);
  expect(budget.next(5000)).toBe(10);
});
