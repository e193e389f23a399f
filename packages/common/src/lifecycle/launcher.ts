import type { SendHandle } from "node:child_process";
import type { Server } from "node:net";
import type { PipelineState, Preparing, StepTimeStatus } from "../cluster/cluster-status.js";
import { RhoneError } from "../errors/rhone-error.js";

// Messages between a process and the launcher that forked it, over Node's IPC channel.

/** Sent once by every service. */
export type Announcement =
  | {
      readonly kind: "listening";
      readonly service: string;
      /** host:port of each listener, by name. */
      readonly addresses: Readonly<Record<string, string>>;
    }
  | { readonly kind: "fatal"; readonly code: string; readonly message: string }
  /** It was told by a signal to end, and does so in order. */
  | { readonly kind: "ending" }
  /** It lives on only to finish what it has begun, and closes its ports on a `Release`. */
  | { readonly kind: "retiring" }
  | WorkerStanding;

/** Sent by a shard-worker at each change: how far it is on its way into a pipeline. */
export interface WorkerStanding {
  readonly kind: "standing";
  /** Why the coordinator has not taken it, with the error's code; null: it has. */
  readonly refusal: { readonly code: string; readonly message: string } | null;
  readonly joined: boolean;
  /** It has an order to load layers that it has not answered: it may serve them soon. */
  readonly loading: boolean;
  /** Why it could not load the layers that it was given last; "": it could, or loads them. */
  readonly failure: string;
  /** Bytes of its tensors that it compares with the coordinator's, or fetches, before it loads them; null: of none. */
  readonly preparing: Preparing | null;
  /** Bytes of weights loaded so far, and when all are loaded; 0 before it loads any. */
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** As the coordinator says; null until it has. */
  readonly pipeline: {
    readonly state: PipelineState;
    /** Why it is not ready; "": it is. */
    readonly reason: string;
    readonly model: string;
    readonly workers: number;
    /** [first, last); null: the worker is a spare. */
    readonly layers: readonly [number, number] | null;
    /** It was drained: it gets no layers until it is started again. */
    readonly drained?: boolean;
  } | null;
}

/**
 * Sends the announcement to the launcher; does nothing in a process that has none, or whose launcher is gone. `socket`:
 * what it listens on, of which the launcher gets a copy.
 */
export function announce(message: Announcement, socket?: ListeningSocket): void {
  if (process.connected) process.send?.(message, socket as SendHandle | undefined);
}

/**
 * A listening socket without the server that accepts from it, as Node's `cluster` sends it between processes.
 * While any process has a copy, connections that arrive wait. One that is received belongs to the receiver.
 */
export interface ListeningSocket {
  close(): void;
}

/** Of a server that listens. */
export function socketOf(server: Server): ListeningSocket {
  const { _handle: socket } = server as Server & { readonly _handle: ListeningSocket };
  return socket;
}

/** Sent with a socket to a process that is to listen on it, by a launcher that has kept it. */
export interface GivenSocket {
  readonly kind: "socket";
}

/** For a launcher that sends the socket behind the start. */
const GIVEN_WITHIN_MS = 10_000;

/**
 * The socket that the launcher gives. Call it before anything else listens to the launcher's messages. Throws INTERNAL
 * when none comes within 10 s.
 */
export function givenSocket(): Promise<ListeningSocket> {
  return new Promise((resolve, reject) => {
    const listener = ({ kind }: Partial<GivenSocket>, socket: unknown): void => {
      if (kind !== "socket") return;
      clearTimeout(late);
      process.off("message", listener);
      resolve(socket as ListeningSocket);
    };
    const late = setTimeout(() => {
      process.off("message", listener);
      const seconds = GIVEN_WITHIN_MS / 1000;
      reject(new RhoneError("INTERNAL", `The launcher sent no socket to listen on within ${seconds} s.`));
    }, GIVEN_WITHIN_MS);
    process.on("message", listener);
  });
}

/** Sent to a process that retires: its successor listens, or nobody will want its addresses. */
export interface Release {
  readonly kind: "release";
}

/** Resolves when the launcher has told `Release` or is gone; at once in a process that has none. */
export function released(): Promise<void> {
  if (!process.connected) return Promise.resolve();
  return new Promise((resolve) => {
    process.on("message", ({ kind }: Partial<Release>) => kind === "release" && resolve());
    process.once("disconnect", resolve);
  });
}

/** Sent to a calibration process: time one step at each of these numbers of decode rows. */
export interface CalibrationOrder {
  readonly rows: readonly number[];
}

/**
 * Sent by a calibration process: how many bytes of its layers it has loaded; that they are loaded, for the kernels of
 * this name or for "ggml"; or the answer to an order.
 */
export type CalibrationAnswer =
  | { readonly kind: "loading"; readonly bytes: number; readonly totalBytes: number }
  | { readonly kind: "loaded"; readonly kernels: string }
  | {
      readonly kind: "measured";
      readonly stepTimes: readonly StepTimeStatus[];
      /** Share of the time in which its threads had no core, 0 to 1; null where the system does not say. */
      readonly waited: number | null;
    };
