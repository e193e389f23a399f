import { expect, test } from "vitest";
import { type ClusterOptions, clusterOptionsSchema } from "./cluster-options.js";

const OPTIONS: ClusterOptions = {
  ...{ dataDir: "/d", model: "breeze", host: "127.0.0.1", port: 8080, kvType: "q8_0" },
  ...{ workers: 2, memory: 6e9, targetItl: "auto", slidingWindow: 0, activationType: "q8_0", storage: "s3://b/p" },
};

test("options survive the way to a supervisor's command line", () => {
  expect(clusterOptionsSchema.parse(JSON.parse(JSON.stringify(OPTIONS)))).toEqual(OPTIONS);
});

test.each([
  ["without a model", { model: undefined }],
  ["with a port in words", { port: "8080" }],
  ["with half a worker", { workers: 0.5 }],
  ["with a K/V type that is none", { kvType: "q2" }],
  ["with activations that are none", { activationType: "q4_0" }],
])("options %s are refused", (_, change) => {
  expect(clusterOptionsSchema.safeParse({ ...OPTIONS, ...change }).success).toBe(false);
});
