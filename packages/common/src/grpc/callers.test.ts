import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { status } from "@grpc/grpc-js";
import { expect, onTestFinished, test } from "vitest";
import { loadConfig } from "../config/load-config.js";
import { openSecurity, SECRET_HEADER, type Security } from "../security/security.js";
import { securitySettings } from "../security/security-settings.js";
import { PLAINTEXT } from "../testing/plaintext.js";
import { TestAuthority, type TestLeaf } from "../testing/test-authority.js";
import type { CallerLimits } from "./callers.js";
import { GrpcServer } from "./channel.js";
import { flowHandler } from "./flow-server.js";
import { controlService, pipelineService } from "./services.js";

const HOST = "127.0.0.1";
const MiB = 2 ** 20;

async function open(
  limits: Partial<CallerLimits>,
  security: Security = PLAINTEXT,
  mostFrameBytes?: () => number,
): Promise<number> {
  const server = await GrpcServer.open({ host: HOST, port: 0, security, limits, mostFrameBytes }, (services) => {
    services.addService(pipelineService, { flow: flowHandler(() => ({ accept: () => {} })) });
    services.addService(controlService, { join: (stream: Readable) => stream.resume(), beat: () => {} });
  });
  onTestFinished(() => server.close());
  return server.port;
}

function withSecret(): Security {
  const folder = mkdtempSync(join(tmpdir(), "callers-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const clusterSecretFile = join(folder, "secret");
  writeFileSync(clusterSecretFile, randomBytes(32).toString("base64url"), { mode: 0o600 });
  const security = openSecurity(loadConfig(securitySettings, { RHONE_CLUSTER_SECRET_FILE: clusterSecretFile }, []));
  onTestFinished(() => security.close());
  return security;
}

function stranger(port: number): Socket {
  const socket = connect({ host: HOST, port })
    .on("error", () => {})
    .resume();
  onTestFinished(() => void socket.destroy());
  return socket;
}

function session(port: number): ClientHttp2Session {
  const opened = connectHttp2(`http://${HOST}:${port}`).on("error", () => {});
  onTestFinished(() => opened.destroy());
  return opened;
}

function call(
  from: ClientHttp2Session,
  { path }: { readonly path: string },
  more: Readonly<Record<string, string>> = {},
): ClientHttp2Stream {
  const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers", ...more };
  return from
    .request(headers)
    .on("error", () => {})
    .resume();
}

/** The beginning of a message: that it is not compressed, and its length. */
function begin(stream: ClientHttp2Stream, bytes: number): void {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes, 1);
  stream.write(prefix);
}

/** How the server ended a call. */
async function refusal(stream: ClientHttp2Stream): Promise<{ code: status; message: string }> {
  const [headers] = await once(stream, "response");
  const message = decodeURIComponent(String(headers["grpc-message"]));
  return { code: Number(headers["grpc-status"]), message };
}

/** Resolves when the server has taken a call of the connection, in which it answers nothing. */
async function taken(from: ClientHttp2Session): Promise<void> {
  begin(call(from, pipelineService.flow), 8);
  await new Promise((resolve) => from.ping(resolve));
}

test("a connection without a call that is admitted ends; one with such a call goes on", async () => {
  const port = await open({ knownWithinMs: 300 });
  const known = session(port);
  await taken(known);
  await once(stranger(port), "close");
  await taken(known);
});

test("a connection without a call that is admitted ends after 16 calls, or 64 KiB; others have no such bound", async () => {
  const security = withSecret();
  const port = await open({}, security);
  const known = session(port);
  const secret = { [SECRET_HEADER]: security.secret ?? "" };
  call(known, pipelineService.flow, secret);
  await new Promise((resolve) => known.ping(resolve));
  const [calling, sending] = [session(port), session(port)];
  const refused = Array.from({ length: 16 }, () => refusal(call(calling, pipelineService.flow)));
  expect((await Promise.all(refused)).map(({ code }) => code)).toEqual(Array(16).fill(status.PERMISSION_DENIED));
  for (let count = 0; count < 20; count++) call(calling, pipelineService.flow);
  const filler = { "x-filler": "x".repeat(15_000) };
  for (let count = 0; count < 8; count++) call(sending, pipelineService.flow, filler);
  await Promise.all([calling, sending].map((each) => each.closed || once(each, "close")));
  for (let count = 0; count < 20; count++) await refusal(call(known, pipelineService.flow, filler));
  expect(known.closed).toBe(false);
});

test("too many connections of strangers end the oldest of them, and no member's", async () => {
  const port = await open({ strangers: 3 });
  const known = session(port);
  await taken(known);
  const sockets = [];
  for (let count = 0; count < 6; count++) {
    const socket = stranger(port);
    await once(socket, "connect");
    sockets.push(socket);
  }
  await Promise.all(sockets.slice(0, 3).map((socket) => socket.closed || once(socket, "close")));
  await taken(known);
  expect(sockets.slice(3).map(({ destroyed }) => destroyed)).toEqual([false, false, false]);
});

test.each([
  ["Join", controlService.join, 64 * 2 ** 10],
  ["Flow", pipelineService.flow, 64 * MiB],
] as const)("a message that is too long for %s is refused before it comes", async (_, method, most) => {
  const stream = call(session(await open({})), method);
  begin(stream, most + 1);
  expect(await refusal(stream)).toEqual({
    code: status.RESOURCE_EXHAUSTED,
    message: `Received message larger than max (${most + 1} vs ${most})`,
  });
});

test("where the largest frame is known, a larger one is refused, and fewer bytes are counted on", async () => {
  let most = 3 * MiB;
  const from = session(await open({ unreadBytes: 4 * MiB }, PLAINTEXT, () => most));
  const stream = call(from, pipelineService.flow);
  begin(stream, 3 * MiB + 1);
  expect((await refusal(stream)).message).toContain(`larger than max (${3 * MiB + 1} vs ${3 * MiB})`);
  most = MiB;
  for (let count = 0; count < 4; count++) await taken(from);
  expect((await refusal(call(from, pipelineService.flow))).message).toContain(`messages of ${MiB} bytes`);
});

test("a member's calls have a bound in bytes, which are free again when they end", async () => {
  const from = session(await open({ unreadBytes: 128 * MiB }));
  const first = call(from, pipelineService.flow);
  begin(first, 8);
  await taken(from);
  expect(await refusal(call(from, pipelineService.flow))).toEqual({
    code: status.RESOURCE_EXHAUSTED,
    message:
      "All callers of this process together may have 128 MiB of requests on their way; " +
      `this call may send messages of ${64 * MiB} bytes.`,
  });
  first.close();
  await expect
    .poll(async () => {
      const again = call(from, pipelineService.flow);
      begin(again, 64 * MiB + 1);
      return (await refusal(again)).message;
    })
    .toContain("larger than max");
});

test("a member's connections have a bound", async () => {
  const port = await open({ connections: 1 });
  const first = session(port);
  await taken(first);
  expect(await refusal(call(session(port), pipelineService.flow))).toEqual({
    code: status.RESOURCE_EXHAUSTED,
    message: "All callers of this process together may have 1 connections to it.",
  });
  await taken(first);
});

test("over TLS, members are told apart by their certificates, and a connection without one is a stranger", async () => {
  const authority = new TestAuthority();
  onTestFinished(() => authority.close());
  const certified = (leaf: TestLeaf) => {
    const config = authority.issue(leaf);
    const security = openSecurity(config);
    onTestFinished(() => security.close());
    const [ca, cert, key] = [config.tlsCa, config.tlsCert, config.tlsKey].map((path) => readFileSync(path ?? ""));
    return { security, tls: { ca, cert, key, checkServerIdentity: () => undefined } };
  };
  const { security } = certified({ role: "coordinator", name: "a" });
  const port = await open({ connections: 1, strangers: 2, knownWithinMs: 1000 }, security);
  const [b, c] = ["b", "c"].map((name) => certified({ role: "worker", name }).tls);
  const session = (tls: typeof b): ClientHttp2Session => {
    const opened = connectHttp2(`https://${HOST}:${port}`, tls).on("error", () => {});
    onTestFinished(() => opened.destroy());
    return opened;
  };
  const first = session(b);
  await taken(first);
  const second = session(b);
  expect((await refusal(call(second, pipelineService.flow))).message).toBe(
    "The worker b may have 1 connections to it.",
  );
  const other = session(c);
  await taken(other);
  await once(stranger(port), "close");
  if (!second.closed) await once(second, "close"); // no call of it was admitted
  await taken(first);
  await taken(other);
});
