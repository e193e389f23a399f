import { expect, onTestFinished, test, vi } from "vitest";
import { commandWriter } from "../config.js";
import { dataDirAt } from "../data-dir.js";
import type { ClusterOptions } from "../launch/cluster-options.js";
import type { ModelPlan, PipelinePlan } from "../launch/launch-plan.js";
import { coordinatorSpec, gatewaySpec, redisSpec, type SpecSources, workerSpec } from "./service-specs.js";

const MODEL: ModelPlan = {
  ...{ name: "breeze", path: "/m.gguf", description: "", slidingWindow: 4096 },
  ...{ chatTemplate: "jinja", contextLength: 4096 },
};
const PIPELINE: PipelinePlan = {
  ...{ model: MODEL, label: "", workers: 2, workersBefore: 0, threads: 3, memory: 1000, why: null },
  memoryFrom: "30 % of 3.3 kB free",
};

const sources: SpecSources = {
  config: { hungAfter: 7 },
  options: { dataDir: "/d", model: "breeze", host: "0.0.0.0", port: 8080, kvType: "q8_0", context: 512 },
  plan: { models: [MODEL], pipelines: [PIPELINE] },
  redis: { url: "redis://:secret@127.0.0.1:1", description: "", host: undefined },
  dataDir: dataDirAt("/d"),
  entryPoints: { redisHost: "r", coordinator: "c", shardWorker: "s", gateway: "g" },
};
const flagsOf = (args: readonly string[]) =>
  Object.fromEntries(args.flatMap((arg, index) => (index % 2 === 0 ? [[arg, args[index + 1]]] : [])));

test("the first start takes any port, the next one the same", () => {
  expect(flagsOf(coordinatorSpec(sources, PIPELINE, {}).args)).toMatchObject({
    "--port": "0",
    "--ops-port": "0",
  });
  const again = coordinatorSpec(sources, PIPELINE, { grpc: "127.0.0.1:71", ops: "127.0.0.1:72" });
  expect(flagsOf(again.args)).toMatchObject({ "--port": "71", "--ops-port": "72" });
  expect(flagsOf(gatewaySpec(sources, undefined).args)).toMatchObject({ "--host": "0.0.0.0", "--port": "8080" });
});

test("settings that were not given are left to the service; the catalogue's window is used", () => {
  const flags = flagsOf(coordinatorSpec(sources, PIPELINE, {}).args);
  expect(flags).toMatchObject({
    "--kv-type": "q8_0",
    "--context": "512",
    "--sliding-window": "4096",
    "--workers": "2",
  });
  expect(flags).not.toHaveProperty("--activation-type");
});

test("everything that `rhone up` can set reaches the coordinator", () => {
  const given: Partial<ClusterOptions> = {
    ...{ slidingWindow: 0, targetItl: "off", speculate: 4, maxSequences: 8, maxRows: 64 },
    activationType: "q8_0",
    simulate: "null",
  };
  const { args } = coordinatorSpec({ ...sources, options: { ...sources.options, ...given } }, PIPELINE, {});
  expect(flagsOf(args)).toMatchObject({
    ...{ "--activation-type": "q8_0", "--sliding-window": "0", "--target-itl": "off", "--speculate": "4" },
    ...{ "--max-sequences": "8", "--max-rows": "64", "--simulated": "true" },
  });
});

test("a worker gets its share of the memory, and where it comes from", () => {
  const flags = (pipeline: PipelinePlan) =>
    flagsOf(workerSpec(sources, { pipeline, index: 0, coordinator: "127.0.0.1:71" }).args);
  expect(flags(PIPELINE)).toMatchObject({ "--memory": "1000", "--memory-from": "30 % of 3.3 kB free" });
  expect(flags({ ...PIPELINE, memory: undefined, memoryFrom: undefined })).not.toHaveProperty("--memory-from");
});

test("traces of the processes that make them go where the cluster's options say", () => {
  const options = { ...sources.options, otlpEndpoint: "http://127.0.0.1:4318", tracesSamplerArg: 0.05 };
  for (const { args } of [
    coordinatorSpec({ ...sources, options }, PIPELINE, {}),
    gatewaySpec({ ...sources, options }, undefined),
  ])
    expect(flagsOf(args)).toMatchObject({ "--otlp-endpoint": "http://127.0.0.1:4318", "--traces-sampler-arg": "0.05" });
});

test("a gateway with IPv6 has the other processes at ::1, and their ports are taken again", () => {
  const ipv6 = { ...sources, options: { ...sources.options, host: "::" } };
  const coordinator = coordinatorSpec(ipv6, PIPELINE, { grpc: "[::1]:71", ops: "[::1]:72" });
  expect(flagsOf(coordinator.args)).toMatchObject({ "--host": "::1", "--port": "71", "--ops-port": "72" });
  const worker = workerSpec(ipv6, { pipeline: PIPELINE, index: 0, coordinator: "[::1]:71" });
  expect(flagsOf(worker.args)).toMatchObject({ "--host": "::1", "--coordinator": "[::1]:71" });
  expect(flagsOf(gatewaySpec(ipv6, undefined).args)).toMatchObject({ "--host": "::" });
});

test("the gateway keeps its port over a restart, which may not be the asked one", () => {
  expect(flagsOf(gatewaySpec(sources, undefined).args)).toMatchObject({ "--host": "0.0.0.0", "--port": "8080" });
  expect(flagsOf(gatewaySpec(sources, { http: "0.0.0.0:9090" }).args)).toMatchObject({ "--port": "9090" });
});

test("the gateway gets the chat template that was chosen, or chooses by the file", () => {
  const withTemplate = (chatTemplate: string | undefined) => {
    const plan = { ...sources.plan, models: [{ ...MODEL, chatTemplate }] as const };
    return flagsOf(gatewaySpec({ ...sources, plan }, undefined).args);
  };
  expect(withTemplate("/my.jinja")).toMatchObject({ "--chat-template": "/my.jinja" });
  expect(withTemplate(undefined)).not.toHaveProperty("--chat-template");
});

test("files and batches go into the data directory, or where they are told to", () => {
  expect(flagsOf(gatewaySpec(sources, undefined).args)).toMatchObject({ "--storage": "/d/storage" });
  const s3 = { storage: "s3://bucket/x", s3Endpoint: "http://minio:9000", s3Region: "eu", s3PathStyle: "true" };
  const { args } = gatewaySpec({ ...sources, options: { ...sources.options, ...s3 } }, undefined);
  expect(flagsOf(args)).toMatchObject({
    ...{ "--storage": "s3://bucket/x", "--s3-endpoint": "http://minio:9000" },
    ...{ "--s3-region": "eu", "--s3-path-style": "true" },
  });
});

test("the host of Redis gets its settings as flags", () => {
  const host = { args: ["--port", "7"], password: "secret", inMemory: true };
  const { name, args, hungAfterMs } = redisSpec({ ...sources, redis: { ...sources.redis, host } });
  expect({ name, args }).toEqual({ name: "redis", args: [...host.args, "--hung-after", "10"] });
  expect(hungAfterMs).toBe(10_000);
  const patient = redisSpec({ ...sources, config: { hungAfter: 600 }, redis: { ...sources.redis, host } });
  expect(patient.hungAfterMs).toBe(600_000);
});

test("each pipeline has a coordinator and workers of its own name, and the gateway all models", () => {
  const other: ModelPlan = { ...MODEL, name: "other", path: "/o.gguf", chatTemplate: undefined };
  const first = { ...PIPELINE, label: "breeze" };
  const second = { ...PIPELINE, model: other, label: "other", workersBefore: 2 };
  const both = { ...sources, plan: { models: [MODEL, other] as const, pipelines: [first, second] } };
  const coordinator = coordinatorSpec(both, second, {});
  expect(coordinator).toMatchObject({ name: "coordinator-2", title: "The coordinator of other" });
  expect(coordinator.logFile).toBe("/d/logs/coordinator-2.log");
  expect(flagsOf(coordinator.args)).toMatchObject({ "--model-path": "/o.gguf", "--model-name": "other" });
  const worker = workerSpec(both, { pipeline: second, index: 1, coordinator: "" });
  expect(worker).toMatchObject({ name: "worker-4", title: "Worker 4 of other" });
  expect(flagsOf(gatewaySpec(both, undefined).args)).toMatchObject({
    ...{ "--model-path": "/m.gguf", "--chat-template": "jinja" },
    "--models": JSON.stringify([{ path: "/o.gguf", name: "other" }]),
  });
  expect(flagsOf(gatewaySpec(sources, undefined).args)).not.toHaveProperty("--models");
});

test("services are named in messages as people call them", () => {
  const titles = [
    redisSpec(sources),
    coordinatorSpec(sources, PIPELINE, {}),
    workerSpec(sources, { pipeline: PIPELINE, index: 1, coordinator: "" }),
    gatewaySpec(sources, undefined),
  ].map(({ title }) => title);
  expect(titles).toEqual(["Redis", "The coordinator", "Worker 2", "The gateway"]);
});

test("who asks for API keys is the gateway", () => {
  const flags = flagsOf(gatewaySpec(sources, undefined).args);
  expect(flags).not.toHaveProperty("--auth");
  expect(flags).toMatchObject({ "--keys-command": commandWriter("/d")("keys create NAME") });
  const options = { ...sources.options, auth: "keys" };
  expect(flagsOf(gatewaySpec({ ...sources, options }, undefined).args)).toMatchObject({ "--auth": "keys" });
});

test("no secret is in the arguments or the environment of a process that we start", () => {
  vi.stubEnv("RHONE_API_KEY", "secret");
  vi.stubEnv("HF_TOKEN", "secret");
  onTestFinished(() => void vi.unstubAllEnvs());
  const host = { args: ["--port", "1"], password: "secret", inMemory: true };
  const ours = { ...sources, redis: { ...sources.redis, host } };
  const worker = workerSpec(ours, { pipeline: PIPELINE, index: 0, coordinator: "127.0.0.1:71" });
  const [coordinator, gateway] = [coordinatorSpec(ours, PIPELINE, {}), gatewaySpec(ours, undefined)];
  for (const { args, env } of [redisSpec(ours), worker, coordinator, gateway]) {
    expect(args.join(" ")).not.toContain("secret");
    expect(Object.values(env).filter((value) => value === "secret" || value?.includes(":secret@"))).toEqual([]);
  }
  for (const { env } of [coordinator, gateway]) {
    expect(env).toMatchObject({ REDIS_URL: "redis://127.0.0.1:1", RHONE_REDIS_PASSWORD_FILE: "/d/run/redis-password" });
  }
});

test("the user's own Redis is handed on as it is", () => {
  expect(coordinatorSpec(sources, PIPELINE, {}).env.REDIS_URL).toBe(sources.redis.url);
});

test("a worker is told its coordinator and its share", () => {
  const { name, args, logFile } = workerSpec(sources, { pipeline: PIPELINE, index: 1, coordinator: "127.0.0.1:71" });
  expect({ name, logFile }).toEqual({ name: "worker-2", logFile: "/d/logs/worker-2.log" });
  expect(flagsOf(args)).toMatchObject({ "--coordinator": "127.0.0.1:71", "--threads": "3", "--memory": "1000" });
});

test("every process is told where the cluster's secret is, and none what it is", () => {
  const worker = workerSpec(sources, { pipeline: PIPELINE, index: 0, coordinator: "127.0.0.1:71" });
  for (const { env } of [worker, coordinatorSpec(sources, PIPELINE, {}), gatewaySpec(sources, undefined)]) {
    expect(env.RHONE_CLUSTER_SECRET_FILE).toBe("/d/cluster-secret");
  }
});

test("processes for other machines listen for them, on ports beside the door's, and have identities in place of the secret", () => {
  const identity = (name: string) => ({
    ...{ ca: `/${name}/ca`, cert: `/${name}/cert`, key: `/${name}/key` },
    revoked: "/revoked",
  });
  const listening = {
    place: { bind: "0.0.0.0", advertise: "a.lan" },
    port: 7100,
    coordinator: identity("c"),
    gateway: identity("g"),
    workers: [identity("w1"), identity("w2")],
  };
  const open = { ...sources, listening };
  const coordinator = coordinatorSpec(open, PIPELINE, {});
  const worker = workerSpec(open, { pipeline: PIPELINE, index: 1, coordinator: "a.lan:7110" });
  const place = { "--host": "0.0.0.0", "--advertise-host": "a.lan" };
  expect(flagsOf(gatewaySpec(open, undefined).args)).toMatchObject({ "--join-address": "a.lan:7100" });
  expect(flagsOf(coordinator.args)).toMatchObject({ ...place, "--grow": "true" });
  expect(flagsOf(coordinatorSpec(open, PIPELINE, { grpc: "a.lan:99" }).args)).toMatchObject({ "--port": "99" });
  expect(flagsOf(worker.args)).toMatchObject({ ...place, "--port": "7121" });
  for (const [spec, name] of [
    [coordinator, "c"],
    [gatewaySpec(open, undefined), "g"],
    [worker, "w2"],
  ] as const) {
    const { env } = spec;
    expect([env.RHONE_TLS_CA, env.RHONE_TLS_KEY]).toEqual([`/${name}/ca`, `/${name}/key`]);
    expect(env.RHONE_TLS_REVOKED).toBe("/revoked");
    expect(env.RHONE_CLUSTER_SECRET_FILE).toBe("/d/cluster-secret");
  }
  const anyPort = { ...sources, listening: { ...listening, port: 0 } };
  expect(flagsOf(workerSpec(anyPort, { pipeline: PIPELINE, index: 1, coordinator: "" }).args)).toMatchObject({
    "--port": "0",
  });
});
