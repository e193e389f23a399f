import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import { isErrorCode } from "@rhone/common";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { urisOf } from "../member-name.js";
import { type EnrollmentAttempt, enrollmentAttempts } from "../testing/fuzzed-enrollment.js";
import { newMachine, testCluster } from "../testing/small-cluster.js";
import { enroll } from "./enrollment-client.js";
import { LARGEST_BODY, PATHS } from "./enrollment-messages.js";

const REQUESTS = Number(process.env.RHONE_FUZZ_MESSAGES ?? 200);
const SEED = Number(process.env.RHONE_FUZZ_SEED ?? Date.now() % 2 ** 31);
const AT_ONCE = 4;
const MOST_TOLD = 10;
const PARTS = 3;

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** What a stranger is answered who trusts anybody; the system's code when the connection ends before. */
async function send(address: string, { method, path, body, isChunked }: EnrollmentAttempt): Promise<Answer | string> {
  const [host, port] = address.split(":");
  const asked = httpsRequest({ host, port, method, path, rejectUnauthorized: false, agent: false });
  try {
    const answered = once(asked, "response") as Promise<[IncomingMessage]>;
    const size = Math.ceil(body.length / PARTS) || 1;
    if (!isChunked) asked.setHeader("content-length", body.length);
    for (let at = 0; at < body.length; at += size) asked.write(body.subarray(at, at + size));
    asked.end();
    const [response] = await answered;
    let text = "";
    for await (const part of response) text += String(part);
    return { status: response.statusCode ?? 0, text };
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  } finally {
    asked.on("error", () => {}).destroy();
  }
}

/** What is wrong with an answer; null: nothing. */
function complaintAbout(attempt: EnrollmentAttempt, answer: Answer | string): string | null {
  const { method, path, body } = attempt;
  // Without its body being read, a connection may be reset behind the answer, before the client has read that.
  const isRead = method === "POST" && path === PATHS.enroll && body.length <= LARGEST_BODY;
  if (typeof answer === "string") return isRead ? answer : null;
  const { status, text } = answer;
  if (text === "") return status >= 400 && status < 500 ? null : `${status} without a body`; // HEAD, or Node's refusal
  if (status === 200) return method === "GET" ? null : problemOf(attempt, text);
  const { error } = JSON.parse(text) as { readonly error?: { readonly code: string; readonly message: string } };
  const isNamed = error !== undefined && isErrorCode(error.code) && error.code !== "INTERNAL";
  return isNamed && status >= 400 && status < 500 ? null : `${status} ${text.slice(0, 500)}`;
}

/** What a certificate must not say, whatever was asked for. */
function problemOf({ body }: EnrollmentAttempt, text: string): string | null {
  const certificate = new X509Certificate((JSON.parse(text) as { readonly certificate: string }).certificate);
  const { name } = JSON.parse(body.toString()) as { readonly name: string };
  const { namedCurve } = certificate.publicKey.asymmetricKeyDetails ?? {};
  const said = [certificate.ca, namedCurve, ...urisOf(certificate).map((uri) => uri.split("/").slice(3).join("/"))];
  return said.join() === ["false", "prime256v1", `worker/${name}`].join() ? null : `issued: ${said.join()}`;
}

test(`${REQUESTS} fuzzed requests are refused by name or get what they may have`, { timeout: 1_200_000 }, async () => {
  process.stdout.write(`RHONE_FUZZ_SEED=${SEED}\n`);
  const { address, authority, newToken } = await testCluster();
  const { id, secret } = await newToken({ uses: 1_000_000 });
  const place = { cluster: authority.cluster, token: id, secret };
  const attempts = fc.sample(enrollmentAttempts(place), { numRuns: REQUESTS, seed: SEED });
  const seen = new Map<string, number>();
  const complaints: string[] = [];
  let longestMs = 0;
  const work = async (own: readonly EnrollmentAttempt[]): Promise<void> => {
    for (const attempt of own) {
      const began = performance.now();
      const answer = await send(address, attempt);
      longestMs = Math.max(longestMs, performance.now() - began);
      const what = typeof answer === "string" ? answer : codeOf(answer);
      seen.set(what, (seen.get(what) ?? 0) + 1);
      const complaint = complaintAbout(attempt, answer);
      if (complaint !== null)
        complaints.push(`${complaint}: ${JSON.stringify({ ...attempt, body: String(attempt.body) })}`);
    }
  };
  const share = Math.ceil(attempts.length / AT_ONCE);
  await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => work(attempts.slice(i * share, (i + 1) * share))));
  process.stdout.write(`longest ${longestMs.toFixed()} ms; ${JSON.stringify(Object.fromEntries([...seen].sort()))}\n`);
  expect(complaints.length, complaints.slice(0, MOST_TOLD).join("\n\n")).toBe(0);
  await enroll(await newMachine(address, "after"), (await newToken()).text);
});

function codeOf({ status, text }: Answer): string {
  const [, code = ""] = /"code":"(\w+)"/.exec(text) ?? [];
  return `${status} ${code}`.trim();
}

test("a body without an end is refused when it is too long, and its connection closed", async () => {
  const { address } = await testCluster();
  const [host = "", port = ""] = address.split(":");
  const socket = connectTls({ host, port: Number(port), rejectUnauthorized: false }).on("error", () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, "secureConnect");
  const closed = new Promise((resolve) => socket.once("close", resolve));
  let heard = "";
  socket.on("data", (part) => {
    heard += String(part);
  });
  socket.write("POST /v1/enroll HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
  const chunk = `1000\r\n${"x".repeat(4096)}\r\n`;
  const timer = setInterval(() => socket.write(chunk), 1);
  await closed;
  clearInterval(timer);
  expect(heard).toMatch(/^HTTP\/1.1 413 .*BODY_TOO_LARGE/s);
});

test.runIf(process.platform === "linux")(
  "a stranger who holds connections open keeps no other machine out",
  async () => {
    const { address, newToken } = await testCluster();
    const [host = "", port = ""] = address.split(":");
    const held = Array.from({ length: 100 }, () => connectTcp({ host, port: Number(port), localAddress: "127.0.0.2" }));
    onTestFinished(() => held.forEach((socket) => void socket.destroy()));
    for (const socket of held) socket.on("error", () => {});
    await Promise.all(held.map((socket) => once(socket, "connect")));
    await enroll(await newMachine(address), (await newToken()).text);
    expect(held.filter(({ closed }) => !closed).length).toBeGreaterThan(0);
  },
);
