import { join } from "node:path";
import type { JoinablePipeline } from "@rhone/common";
import { identityFiles } from "@rhone/identity";
import { expect, it } from "vitest";
import type { ProgressEvent } from "../cluster/progress.js";
import { type CliConfig, commandWriter, readCliConfig } from "../config.js";
import { ENTRY_POINTS } from "../processes/entry-points.js";
import { freshDataDir } from "../testing/recorded-cluster.js";
import { becomeMember } from "./become-member.js";
import { coordinatorPart } from "./coordinator-part.js";
import { gatewayPart } from "./gateway-part.js";
import type { MemberOptions } from "./member-options.js";
import { testDoor } from "./testing/test-door.js";

const SERVING = {
  slidingWindow: 64,
  context: 512,
  kvType: "q8_0",
  activationType: "f16",
  simulated: true,
} as const;
const OTHER: JoinablePipeline = { model: "other", coordinator: "10.0.0.3:7110", workers: 2, serving: SERVING };
const TEMPLATED: JoinablePipeline = { ...OTHER, model: "third", chatTemplate: "chatml" };

async function setup(
  as: "gateway" | "coordinator",
  asked: Partial<MemberOptions> = {},
  config: Partial<CliConfig> = {},
) {
  const { door, places, coordinator } = await testDoor([OTHER, TEMPLATED, { ...OTHER, coordinator: "10.0.0.4:7110" }]);
  const dataDir = await freshDataDir();
  const events: ProgressEvent[] = [];
  const options = { dataDir: dataDir.root, door, as, name: "b-1", places, coordinator, port: 7299, ...asked };
  const sources = {
    options,
    config: { ...readCliConfig(dataDir.root), redisUrl: undefined, ...config },
    dataDir,
    files: identityFiles(dataDir.identity, as, "b-1"),
    entryPoints: ENTRY_POINTS,
    report: (event: ProgressEvent) => events.push(event),
  };
  return { sources, events, dataDir, coordinator };
}

const flagsOf = (args: readonly string[]) =>
  Object.fromEntries(args.flatMap((arg, index) => (index % 2 === 0 ? [[arg, args[index + 1]]] : [])));

it("a gateway has the headers of all models, the cluster's Redis, and its own storage", async () => {
  const { sources, events, dataDir, coordinator } = await setup("gateway", { host: "0.0.0.0", auth: "keys" });
  const { args, env } = (await gatewayPart(sources)).spec(undefined);
  const flags = flagsOf(args);
  expect(flags).toMatchObject({
    ...{ "--host": "0.0.0.0", "--port": "7299", "--auth": "keys", "--storage": dataDir.storage },
    ...{ "--model-name": "m", "--weights-from": coordinator },
  });
  expect(JSON.parse(flags["--models"] ?? "")).toEqual([
    { from: "10.0.0.3:7110", name: "other" },
    { from: "10.0.0.3:7110", name: "third", chatTemplate: "chatml" },
  ]);
  expect(env).toMatchObject({
    REDIS_URL: `rhone://${coordinator}`,
    RHONE_TLS_CERT: join(dataDir.identity, "gateway-b-1", "cert.pem"),
    RHONE_TLS_REVOKED: dataDir.revoked,
  });
  expect(events).toContainEqual({ kind: "phase", phase: "redis", text: `${coordinator} answers`, done: true });
});

it("a gateway uses the operator's Redis where one is named, and needs it where the cluster has one", async () => {
  const own = await setup("gateway", {}, { redisUrl: "rediss://mine" });
  expect((await gatewayPart(own.sources)).spec(undefined).env.REDIS_URL).toBe(process.env.REDIS_URL);
  const { sources } = await setup("gateway", { places: { pipelines: [OTHER], hasTemplateFile: false } });
  const message = expect.stringContaining("set REDIS_URL");
  await expect(gatewayPart(sources)).rejects.toMatchObject({ code: "INVALID_CONFIG", message });
});

it("a Redis that does not answer is named, with what to open", async () => {
  const places = { pipelines: [OTHER], redis: "rhone://127.0.0.1:1", hasTemplateFile: false };
  const { sources } = await setup("gateway", { places });
  const message = expect.stringMatching(
    /^127\.0\.0\.1 does not answer at port 1 .*TCP port 1 of 127\.0\.0\.1 must be open/,
  );
  await expect(gatewayPart(sources)).rejects.toMatchObject({ code: "UNREACHABLE", message });
});

it("a coordinator copies a pipeline of the cluster, without its own before a restart", async () => {
  const { sources } = await setup("coordinator", { model: "other", port: 7110, workers: 3 });
  const { args } = (await coordinatorPart(sources)).spec(undefined);
  expect(flagsOf(args)).toMatchObject({
    ...{ "--host": "127.0.0.1", "--advertise-host": "127.0.0.1", "--port": "7110", "--grow": "true" },
    ...{ "--weights-from": "10.0.0.3:7110", "--model-name": "other", "--workers": "3", "--simulated": "true" },
    ...{ "--sliding-window": "64", "--context": "512", "--kv-type": "q8_0", "--activation-type": "f16" },
  });
  const itself = { ...OTHER, coordinator: "127.0.0.1:7110" };
  const { sources: again } = await setup("coordinator", {
    ...{ model: "other", port: 7110 },
    places: { ...sources.options.places, pipelines: [itself, OTHER] },
  });
  expect(flagsOf((await coordinatorPart(again)).spec(undefined).args)["--weights-from"]).toBe("10.0.0.3:7110");
});

it("a coordinator serves a file of its machine, or a model that does not serve yet is not copied", async () => {
  const { sources } = await setup("coordinator", { model: "breeze" });
  expect(flagsOf((await coordinatorPart(sources)).spec(undefined).args)).toMatchObject({
    "--model-path": expect.stringMatching(/breeze.*\.gguf$/),
    "--model-name": "breeze",
  });
  const early = await setup("coordinator");
  await expect(coordinatorPart(early.sources)).rejects.toMatchObject({ code: "NO_PIPELINE" });
});

it("a coordinator that others don't reach ends, and says what to open", async () => {
  const { door, places, newToken } = await testDoor([], "Open TCP port 7110 of 10.0.0.2.");
  const dataDir = await freshDataDir();
  const who = { door, as: "coordinator", name: "c-1", dataDir, rhone: commandWriter(), before: null } as const;
  await becomeMember({ ...who, token: await newToken(60_000, "coordinator") });
  const { sources } = await setup("coordinator", { door, places, name: "c-1", model: "breeze" });
  const files = identityFiles(dataDir.identity, "coordinator", "c-1");
  const part = await coordinatorPart({ ...sources, files });
  const over = part.follow({ grpc: "127.0.0.1:7110", ops: "127.0.0.1:1" }, AbortSignal.timeout(10_000));
  const message = expect.stringMatching(
    /can't connect to this coordinator at 127\.0\.0\.1:7110.* Open TCP port 7110 of/,
  );
  await expect(over).rejects.toMatchObject({ code: "UNREACHABLE", message });
});
