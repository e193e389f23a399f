import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/**
 * Files share their worker, which saves half of the processor time: it loads what they import once. Node itself loads
 * what is built, so that a worker has one copy of ggml, as koffi demands, however many files use it.
 */
const shared = { isolate: false, server: { deps: { external: [/\/(dist|generated)\//] } } };
const unit = {
  expect: { poll: { timeout: 10_000 } }, // 1 s by default, which a busy machine exceeds
  testTimeout: 20_000, // several wait 3 to 4 s for a hung process to be found, beside another file
  // A sixth of their time is waiting: for processes, timers, disks. Vitest would leave one core idle, half of two.
  maxWorkers: Math.ceil(1.5 * availableParallelism()),
};
/** One replaces a module before others load it, one looks at memory that no other buffer has had. */
const OWN_PROCESS = ["kernels/changed-library", "tensors/huge-pages"].map(
  (name) => `packages/ggml/src/${name}.test.ts`,
);
const PYTHON = "test/conformance/python-clients.test.ts";
const UNCHANGED = "test/held-up/unchanged-texts.test.ts";
const system = { ...shared, testTimeout: 120_000, hookTimeout: 120_000 };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...unit,
          ...shared,
          name: "unit",
          include: [
            "{packages,services}/*/src/**/*.test.ts",
            "{cli,console}/src/**/*.test.ts",
            "scripts/**/*.test.mjs",
            "test/docs/**/*.test.ts",
          ],
          exclude: ["packages/ggml/**"],
        },
      },
      {
        // They load ggml from its sources, and a process can load one copy of it.
        test: { ...unit, ...shared, name: "ggml", include: ["packages/ggml/src/**/*.test.ts"], exclude: OWN_PROCESS },
      },
      {
        test: { ...unit, name: "ggml-alone", include: OWN_PROCESS, isolate: true },
      },
      {
        // A cluster or several for each file, with flags of their own. What they prove does not depend on the time that
        // it takes, so two files share the machine: a start is a chain of processes that leaves one core idle.
        test: {
          ...system,
          name: "pairs",
          include: ["test/{integration,parity}/**/*.test.ts", "deploy/**/*.test.mjs", PYTHON],
          globalSetup: ["test/conformance/python/venv.setup.ts"],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // One cluster for all files, which ask it as clients do. One after another, as several watch what it counts.
        test: {
          ...system,
          name: "clients",
          include: ["test/{api,conformance}/**/*.test.ts"],
          exclude: [PYTHON],
          globalSetup: ["test/cluster/shared-cluster.setup.ts"],
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        // Files that stop and kill processes, and cut what connects hosts. They watch seconds and mostly wait, so that
        // three at a time left a third of two cores idle. They don't run beside those that compute.
        test: {
          ...system,
          name: "failure",
          include: ["test/{failure,hosts,console}/**/*.test.ts", UNCHANGED],
          maxWorkers: 4,
          sequence: { groupOrder: 3 },
        },
      },
      {
        // Files that watch milliseconds or memory have the machine to themselves.
        test: {
          ...system,
          name: "alone",
          include: ["test/{fuzz,held-up}/**/*.test.ts"],
          exclude: [UNCHANGED],
          fileParallelism: false,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
});
