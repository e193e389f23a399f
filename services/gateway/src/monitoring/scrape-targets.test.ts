import type { WorkerStatus } from "@rhone/common";
import { expect, it } from "vitest";
import { status } from "../testing/coordinator-status.js";
import { scrapeTargets } from "./scrape-targets.js";

const worker = (name: string, layers: [number, number] | null, operations = `${name}:7201`) =>
  ({ worker: name, hostname: "h", layers, operations }) as unknown as WorkerStatus;

it("names every process with metrics, and leaves out those without an address", () => {
  const workers = [worker("b", [4, 8]), worker("a", [0, 4]), worker("spare", null), worker("silent", null, "")];
  const targets = scrapeTargets({
    gateways: [{ id: "g1", address: "g:8080" }],
    coordinators: [status("c1", { operations: "c:7101", workers })],
    isSecure: false,
  });
  const pipeline = { pipeline: "c:7101", __meta_rhone_coordinator: "c1", __meta_rhone_model: "tiny" };
  const about = (name: string, stage: string) => ({
    targets: [`${name}:7201`],
    labels: {
      job: "shard-worker",
      ...pipeline,
      __meta_rhone_worker: name,
      __meta_rhone_hostname: "h",
      __meta_rhone_stage: stage,
    },
  });
  expect(targets).toEqual([
    { targets: ["g:8080"], labels: { job: "gateway", __meta_rhone_gateway: "g1" } },
    { targets: ["c:7101"], labels: { job: "coordinator", ...pipeline } },
    about("b", "1"),
    about("a", "0"),
    about("spare", ""),
  ]);
});

it("says that coordinators and workers want TLS, and gateways do not", () => {
  const [gateway, coordinator] = scrapeTargets({
    gateways: [{ id: "g1", address: "g:8080" }],
    coordinators: [status("c1")],
    isSecure: true,
  });
  expect(gateway?.labels).not.toHaveProperty("__scheme__");
  expect(coordinator?.labels).toMatchObject({ __scheme__: "https" });
});
