import { createHash, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type ChannelCredentials,
  Client,
  credentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServiceError,
} from "@grpc/grpc-js";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { loadConfig } from "../config/load-config.js";
import { RhoneError } from "../errors/rhone-error.js";
import { GrpcServer, openChannel } from "../grpc/channel.js";
import { fromGrpcError } from "../grpc/error-status.js";
import { type CoordinatorMessage, controlService, type Heartbeat, type WorkerMessage } from "../grpc/services.js";
import { PLAINTEXT } from "../testing/plaintext.js";
import { TestAuthority, type TestLeaf } from "../testing/test-authority.js";
import { openSecurity, peerOf, requirePeer, type Security } from "./security.js";
import { type SecurityConfig, securitySettings } from "./security-settings.js";

const COORDINATOR: TestLeaf = { role: "coordinator", name: "a" };
const WORKER: TestLeaf = { role: "worker", name: "b" };
const log = { warn: vi.fn() };

function newAuthority(cluster?: string): TestAuthority {
  const authority = new TestAuthority(cluster);
  onTestFinished(() => authority.close());
  return authority;
}

function open(config: Partial<SecurityConfig>): Security {
  const security = openSecurity({ ...loadConfig(securitySettings, {}, []), ...config }, log);
  onTestFinished(() => security.close());
  return security;
}

/** A coordinator that answers a heartbeat with nothing, and remembers who sent it; it echoes nothing to who joins. */
async function serve(security: Security) {
  const callers: (string | undefined)[] = [];
  const server = await GrpcServer.open({ host: "127.0.0.1", port: 0, security }, (services) =>
    services.addService(controlService, {
      join: (stream: ServerDuplexStream<WorkerMessage, CoordinatorMessage>) => {
        stream.on("error", () => {});
        stream.on("data", () => stream.write({ release: {} }));
      },
      beat: (call: ServerUnaryCall<Heartbeat, object>, answer: (error: null, taken: object) => void) => {
        callers.push(peerOf(call)?.name);
        answer(null, {});
      },
    }),
  );
  onTestFinished(() => server.close());
  return { address: `127.0.0.1:${server.port}`, callers };
}

/** Sends a heartbeat; resolves with the error, or null. */
function beat(client: Client): Promise<RhoneError | null> {
  onTestFinished(() => client.close());
  const { path, requestSerialize, responseDeserialize } = controlService.beat;
  const deadline = Date.now() + 5000;
  return new Promise((resolve) => {
    const done = (error: ServiceError | null): void => resolve(error === null ? null : fromGrpcError(error, "it"));
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { worker: "b" }, { deadline }, done);
  });
}

const channelOf = (address: string, security: Security, expected: { role: TestLeaf["role"]; name?: string }): Client =>
  openChannel(address, { security, expect: expected, ownConnection: true });

describe("with certificates", () => {
  it("a call comes through, and the server knows who made it", async () => {
    const authority = newAuthority();
    const { address, callers } = await serve(open(authority.issue(COORDINATOR)));
    const worker = open(authority.issue(WORKER));
    expect(worker.name).toBe("b");
    expect(await beat(channelOf(address, worker, { role: "coordinator" }))).toBeNull();
    expect(await beat(channelOf(address, worker, { role: "coordinator", name: "a" }))).toBeNull();
    expect(callers).toEqual(["b", "b"]);
  });

  it.each<[string, TestLeaf, RegExp]>([
    [
      "another coordinator",
      { role: "coordinator", name: "c" },
      /Beat: the caller is coordinator c; .* only for a worker/,
    ],
    ["an operator", { role: "operator", name: "o" }, /the caller is operator o/],
    [
      "a worker of another cluster",
      { ...WORKER, cluster: "rhone-other" },
      /certificate is of rhone-other; this process/,
    ],
  ])("%s is refused by name, before it is heard", async (_who, leaf, problem) => {
    const authority = newAuthority();
    const { address, callers } = await serve(open(authority.issue(COORDINATOR)));
    const config = authority.issue(leaf);
    const error = await beat(rawChannel(address, authority, config));
    expect(error).toMatchObject({ code: "FORBIDDEN_PEER", message: expect.stringMatching(problem) });
    expect(callers).toEqual([]);
  });

  it.each<[string, (own: TestAuthority) => SecurityConfig | null]>([
    ["no certificate", () => null],
    ["a certificate of another authority", () => newAuthority().issue(WORKER)],
    ["an expired certificate", (own) => own.issue({ ...WORKER, days: -1 })],
  ])("%s is refused by name, before it is heard", async (_what, certificate) => {
    const authority = newAuthority();
    const { address, callers } = await serve(open(authority.issue(COORDINATOR)));
    const error = await beat(rawChannel(address, authority, certificate(authority)));
    expect(error).toMatchObject({
      code: "FORBIDDEN_PEER",
      message: expect.stringMatching(/shows no certificate of this cluster's authority/),
    });
    expect(callers).toEqual([]);
  });

  it("a caller without TLS reaches nothing", async () => {
    const { address, callers } = await serve(open(newAuthority().issue(COORDINATOR)));
    expect(await beat(channelOf(address, PLAINTEXT, { role: "coordinator" }))).toMatchObject({ code: "WORKER_LOST" });
    expect(callers).toEqual([]);
  });

  it.each<[string, TestLeaf, RegExp]>([
    [
      "a worker in the coordinator's place",
      { role: "worker", name: "a" },
      /of worker a of rhone-test, not of coordinator a/,
    ],
    ["another coordinator", { role: "coordinator", name: "c" }, /of coordinator c of rhone-test, not of coordinator a/],
    [
      "another cluster",
      { ...COORDINATOR, cluster: "rhone-other" },
      /coordinator a of rhone-other, not of coordinator a/,
    ],
  ])("nothing is sent to %s", async (_what, leaf, problem) => {
    const authority = newAuthority();
    const { address, callers } = await serve(open(authority.issue(leaf)));
    const error = await beat(channelOf(address, open(authority.issue(WORKER)), COORDINATOR));
    expect(error?.message).toMatch(problem);
    expect(callers).toEqual([]);
  });

  it("nothing is sent to a server of another authority", async () => {
    const { address, callers } = await serve(open(newAuthority().issue(COORDINATOR)));
    const error = await beat(channelOf(address, open(newAuthority().issue(WORKER)), COORDINATOR));
    expect(error).toMatchObject({ code: "WORKER_LOST", message: expect.stringMatching(/self-signed|unable to/) });
    expect(callers).toEqual([]);
  });

  it("new connections use certificates that were replaced, at both ends; the old ones go on", async () => {
    const authority = newAuthority();
    const [server, worker] = [open(authority.issue(COORDINATOR)), open(authority.issue(WORKER))];
    const { address, callers } = await serve(server);
    const client = channelOf(address, worker, COORDINATOR);
    const { path, requestSerialize, responseDeserialize } = controlService.join;
    const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    const answered = (): Promise<unknown> => new Promise((resolve) => stream.once("data", resolve));
    stream.on("error", () => {});
    stream.write({ progress: {} });
    await answered();
    // Another authority in the same files: only who has the new ones at both ends still gets through.
    const next = newAuthority();
    for (const leaf of [COORDINATOR, WORKER]) {
      const [from, to] = [next.issue(leaf), authority.issue(leaf)];
      for (const file of ["tlsCa", "tlsCert", "tlsKey"] as const) {
        writeFileSync(to[file] ?? "", readFileSync(from[file] ?? ""));
      }
    }
    await server.identity?.look();
    expect(await beat(channelOf(address, worker, COORDINATOR))).toMatchObject({ code: "WORKER_LOST" });
    await worker.identity?.look();
    expect(await beat(channelOf(address, worker, COORDINATOR))).toBeNull();
    expect(callers).toEqual(["b"]);
    stream.write({ progress: {} });
    await answered();
    stream.cancel();
  });

  it("a host that other machines reach may be listened on", () => {
    expect(() => open(newAuthority().issue(COORDINATOR)).checkExposure("0.0.0.0")).not.toThrow();
  });
});

/** As a client of any make: it checks the server's authority alone, and shows the certificate, if there is one. */
function rawChannel(address: string, authority: TestAuthority, config: SecurityConfig | null): Client {
  const [key, cert] = [config?.tlsKey, config?.tlsCert].map((path) => (path === undefined ? null : readFileSync(path)));
  const ca = readFileSync(join(authority.folder, "ca.pem"));
  const shown: ChannelCredentials = credentials.createSsl(ca, key ?? null, cert ?? null, {
    checkServerIdentity: () => undefined,
  });
  return new Client(address, shown, { "grpc.use_local_subchannel_pool": 1, "grpc.ssl_target_name_override": "x" });
}

describe("a key that is revoked", () => {
  /** A coordinator and a worker with lists of revoked keys, which `expel` writes. */
  async function members() {
    const authority = newAuthority();
    const tlsRevoked = join(authority.folder, "revoked");
    writeFileSync(tlsRevoked, "");
    const [coordinator, worker] = [COORDINATOR, WORKER].map((leaf) => authority.issue(leaf));
    const expel = ({ tlsCert = "" }: SecurityConfig): void => {
      const key = new X509Certificate(readFileSync(tlsCert)).publicKey.export({ type: "spki", format: "der" });
      writeFileSync(tlsRevoked, `${createHash("sha256").update(key).digest("hex")}\n`);
    };
    if (coordinator === undefined || worker === undefined) throw new Error("unreachable");
    return { coordinator, worker, tlsRevoked, expel };
  }

  /** A stream of the worker that the coordinator has answered; `ended` resolves with the error that ends it. */
  async function stream(client: Client) {
    const { path, requestSerialize, responseDeserialize } = controlService.join;
    const joined = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    const ended = new Promise<ServiceError>((resolve) => joined.once("error", resolve));
    const answered = new Promise((resolve) => joined.once("data", resolve));
    joined.write({ leave: {} });
    await answered;
    return { ended };
  }

  it("ends a caller's connection, and lets it make no further call", async () => {
    const { coordinator, worker, tlsRevoked, expel } = await members();
    const { address, callers } = await serve(open({ ...coordinator, tlsRevoked }));
    const client = channelOf(address, open(worker), { role: "coordinator" });
    expect(await beat(client)).toBeNull();
    const { ended } = await stream(client);
    expel(worker);
    await expect(ended).resolves.toMatchObject({ code: expect.any(Number) });
    expect(await beat(client)).toMatchObject({
      code: "FORBIDDEN_PEER",
      message: expect.stringContaining("the caller, worker b, was expelled from the cluster"),
    });
    expect(callers).toEqual(["b"]);
  });

  it("ends the calls of its callers, who make no further ones", async () => {
    const { coordinator, worker, tlsRevoked, expel } = await members();
    const { address, callers } = await serve(open(coordinator));
    const security = open({ ...worker, tlsRevoked });
    const client = channelOf(address, security, { role: "coordinator" });
    const { ended } = await stream(client);
    expect(await beat(client)).toBeNull();
    expel(coordinator);
    await expect(ended).resolves.toMatchObject({ details: "a coordinator was expelled from the cluster." });
    const message = "a coordinator was expelled from the cluster.";
    expect(await beat(client)).toMatchObject({ code: "FORBIDDEN_PEER", message });
    const other = channelOf(address, security, { role: "coordinator", name: "a" });
    expect(await beat(other)).toMatchObject({ code: "WORKER_LOST" });
    expect(callers).toEqual(["b"]);
  });

  it("leaves the others alone", async () => {
    const { coordinator, worker, tlsRevoked, expel } = await members();
    const { address } = await serve(open({ ...coordinator, tlsRevoked }));
    expel(coordinator);
    expect(await beat(channelOf(address, open(worker), { role: "coordinator" }))).toBeNull();
  });

  it("needs TLS", () => {
    expect(() => open({ tlsRevoked: "/revoked", allowPlaintext: true })).toThrow(/RHONE_TLS_REVOKED/);
  });
});

describe("with a secret", () => {
  function secretFile(text: string): string {
    const folder = mkdtempSync(join(tmpdir(), "rhone-secret-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const path = join(folder, "secret");
    writeFileSync(path, text);
    return path;
  }
  const withSecret = (text: string): Security => open({ clusterSecretFile: secretFile(text) });
  const [right, wrong] = ["r".repeat(43), "w".repeat(43)];

  it("a call comes through when both have it, and says nothing of who made it", async () => {
    const { address, callers } = await serve(withSecret(`${right}\n`));
    expect(await beat(channelOf(address, withSecret(right), { role: "coordinator" }))).toBeNull();
    expect(callers).toEqual([undefined]);
  });

  it("a caller without it, or with another one, is refused by name, and the log has one line of all", async () => {
    log.warn.mockClear();
    const { address, callers } = await serve(withSecret(right));
    for (const security of [PLAINTEXT, withSecret(wrong), withSecret(`${right}r`)]) {
      const error = await beat(channelOf(address, security, { role: "coordinator" }));
      expect(error).toMatchObject({
        code: "FORBIDDEN_PEER",
        message: expect.stringMatching(/Beat: the caller does not know the secret in \S+ on this machine/),
      });
      expect(error?.message).not.toContain(right);
    }
    expect(callers).toEqual([]);
    expect(log.warn).toHaveBeenCalledOnce();
  });

  it("only this machine may be listened to", () => {
    const security = withSecret(right);
    for (const host of ["127.0.0.1", "127.1.2.3", "::1", "localhost"]) security.checkExposure(host);
    for (const host of ["0.0.0.0", "::", "10.0.0.7", "node-a"]) {
      expect(() => security.checkExposure(host)).toThrow(/rhone join.*RHONE_TLS_CA.*RHONE_ALLOW_PLAINTEXT=true/);
    }
  });

  it("a file that is not there, or a secret that is too short, is refused", () => {
    expect(() => open({ clusterSecretFile: "/nowhere/secret" })).toThrow(/can't be read: ENOENT/);
    expect(() => withSecret("short")).toThrow(/has 5 characters; it needs at least 32/);
  });
});

it("a process that has nothing to know others by does not start, unless plaintext is allowed", () => {
  expect(() => open({})).toThrow(/RHONE_CLUSTER_SECRET_FILE.*RHONE_TLS_CA.*RHONE_ALLOW_PLAINTEXT=true/);
  log.warn.mockClear();
  open({ allowPlaintext: true }).checkExposure("0.0.0.0");
  expect(log.warn).toHaveBeenCalledOnce();
});

it.each([["tlsCa"], ["tlsCert", "tlsKey"]])("%s without the others is refused", (...files) => {
  const config = Object.fromEntries(files.map((file) => [file, "/x.pem"]));
  expect(() => open(config)).toThrow("RHONE_TLS_CA, RHONE_TLS_CERT and RHONE_TLS_KEY go together: set all three.");
});

it("requirePeer lets a role in, or any caller where certificates don't tell", () => {
  const call = (role: string) => ({
    getAuthContext: () => ({ sslPeerCertificate: { subjectaltname: `URI:spiffe://c/${role}/a` } as never }),
  });
  expect(requirePeer(call("worker"), ["worker"])).toEqual({ cluster: "c", role: "worker", name: "a" });
  expect(requirePeer({ getAuthContext: () => ({}) }, ["worker"])).toBeNull();
  expect(() => requirePeer(call("gateway"), ["worker", "coordinator"])).toThrow(
    new RhoneError("FORBIDDEN_PEER", "the caller is gateway a; this is only for a worker or a coordinator."),
  );
});
