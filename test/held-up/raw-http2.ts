import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectTls } from "node:tls";

/** Types of frames (RFC 9113, section 6). */
export const FrameType = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, windowUpdate: 8, continuation: 9 };
export const END_HEADERS = 4;

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const HEAD_BYTES = 9;
const WRITE_WITHIN_MS = 500;

export interface RawFrame {
  readonly type: number;
  readonly flags?: number;
  readonly stream?: number;
  readonly payload?: Buffer;
}

export function frameBytes({ type, flags = 0, stream = 0, payload = Buffer.alloc(0) }: RawFrame): Buffer {
  const bytes = Buffer.alloc(HEAD_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes.writeUInt8(type, 3);
  bytes.writeUInt8(flags, 4);
  bytes.writeUInt32BE(stream, 5);
  payload.copy(bytes, HEAD_BYTES);
  return bytes;
}

/** A text of HPACK: its length in 7 bits and more, without Huffman's code. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
  return Buffer.concat([Buffer.of(...length, rest), bytes]);
}

/** Headers that no table keeps (RFC 7541, section 6.2.2). */
export const headerBytes = (pairs: readonly (readonly [string, string])[]): Buffer =>
  Buffer.concat(pairs.flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]));

/** The headers of a call. */
export const callBytes = (path: string, more: readonly (readonly [string, string])[] = []): Buffer =>
  headerBytes([
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "x"],
    ["te", "trailers"],
    ["content-type", "application/grpc"],
    ...more,
  ]);

export interface RawTarget {
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;
}

/** A connection on which any frames can be sent, whatever HTTP/2 says. It shows no certificate. */
export class RawHttp2 {
  readonly socket: Socket;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => {}); // "close" follows
  }

  /** With the preface sent. `isUnread`: it reads nothing. */
  static async open({ host, port, isSecure }: RawTarget, isUnread = false): Promise<RawHttp2> {
    const socket = isSecure
      ? connectTls({ host, port, rejectUnauthorized: false, ALPNProtocols: ["h2"] })
      : connect({ host, port });
    const connection = new RawHttp2(socket);
    await Promise.race([once(socket, isSecure ? "secureConnect" : "connect").catch(() => {}), once(socket, "close")]);
    if (!isUnread) socket.resume();
    await connection.write(Buffer.concat([PREFACE, frameBytes({ type: FrameType.settings })]));
    return connection;
  }

  get isOpen(): boolean {
    return this.socket.writable;
  }

  /** Resolves when the system has taken the bytes, or half a second later. */
  async write(bytes: Buffer): Promise<void> {
    if (!this.isOpen || this.socket.write(bytes)) return;
    const taken = new Promise<void>((resolve) => void this.socket.once("drain", resolve).once("close", resolve));
    await Promise.race([taken, sleep(WRITE_WITHIN_MS)]);
  }

  close(): void {
    this.socket.destroy();
  }
}
