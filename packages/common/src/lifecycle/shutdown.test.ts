import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import type { Logger } from "../observability/logger.js";
import { Shutdown } from "./run-service.js";

function recording() {
  const events: unknown[] = [];
  const error = (fields: { resource: string; err: Error }, message: string) =>
    events.push([message, fields.resource, fields.err.message]);
  return { events, shutdown: new Shutdown({ error } as unknown as Logger) };
}

it("closes the last opened first, and each only after the one before has closed", async () => {
  const { events, shutdown } = recording();
  for (const name of ["redis", "queue", "http"]) {
    shutdown.add(name, async () => {
      events.push(`${name} closing`);
      await turn();
      events.push(`${name} closed`);
    });
  }
  await shutdown.run();
  expect(events).toEqual(["http", "queue", "redis"].flatMap((name) => [`${name} closing`, `${name} closed`]));
});

it.each([
  [
    "throws",
    () => {
      throw new Error("broken");
    },
  ],
  ["rejects", () => Promise.reject(new Error("broken"))],
])("goes on when a closer %s, and logs which", async (_, close) => {
  const { events, shutdown } = recording();
  shutdown.add("first", () => void events.push("first closed"));
  shutdown.add("broken", close);
  shutdown.add("last", () => void events.push("last closed"));
  await shutdown.run();
  expect(events).toEqual(["last closed", ["close failed", "broken", "broken"], "first closed"]);
});

it("closes nothing twice", async () => {
  const { events, shutdown } = recording();
  shutdown.add("once", () => void events.push("closed"));
  await Promise.all([shutdown.run(), shutdown.run()]);
  await shutdown.run();
  expect(events).toEqual(["closed"]);
});
