import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { Network } from "@rhone/bench";
import {
  askOperations,
  type ClusterStatus,
  controlService,
  fromGrpcError,
  type GuardedService,
  PROTOCOL_VERSION,
  pipelineService,
  type Security,
  type WorkerStatus,
  weightsService,
} from "@rhone/common";
import { Authority, formatToken, type IdentityFiles, identityFiles, type Role } from "@rhone/identity";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { securityOf } from "../../cli/dist/cluster/cluster-security.js";
import { dataDirAt } from "../../cli/dist/data-dir.js";
import { ResumingStream } from "../cluster/resuming-stream.js";
import { rhone } from "../cluster/start-cluster.js";
import { ListeningCluster } from "./listening-cluster.js";
import { skipWithoutHosts, whyNoHosts } from "./skip-without-hosts.js";

const SMALL = ["--threads", "1", "--memory", "400M"];
const STREAM = { prompt: "Once upon a time", max_tokens: 150, ignore_eos: true, temperature: 0 };
const PATIENCE = { timeout: 60_000, interval: 200 };
const TIMEOUT = { timeout: 120_000 };
const DAY_MS = 24 * 3_600_000;
const ANSWER_WITHIN_MS = 10_000;
/** A request that does not end has 10 s, and a handshake 5. */
const CLOSED_WITHIN_MS = 20_000;

skipWithoutHosts();
let network: Network<"a" | "b" | "stranger">;
let listening: ListeningCluster;
let operator: Security;
/** Where the identities of this test are. */
let identities: string;
/** The cluster's own, with a clock of today and one of 60 days ago; and another cluster's. */
let own: Authority;
let past: Authority;
let foreign: Authority;

beforeAll(async () => {
  if (whyNoHosts !== null) return;
  network = Network.open(["a", "b", "stranger"]);
  const { a, b, stranger } = network.hosts;
  listening = await ListeningCluster.start(a, SMALL);
  await listening.join(b, SMALL);
  await vi.waitUntil(async () => (await listening.workers())?.length === 2, PATIENCE);
  const dataDir = dataDirAt(listening.cluster.dataDir);
  operator = securityOf(dataDir, listening.cluster.record());
  identities = join(stranger.folder, "identities");
  own = await Authority.open(dataDir.authority);
  past = await Authority.open(dataDir.authority, () => Date.now() - 60 * DAY_MS);
  foreign = await Authority.open(join(stranger.folder, "authority"));
}, TIMEOUT.timeout);
afterAll(() => {
  network?.close();
  operator?.close();
});

/** A certificate that shows who the caller says it is. */
async function certificate(authority: Authority, role: Role, name: string): Promise<IdentityFiles> {
  const files = identityFiles(identities, role, `${name}-${randomBytes(4).toString("hex")}`);
  await authority.issueHere(files, { role, name, hosts: [] });
  return files;
}

/** As a client of any make: it checks the server's authority alone, and shows the certificate, if there is one. */
function channelTo(address: string, shown: IdentityFiles | null): Client {
  const [key, cert] = [shown?.key, shown?.cert].map((path) => (path === undefined ? null : readFileSync(path)));
  const secure = credentials.createSsl(Buffer.from(own.ca), key ?? null, cert ?? null, {
    checkServerIdentity: () => undefined,
  });
  return new Client(address, secure, { "grpc.use_local_subchannel_pool": 1, "grpc.ssl_target_name_override": "x" });
}

interface Call {
  readonly method: GuardedService[string];
  readonly message: object;
}

/** How a call ends: "OK", or the code and message of the refusal. */
async function call(address: string, shown: IdentityFiles | null, { method, message }: Call): Promise<string> {
  const client = channelTo(address, shown);
  try {
    return await new Promise((resolve) => {
      const stream = client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, {
        deadline: Date.now() + ANSWER_WITHIN_MS,
      });
      stream.on("data", () => {});
      stream.on("end", () => resolve("OK"));
      stream.on("error", (error: ServiceError) => {
        const { code, message: why } = fromGrpcError(error, "it");
        resolve(`${code} ${why}`);
      });
      stream.write(message);
      if (!method.requestStream) stream.end(); // the others are refused while they send
    });
  } finally {
    client.close();
  }
}

interface Scene {
  readonly status: ClusterStatus;
  /** host:port of the coordinator's gRPC server. */
  readonly coordinator: string;
  readonly stages: readonly WorkerStatus[];
}

async function scene(): Promise<Scene> {
  const status = await listening.cluster.status();
  const stages = status.workers.toSorted((one, other) => (one.layers?.[0] ?? 0) - (other.layers?.[0] ?? 0));
  return { status, stages, coordinator: `${network.hosts.a.address}:7110` };
}

/** A frame as the pipeline's own, which would copy pages and write others. */
function forgedFrame({ status }: Scene): Call {
  const spans = [{ sequence: 1, position: 0, count: 1, pages: [0], sample: true }];
  const opens = [{ sequence: 1, sampling: {}, history: new Uint8Array(4) }];
  const stepBody = { copies: [{ from: 0, to: 1 }], opens, spans, tokens: new Uint8Array(4) };
  const message = { pipeline: status.coordinator, epoch: status.epoch, step: 1_000_000, stepBody };
  return { method: pipelineService.flow, message };
}

const heartbeat = (worker: string): Call => ({ method: controlService.beat, message: { worker } });

const hello = (worker: string): Call => {
  const said = { worker, address: `${network.hosts.stranger.address}:7200`, protocol: PROTOCOL_VERSION };
  return { method: controlService.join, message: { hello: { ...said, session: "forged", memoryTotal: 1e9 } } };
};

/** What a worker has computed, and what the coordinator knows: nothing of it may change. */
async function traces({ stages, status }: Scene) {
  const options = { security: operator, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) };
  const pages = stages.map(async ({ operations }) => {
    const { body } = await askOperations(operations, "/metrics", options);
    return body.split("\n").filter((line) => /^rhone_worker_(steps|step_failures|rows)_total[ {]/.test(line));
  });
  return { computed: await Promise.all(pages), epoch: status.epoch, workers: stages.map(({ worker }) => worker) };
}

test("who shows no certificate, one of another cluster, role or name, or one that has expired is refused by name", {
  ...TIMEOUT,
}, async () => {
  const now = await scene();
  const [first, second] = now.stages;
  if (first === undefined || second === undefined) throw new Error("there are no two stages");
  const before = await traces(now);
  const anything: readonly (readonly [string, Call])[] = [
    [now.coordinator, hello("stranger")],
    [now.coordinator, heartbeat(first.worker)],
    [now.coordinator, forgedFrame(now)],
    [now.coordinator, { method: weightsService.read, message: { pieces: [{ header: 0 }] } }],
    [first.address, forgedFrame(now)],
    [second.address, forgedFrame(now)],
    [second.address, { method: weightsService.describe, message: {} }],
  ];
  const [nobody, gateway, evil] = [/shows no certificate/, /the caller is gateway g;/, /worker evil/];
  const strangers: readonly (readonly [IdentityFiles | null, RegExp])[] = [
    [null, nobody],
    [await certificate(foreign, "worker", first.worker), nobody],
    [await certificate(foreign, "coordinator", "a"), nobody],
    [await certificate(past, "coordinator", "a"), nobody],
    [await certificate(past, "worker", first.worker), nobody],
    [await certificate(own, "operator", "o"), /the caller is operator o;/],
  ];
  for (const [shown, why] of strangers) {
    const ends = await Promise.all(anything.map(([address, order]) => call(address, shown, order)));
    for (const end of ends) expect(end).toMatch(new RegExp(`^FORBIDDEN_PEER .*${why.source}`));
  }
  const worker = await certificate(own, "worker", "evil");
  const refused: readonly (readonly [IdentityFiles, string, Call, RegExp])[] = [
    [await certificate(own, "gateway", "g"), now.coordinator, hello("g"), gateway],
    [await certificate(own, "gateway", "g"), second.address, forgedFrame(now), gateway],
    [await certificate(own, "coordinator", "c"), now.coordinator, hello("c"), /the caller is coordinator c;/],
    [await certificate(own, "coordinator", "c"), second.address, forgedFrame(now), /frames of worker .*coordinator c/],
    [worker, now.coordinator, hello(second.worker), evil],
    [worker, now.coordinator, heartbeat(second.worker), evil],
    [worker, now.coordinator, forgedFrame(now), evil],
    [worker, first.address, forgedFrame(now), /frames of the coordinator only.*worker evil/],
    [worker, second.address, forgedFrame(now), /frames of worker .* only.*worker evil/],
    [await certificate(own, "worker", second.worker), now.coordinator, hello(second.worker), /live in another process/],
  ];
  for (const [shown, address, order, why] of refused) {
    expect(await call(address, shown, order)).toMatch(new RegExp(`^FORBIDDEN_PEER .*${why.source}`));
  }
  expect(await traces(await scene())).toEqual(before);
});

test("tokens that have expired, were used or revoked, or are of another cluster admit nobody", TIMEOUT, async () => {
  const { a, stranger } = network.hosts;
  const order = { role: "worker", uses: 1, ttlMs: DAY_MS } as const;
  const text = ({ hash }: Authority, { token, secret }: Awaited<ReturnType<Authority["tokens"]["create"]>>) =>
    formatToken({ authority: hash, id: token.id, secret });
  const [used, revoked] = [await own.tokens.create(order), await own.tokens.create(order)];
  const key = "0".repeat(64);
  await own.tokens.claim({ id: used.token.id, secret: used.secret, role: "worker", name: "before", key });
  await own.tokens.revoke(revoked.token.id);
  const expected = [
    [text(past, await past.tokens.create(order)), "TOKEN_EXPIRED"],
    [text(own, used), "TOKEN_USED_UP"],
    [text(own, revoked), "TOKEN_REVOKED"],
    [text(foreign, await foreign.tokens.create(order)), "AUTHORITY_MISMATCH"],
  ] as const;
  for (const [token, code] of expected) {
    const { stderr } = await rhone(["join", `${a.address}:7100`, token, ...SMALL], { on: stranger });
    expect(stderr).toContain(`✗ ${code}\n`);
  }
});

test("bytes that are no protocol and requests that do not end disturb no stream", TIMEOUT, async () => {
  const { a, b } = network.hosts;
  const generate = () => [1, 2].map((seed) => new ResumingStream(listening.cluster, { ...STREAM, seed }, 60_000).done);
  const undisturbed = await Promise.all(generate());
  const streams = generate();
  const began = performance.now();
  const ports = [7100, 7110, 7120].map((port) => [a.address, port] as const);
  const places = [...ports, [b.address, 7200] as const];
  const noise = [randomBytes(60_000), Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Buffer.from("16030100", "hex")];
  for (const [host, port] of places) {
    for (const bytes of noise) {
      const socket = connect(port, host).on("error", () => {});
      await once(socket, "connect");
      socket.end(bytes);
    }
  }
  const [host, port] = [a.address, 7100];
  const slow = Array.from({ length: 80 }, (_, index) => {
    if (index % 2 === 0) return connect(port, host);
    const secure = connectTls({ host, port, rejectUnauthorized: false });
    const begin = "POST /v1/enroll HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{";
    return secure.once("secureConnect", () => void secure.write(begin));
  });
  const closed = slow.map((socket) => new Promise((resolve) => socket.on("error", () => {}).once("close", resolve)));
  for (const socket of slow) socket.resume();
  expect(await Promise.all(streams)).toEqual(undisturbed);
  await Promise.all(closed);
  expect(performance.now() - began).toBeLessThan(CLOSED_WITHIN_MS);
  expect((await scene()).stages).toHaveLength(2);
});
