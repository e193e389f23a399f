import { defineConfig } from "vitest/config";

const system = { testTimeout: 120_000, hookTimeout: 120_000, fileParallelism: false };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: [
            "{packages,services}/*/src/**/*.test.ts",
            "cli/src/**/*.test.ts",
            "scripts/**/*.test.mjs",
            "test/docs/**/*.test.ts",
          ],
        },
      },
      {
        // One cluster for all files, which ask it as clients do.
        test: {
          ...system,
          name: "clients",
          include: ["test/{api,conformance}/**/*.test.ts"],
          globalSetup: "test/cluster/shared-cluster.setup.ts",
        },
      },
      {
        // A cluster or several for each file, with flags of their own, or to be killed.
        test: { ...system, name: "system", include: ["test/{failure,fuzz,held-up,integration,parity}/**/*.test.ts"] },
      },
    ],
  },
});
