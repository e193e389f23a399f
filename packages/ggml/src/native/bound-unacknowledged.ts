import type { Socket } from "node:net";
import { openLibrary } from "./open-library.js";

type SetOption = (fd: number, level: number, name: number, value: readonly number[], bytes: number) => number;

interface Option {
  readonly set: SetOption;
  readonly name: number;
  /** Milliseconds of its unit. */
  readonly unitMs: number;
}

let option: Option | null | undefined;

const IPPROTO_TCP = 6;
const INT_BYTES = 4;
/** TCP_USER_TIMEOUT; on macOS TCP_RXT_CONNDROPTIME, in seconds. */
const NAMES: Readonly<Record<string, Omit<Option, "set">>> = {
  linux: { name: 18, unitMs: 1 },
  darwin: { name: 0x80, unitMs: 1000 },
};

/**
 * Ends a connection, with ETIMEDOUT, whose other side has not acknowledged what was sent to it for `ms`: its machine or
 * the way to it is gone, or it reads nothing. The system alone tries again for 15 minutes, and Node has no way to say
 * less: keep-alive probes are not sent while bytes wait. Does nothing on other systems than Linux and macOS.
 */
export function boundUnacknowledged(socket: Socket, ms: number): void {
  option ??= findOption();
  const fd = (socket as { readonly _handle?: { readonly fd?: number } | null })._handle?.fd ?? -1;
  if (option === null || fd < 0) return;
  const { set, name, unitMs } = option;
  set(fd, IPPROTO_TCP, name, [Math.ceil(ms / unitMs)], INT_BYTES);
}

function findOption(): Option | null {
  const named = NAMES[process.platform];
  if (named === undefined) return null;
  const set = openLibrary(null).func("setsockopt", "int", ["int", "int", "int", "int *", "uint32_t"]);
  return { set: set as unknown as SetOption, ...named };
}
