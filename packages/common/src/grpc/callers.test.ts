import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import type { Readable } from "node:stream";
import { status } from "@grpc/grpc-js";
import { expect, onTestFinished, test } from "vitest";
import { openSecurity, type Security } from "../security/security.js";
import { PLAINTEXT } from "../testing/plaintext.js";
import { TestAuthority, type TestLeaf } from "../testing/test-authority.js";
import type { CallerLimits } from "./callers.js";
import { GrpcServer } from "./channel.js";
import { flowHandler } from "./flow-server.js";
import { controlService, pipelineService } from "./services.js";

const HOST = "127.0.0.1";
const MiB = 2 ** 20;

async function open(limits: Partial<CallerLimits>, security: Security = PLAINTEXT): Promise<number> {
  const server = await GrpcServer.open({ host: HOST, port: 0, security, limits }, (services) => {
    services.addService(pipelineService, { flow: flowHandler(() => ({ accept: () => {} })) });
    services.addService(controlService, { join: (stream: Readable) => stream.resume(), beat: () => {} });
  });
  onTestFinished(() => server.close());
  return server.port;
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

function call(from: ClientHttp2Session, { path }: { readonly path: string }): ClientHttp2Stream {
  const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
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
