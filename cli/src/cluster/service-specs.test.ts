import { expect, test } from "vitest";
import { dataDirAt } from "../data-dir.js";
import { coordinatorSpec, gatewaySpec, type SpecSources, workerSpec } from "./service-specs.js";

const sources: SpecSources = {
  options: { dataDir: "/d", model: "breeze", host: "0.0.0.0", port: 8080, kvType: "q8_0", context: 512 },
  plan: {
    model: { name: "breeze", path: "/m.gguf", description: "", slidingWindow: 4096, chatTemplate: "jinja" },
    workers: 2,
    threads: 3,
    memory: 1000,
  },
  redis: { url: "redis://:secret@127.0.0.1:1", description: "", host: undefined },
  dataDir: dataDirAt("/d"),
  entryPoints: { redisHost: "r", coordinator: "c", shardWorker: "s", gateway: "g" },
};
const flagsOf = (args: readonly string[]) =>
  Object.fromEntries(args.flatMap((arg, index) => (index % 2 === 0 ? [[arg, args[index + 1]]] : [])));

test("the first start takes any port, the next one the same", () => {
  expect(flagsOf(coordinatorSpec(sources, undefined).args)).toMatchObject({ "--port": "0", "--ops-port": "0" });
  const again = coordinatorSpec(sources, { grpc: "127.0.0.1:71", ops: "127.0.0.1:72" });
  expect(flagsOf(again.args)).toMatchObject({ "--port": "71", "--ops-port": "72" });
  expect(flagsOf(gatewaySpec(sources, undefined).args)).toMatchObject({ "--host": "0.0.0.0", "--port": "8080" });
});

test("settings that were not given are left to the service; the catalogue's window is used", () => {
  const flags = flagsOf(coordinatorSpec(sources, undefined).args);
  expect(flags).toMatchObject({
    "--kv-type": "q8_0",
    "--context": "512",
    "--sliding-window": "4096",
    "--workers": "2",
  });
  expect(flags).not.toHaveProperty("--activation-type");
});

test("who asks for API keys is the gateway", () => {
  expect(flagsOf(gatewaySpec(sources, undefined).args)).not.toHaveProperty("--auth");
  const options = { ...sources.options, auth: "keys" };
  expect(flagsOf(gatewaySpec({ ...sources, options }, undefined).args)).toMatchObject({ "--auth": "keys" });
});

test("the password goes through the environment only", () => {
  const { args, env } = coordinatorSpec(sources, undefined);
  expect(args.join(" ")).not.toContain("secret");
  expect(env.REDIS_URL).toContain("secret");
});

test("a worker is told its coordinator and its share", () => {
  const { name, args, logFile } = workerSpec(sources, { index: 1, coordinator: "127.0.0.1:71" });
  expect({ name, logFile }).toEqual({ name: "worker-2", logFile: "/d/logs/worker-2.log" });
  expect(flagsOf(args)).toMatchObject({ "--coordinator": "127.0.0.1:71", "--threads": "3", "--memory": "1000" });
});
