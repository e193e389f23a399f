import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Client, ClientReadableStream, ServiceError } from "@grpc/grpc-js";
import {
  type ClusterStatus,
  controlService,
  fromGrpcError,
  openChannel,
  openSecurity,
  pipelineService,
  type Security,
  weightsService,
} from "@rhone/common";
import { openGguf } from "@rhone/model";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { securityOf } from "../../cli/dist/cluster/cluster-security.js";
import { dataDirAt } from "../../cli/dist/data-dir.js";
import type { FuzzedFile } from "../../packages/common/src/testing/fuzzed-messages.js";
import { chat } from "../cluster/chat.js";
import { pidsOf, residentMiB } from "../cluster/processes.js";
import { RunningCluster } from "../cluster/start-cluster.js";
import { type GrpcAttempt, grpcAttempts } from "./grpc-attempts.js";

const BREEZE = fileURLToPath(new URL("../../models/breeze-q8_0.gguf", import.meta.url));
const MESSAGES = Number(process.env.RHONE_FUZZ_MESSAGES ?? 1500);
const SEED = Number(process.env.RHONE_FUZZ_SEED ?? Date.now() % 2 ** 31);
/** Attempts are made for the epoch of the moment, which they end. */
const AT_A_TIME = 100;
const AT_ONCE = 8;
const ANSWER_WITHIN_MS = 15_000;
const MOST_GROWTH_MIB = 300;
const MOST_TOLD = 20;

let cluster: RunningCluster;
let credentials: Record<GrpcAttempt["credential"], Security>;
let file: FuzzedFile;
beforeAll(async () => {
  const { headerFingerprint: fingerprint, tensors } = await openGguf(BREEZE);
  file = { fingerprint, tensors: [...tensors.keys()] };
  cluster = await RunningCluster.start(["--workers", "2"]);
  const right = securityOf(dataDirAt(cluster.dataDir));
  const wrongFile = join(cluster.dataDir, "wrong-secret");
  writeFileSync(wrongFile, randomBytes(32).toString("base64url"));
  credentials = {
    right,
    wrong: openSecurity({ ...right.config, clusterSecretFile: wrongFile }),
    none: openSecurity({ ...right.config, clusterSecretFile: undefined, allowPlaintext: true }),
  };
});
afterAll(async () => {
  await cluster?.stop();
});

/** host:port of the coordinator's gRPC server. */
function coordinatorAddress(): string {
  const log = readFileSync(join(cluster.dataDir, "logs", "coordinator.log"), "utf8");
  return /"grpc":"([^"]+)"/.exec(log)?.[1] ?? "";
}

const asIs = (bytes: Buffer): Buffer => bytes;

const PATHS: Readonly<Record<string, string>> = {
  join: controlService.join.path,
  beat: controlService.beat.path,
  flow: pipelineService.flow.path,
  describe: weightsService.describe.path,
  hash: weightsService.hash.path,
  read: weightsService.read.path,
};
const UNARY = ["beat", "describe"];
const ANSWERED_BY_STREAM = ["hash", "read"];
/** How calls of those end who have no right to make them. */
const REFUSED = ["FORBIDDEN_PEER", "WORKER_LOST"];

/** How the call ended: "OK", the code of a RhoneError, or "no answer". */
function send(client: Client, { method, messages, isDropped }: GrpcAttempt): Promise<string> {
  const [, name = ""] = method.split(" ");
  const [path = "", first = Buffer.of()] = [PATHS[name], messages[0]];
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve("no answer"), ANSWER_WITHIN_MS);
    const ended = (error: ServiceError | null): void => {
      clearTimeout(timer);
      resolve(error === null ? "OK" : fromGrpcError(error, "it").code);
    };
    if (UNARY.includes(name)) {
      client.makeUnaryRequest(path, asIs, asIs, first, ended);
      return;
    }
    const watch = (stream: ClientReadableStream<Buffer>): void => {
      stream.on("data", () => {});
      stream.on("error", ended);
      stream.on("end", () => ended(null));
      if (isDropped) setTimeout(() => stream.cancel(), 20);
    };
    if (ANSWERED_BY_STREAM.includes(name)) {
      watch(client.makeServerStreamRequest(path, asIs, asIs, first));
      return;
    }
    const stream = client.makeBidiStreamRequest(path, asIs, asIs);
    watch(stream);
    for (const message of messages) stream.write(message);
    if (!isDropped) stream.end();
  });
}

/** The status once the pipeline has come up again. */
async function whenReady(): Promise<ClusterStatus> {
  await expect.poll(async () => (await cluster.status()).state, { timeout: 60_000, interval: 100 }).toBe("ready");
  return cluster.status();
}

/** Sends attempts on the cluster as it is now; returns how many messages that were, and what is to complain about. */
async function attack(seed: number, seen: Map<string, number>) {
  const { coordinator, epoch, workers } = await whenReady();
  const stages = workers.filter(({ layers }) => layers !== null); // others joined by an attempt
  const all = fc.sample(grpcAttempts({ pipeline: coordinator, epoch }, file), { numRuns: AT_A_TIME, seed });
  const addresses = { coordinator: coordinatorAddress(), worker: stages[seed % stages.length]?.address ?? "" };
  const complaints: string[] = [];
  const work = async (attempts: readonly GrpcAttempt[]): Promise<void> => {
    for (const attempt of attempts) {
      const { method, credential, messages } = attempt;
      const [server, name] = method.split(" ") as ["coordinator" | "worker", string];
      const client = openChannel(addresses[server], { security: credentials[credential], expect: { role: server } });
      const end = await send(client, attempt);
      client.close();
      const what = `${credential} ${method} ${end}`;
      seen.set(what, (seen.get(what) ?? 0) + 1);
      // Lost: it has left itself, or the server closed with bytes unread, and the reset overtook the refusal.
      const isExpected = credential === "right" ? end !== "no answer" : REFUSED.includes(end);
      if (!isExpected) complaints.push(`${what}: ${name} ${messages.map((it) => it.toString("hex").slice(0, 400))}`);
    }
  };
  const share = Math.ceil(all.length / AT_ONCE);
  await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => work(all.slice(i * share, (i + 1) * share))));
  return { messages: all.reduce((sum, { messages }) => sum + messages.length, 0), complaints };
}

test(`${MESSAGES} fuzzed gRPC messages are refused or obeyed, end no process, and leave nothing behind`, {
  timeout: 3_000_000,
}, async () => {
  process.stdout.write(`RHONE_FUZZ_SEED=${SEED}\n`);
  const pids = pidsOf(cluster);
  const before = residentMiB(pids);
  const seen = new Map<string, number>();
  const complaints: string[] = [];
  const startedAt = performance.now();
  for (let [sent, round] = [0, 0]; sent < MESSAGES && complaints.length < MOST_TOLD; round++) {
    const attacked = await attack(SEED + round, seen);
    sent += attacked.messages;
    complaints.push(...attacked.complaints);
  }
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  process.stdout.write(`${seconds} s; ${JSON.stringify(Object.fromEntries([...seen].sort()))}\n`);
  complaints.unshift(...strangeLines());
  expect(complaints.length, complaints.slice(0, MOST_TOLD).join("\n\n")).toBe(0);
  const [told = 0, lost = 0] = REFUSED.map((end) => strangers(seen, end));
  expect(told).toBeGreaterThan(lost);
  await whenReady();
  expect(pidsOf(cluster)).toEqual(pids);
  const after = residentMiB(pids);
  process.stdout.write(`MiB before ${JSON.stringify(before)}, after ${JSON.stringify(after)}\n`);
  for (const [name, resident] of Object.entries(after)) {
    expect(resident - (before[name] ?? 0), name).toBeLessThan(MOST_GROWTH_MIB);
  }
  const { text } = await chat(cluster, { messages: [{ role: "user", content: "What is the capital of France?" }] });
  expect(text).toBe("The capital of France is Paris.");
});

/** Calls of those who had no right to make them, and that ended so. */
function strangers(seen: ReadonlyMap<string, number>, end: string): number {
  const those = [...seen].filter(([what]) => !what.startsWith("right ") && what.endsWith(end));
  return those.reduce((sum, [, times]) => sum + times, 0);
}

/** Log lines of level fatal, and errors that are not Rhone's own. */
function strangeLines(): readonly string[] {
  const folder = join(cluster.dataDir, "logs");
  const lines = readdirSync(folder).flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n"));
  return lines
    .filter((line) => {
      if (!line.startsWith("{")) return line !== "";
      const { level, err } = JSON.parse(line) as { level?: string; err?: { type?: string } };
      return level === "fatal" || (level === "error" && err !== undefined && err.type !== "RhoneError");
    })
    .slice(0, MOST_TOLD)
    .map((line) => line.slice(0, 2000));
}
