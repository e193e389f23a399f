import { connect, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import type { Attack } from "./attack.js";
import type { Reply, Sender } from "./sender.js";

const COMPLETIONS = "/v1/completions";
const body = { prompt: "The", max_tokens: 4, ignore_eos: true };

interface Sockets {
  readonly count: number;
  readonly head: string | Buffer;
  /** Sent each second. */
  readonly drip?: string;
  readonly seconds: number;
  /** Writes the heads at once, when all are connected. */
  readonly isTogether?: boolean;
}

/** Opens sockets, writes `head` to each, a drip each second, and reads nothing but the first line of an answer. */
async function holdSockets(sender: Sender, options: Sockets): Promise<readonly Reply[]> {
  const { count, head, drip, seconds, isTogether = false } = options;
  const { hostname, port } = new URL(sender.url);
  const openedAt = performance.now();
  const answers = new Map<Socket, string>();
  const sockets = Array.from({ length: count }, () => {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on("error", () => answers.set(socket, "closed"));
    socket.once("data", (bytes: Buffer) => {
      answers.set(socket, bytes.toString("latin1").slice(9, 12));
      socket.pause();
    });
    socket.once("close", () => answers.set(socket, answers.get(socket) ?? "closed"));
    if (head.length > 0 && !isTogether) socket.write(head);
    return socket;
  });
  if (isTogether) {
    await Promise.all(sockets.map(opened));
    for (const socket of sockets) socket.write(head);
  }
  for (let second = 0; second < seconds && !sender.signal.aborted; second++) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    if (drip !== undefined) for (const socket of sockets) if (socket.writable) socket.write(drip);
  }
  for (const socket of sockets) socket.destroy();
  const ms = Math.round(performance.now() - openedAt);
  return sockets.map((socket) => {
    const answer = answers.get(socket) ?? "held";
    return { status: Number(answer) || 0, code: Number(answer) ? null : answer, ms };
  });
}

const opened = (socket: Socket): Promise<void> =>
  new Promise((resolve) => void socket.once("connect", resolve).once("close", resolve));

const SLOW_BODY = `POST ${COMPLETIONS} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n{`;
const CHUNKED = "host: x\r\ntransfer-encoding: chunked";
/** Chunks of one byte, six bytes each on the wire. */
const BYTES = "1\r\n \r\n".repeat(500_000);
const LAST_CHUNK = "0\r\n\r\n";
const BODY_IN_BYTES = `POST ${COMPLETIONS} HTTP/1.1\r\n${CHUNKED}\r\ncontent-type: application/json\r\n\r\n${BYTES}${LAST_CHUNK}`;
/** The same of a body in gzip that is hardly compressed. */
const ZIPPED = [...gzipSync(`{"prompt":"${"x".repeat(200_000)}"`, { level: 0 }).toString("latin1")];
const ZIPPED_IN_BYTES = `POST ${COMPLETIONS} HTTP/1.1\r\n${CHUNKED}\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n\r\n${ZIPPED.map((byte) => `1\r\n${byte}\r\n`).join("")}${LAST_CHUNK}`;
const FILE_START = '--x\r\ncontent-disposition: form-data; name="file"; filename="in.jsonl"\r\n\r\n';
const FILE_IN_BYTES = `POST /v1/files HTTP/1.1\r\n${CHUNKED}\r\ncontent-type: multipart/form-data; boundary=x\r\n\r\n${FILE_START.length.toString(16)}\r\n${FILE_START}\r\n${BYTES}7\r\n\r\n--x--\r\n${LAST_CHUNK}`;
const UNREAD_IN_BYTES = `GET /v1/models HTTP/1.1\r\n${CHUNKED}\r\n\r\n${BYTES}`;
const SMALL_GET = "GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n";
const SMALL_BODY = JSON.stringify({ prompt: "x", max_tokens: 1, echo: true, logprobs: 5 });
const SMALL_POST = `POST ${COMPLETIONS} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${SMALL_BODY.length}\r\n\r\n${SMALL_BODY}`;
const BIASES = Object.fromEntries(Array.from({ length: 1300 }, (_, id) => [id + 100, 1]));
/** 11 KB that are refused once all fields are read. */
const COSTLY_BODY = JSON.stringify({ prompt: "x", temperature: 9, logit_bias: BIASES });
const COSTLY_POST = `POST ${COMPLETIONS} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${COSTLY_BODY.length}\r\n\r\n${COSTLY_BODY}`;
const LONG_STREAM = JSON.stringify({ ...body, max_tokens: 500, n: 4, stream: true, logprobs: 20 });

/** Many connections, many small requests, and clients that behave badly. */
export const CONNECTION_ATTACKS: readonly Attack[] = [
  {
    name: "connections-idle",
    description: "2,000 connections on which nothing is sent for 5 s",
    send: (sender) => holdSockets(sender, { count: 2000, head: "", seconds: 5 }),
  },
  {
    name: "connections-most",
    description: "10,500 such connections, 500 more than a gateway takes",
    send: (sender) => holdSockets(sender, { count: 10_500, head: "", seconds: 5 }),
  },
  {
    name: "bodies-slow",
    description: "500 bodies of which one byte arrives each second, for 10 s",
    send: (sender) => holdSockets(sender, { count: 500, head: SLOW_BODY, drip: " ", seconds: 10 }),
  },
  {
    name: "bodies-in-bytes",
    description: "seven bodies of 0.5 MB in chunks of one byte",
    send: (sender) => holdSockets(sender, { count: 7, head: BODY_IN_BYTES, seconds: 10 }),
  },
  {
    name: "gzip-in-bytes",
    description: "seven bodies of 0.2 MB in gzip, in chunks of one byte",
    send: (sender) => holdSockets(sender, { count: 7, head: Buffer.from(ZIPPED_IN_BYTES, "latin1"), seconds: 10 }),
  },
  {
    name: "files-in-bytes",
    description: "four uploads of 0.5 MB in chunks of one byte",
    send: (sender) => holdSockets(sender, { count: 4, head: FILE_IN_BYTES, seconds: 8 }),
  },
  {
    name: "files-in-bytes-left",
    description: "seven uploads in chunks of one byte whose clients leave after 2 s",
    send: (sender) => holdSockets(sender, { count: 7, head: FILE_IN_BYTES, seconds: 2 }),
  },
  {
    name: "unread-in-bytes",
    description: "50 GETs with a body of 0.5 MB in chunks of one byte, which no endpoint reads",
    send: (sender) => holdSockets(sender, { count: 50, head: UNREAD_IN_BYTES, seconds: 5 }),
  },
  {
    name: "headers-slow",
    description: "500 requests whose headers grow by a line each second, for 10 s",
    send: (sender) =>
      holdSockets(sender, { count: 500, head: "GET /health HTTP/1.1\r\n", drip: "x: y\r\n", seconds: 10 }),
  },
  {
    name: "streams-unread",
    description: "16 streams of four choices that are not read for 10 s",
    send: (sender) =>
      holdSockets(sender, {
        count: 16,
        head: `POST ${COMPLETIONS} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${LONG_STREAM.length}\r\n\r\n${LONG_STREAM}`,
        seconds: 10,
      }),
  },
  {
    name: "pipelined-3000",
    description: "3,000 requests at once on one connection",
    send: (sender) => holdSockets(sender, { count: 1, head: SMALL_GET.repeat(3000), seconds: 4 }),
  },
  {
    name: "pipelined-unread-400",
    description: "400 small generations at once on one connection, whose answers are not read",
    send: (sender) => holdSockets(sender, { count: 1, head: SMALL_POST.repeat(400), seconds: 4 }),
  },
  {
    name: "pipelined-everywhere",
    description: "16 requests at once on each of 7,000 connections",
    send: (sender) => holdSockets(sender, { count: 7000, head: SMALL_GET.repeat(16), seconds: 10, isTogether: true }),
  },
  {
    name: "pipelined-500",
    description: "4 requests at once on each of 500 connections",
    isQuick: true,
    send: (sender) => holdSockets(sender, { count: 500, head: SMALL_GET.repeat(4), seconds: 4, isTogether: true }),
  },
  {
    name: "bodies-everywhere",
    description: "4 bodies of 11 KB at once on each of 1,000 connections, refused for their temperature",
    send: (sender) => holdSockets(sender, { count: 1000, head: COSTLY_POST.repeat(4), seconds: 10, isTogether: true }),
  },
  {
    name: "not-http",
    description: "2,000 connections that send no HTTP",
    send: (sender) => holdSockets(sender, { count: 2000, head: "\u0000\u0001 nonsense\r\n\r\n", seconds: 1 }),
  },
  {
    name: "headers-huge",
    description: "500 requests with headers of 60 KB",
    send: (sender) => sender.repeat(500, () => ({ path: "/v1/models", headers: { "x-filler": "x".repeat(60_000) } })),
  },
  {
    name: "cancel-storm",
    description: "500 generations whose clients leave after 50 ms",
    send: (sender) =>
      sender.repeat(500, () => ({ path: COMPLETIONS, body: { ...body, max_tokens: 500 }, leaveAfterMs: 50 })),
  },
  {
    name: "idempotency-keys",
    description: "3,000 requests with an Idempotency-Key of their own, refused for their temperature",
    send: (sender) =>
      sender.repeat(3000, (i) => ({
        path: COMPLETIONS,
        headers: { "idempotency-key": `key-${i}-${Math.random()}` },
        body: { ...body, temperature: 9 },
      })),
  },
  {
    name: "last-event-ids",
    description: "2,000 streams resumed that do not exist, behind event ids that are not ids",
    send: (sender) =>
      sender.repeat(2000, (i) => ({
        path: `/v1/streams/cmpl-${i}`,
        headers: { "last-event-id": `${i}-`.repeat(1000) },
      })),
  },
  {
    name: "keys-wrong",
    description: "5,000 requests with keys that do not exist (refused where keys are required)",
    isQuick: true,
    send: (sender) =>
      sender.repeat(5000, (i) => ({
        path: "/v1/models",
        headers: { authorization: `Bearer rhone_sk_${i.toString(16).padStart(16, "0")}_${"a".repeat(43)}` },
      })),
  },
  {
    name: "requests-small",
    description: "2,000 generations of one token, 256 at once",
    send: (sender) =>
      sender.repeat(2000, (i) => ({ path: COMPLETIONS, body: { ...body, prompt: `${i}`, max_tokens: 1 } }), {
        atOnce: 256,
      }),
  },
];
