#!/usr/bin/env node
import { ENTRY_POINTS } from "./processes/entry-points.js";

// What `rhone` runs. `rhone coordinator|shard-worker|gateway FLAGS…` is one process of a cluster, under its guard;
// anything else is the command line, which is not loaded for those.

const SERVICES: Readonly<Record<string, string>> = {
  coordinator: ENTRY_POINTS.coordinator,
  "shard-worker": ENTRY_POINTS.shardWorker,
  gateway: ENTRY_POINTS.gateway,
};

// npm says so to what npx runs; messages suggest commands that begin as this one did.
if (process.env.npm_lifecycle_event === "npx") process.env.RHONE_COMMAND ||= "npx rhone";

const [, , name = ""] = process.argv;
const service = SERVICES[name];
if (service === undefined) {
  await import("./main.js");
} else {
  process.argv.splice(2, 1, service);
  await import("@rhone/common/guard-main");
}
