import { type ChildProcess, fork, type SendHandle } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import {
  type Announcement,
  type GivenSocket,
  type ListeningSocket,
  parseErrorCode,
  type Release,
  RhoneError,
  serviceEnvironment,
  type WorkerStanding,
  watchPulse,
} from "@rhone/common";

/** How to start a service. */
export interface ServiceSpec {
  /** Of its log and its record: "worker-1". */
  readonly name: string;
  /** In messages: "Worker 1", "The gateway". */
  readonly title: string;
  /** The JavaScript file to run. */
  readonly entry: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Standard output and error are appended to it. */
  readonly logFile: string;
  /** It is killed when its event loop has not turned for this long, and woken before, in case it was only stopped. */
  readonly hungAfterMs: number;
  /**
   * The variable that tells it what to do with its listening socket: give a copy ("kept"), or listen on the copy
   * ("given"). Absent: it opens its own each time.
   */
  readonly socketVariable?: string;
  /** A worker's news of its way into a pipeline. */
  readonly onStanding?: (standing: WorkerStanding) => void;
}

export type Addresses = Readonly<Record<string, string>>;

/** In milliseconds after SIGTERM. */
export interface StopTimes {
  /** When it is told to wait for nothing any more. */
  readonly hurryAfterMs?: number;
  /** When it is killed; absent: it has a deadline of its own. */
  readonly killAfterMs?: number;
}

/**
 * One run of a service: a child process with an IPC channel. It ends when the channel closes, as when this process
 * dies.
 */
export class ServiceProcess {
  readonly name: string;
  /** In messages: "Worker 1". */
  readonly title: string;
  readonly pid: number;
  /** The addresses that it listens on. Rejects as `ended` resolves when it ends before it listens. */
  readonly listening: Promise<Addresses>;
  /** Resolves when it lives on only to finish what it has begun, and until `release` serves as before. */
  readonly retiring: Promise<void>;
  /** Resolves when a signal has told it to end, and it does so in order. */
  readonly ending: Promise<void>;
  /** The copy of its listening socket that it gave, once it listens. */
  socket: ListeningSocket | undefined;
  /** Why it ended. Never rejects. */
  readonly ended: Promise<RhoneError>;
  readonly #child: ChildProcess;
  #isEnding = false;
  #fatal: RhoneError | undefined;
  #isStopping = false;

  private constructor(spec: ServiceSpec, child: ChildProcess) {
    this.name = spec.name;
    this.title = spec.title;
    this.pid = child.pid ?? 0;
    this.#child = child;
    this.ended = new Promise((resolve) => {
      child.once("error", (error) => resolve(this.#describeEnd(spec, error.message)));
      child.once("exit", (code, signal) => {
        const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
        void lastMessages(child).then(() => resolve(this.#fatal ?? this.#describeEnd(spec, how)));
      });
    });
    const announced = (kind: Announcement["kind"]): Promise<void> =>
      new Promise((resolve) => child.on("message", (message: Announcement) => message.kind === kind && resolve()));
    this.retiring = announced("retiring");
    void this.retiring.then(() => this.#isStopping && this.release());
    this.ending = announced("ending").then(() => {
      this.#isEnding = true;
    });
    this.listening = new Promise((resolve, reject) => {
      let how = "did not start";
      child.on("message", (message: Announcement, socket: unknown) => {
        if (message.kind === "listening") {
          how = "failed";
          this.socket = socket as ListeningSocket | undefined;
          resolve(message.addresses);
        } else if (message.kind === "standing") spec.onStanding?.(message);
        else if (message.kind === "fatal") this.#fatal = fatalError(`${spec.title} ${how}.`, message);
      });
      void this.ended.then(reject);
    });
    this.listening.catch(() => {}); // `ended` tells the reason, too
    this.#watch(spec);
  }

  /**
   * In a process group of its own, so that Ctrl-C at the terminal reaches only this process, which stops services in
   * order.
   */
  static start(spec: ServiceSpec): ServiceProcess {
    const log = openSync(spec.logFile, "a", 0o600);
    try {
      const child = fork(spec.entry, [...spec.args], {
        env: serviceEnvironment(spec.env),
        execArgv: [],
        detached: true,
        stdio: ["ignore", log, log, "ipc"],
      });
      return new ServiceProcess(spec, child);
    } finally {
      closeSync(log);
    }
  }

  /** A signal has told it to end: another one would have it wait for nothing any more. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** It has ended since a signal told it to: in order, or before it could hear signals. */
  get endedInOrder(): boolean {
    const { exitCode, signalCode } = this.#child;
    return (this.#isEnding && exitCode === 0) || signalCode === "SIGTERM";
  }

  /** Stops it in order, and resolves when it has ended. */
  async stop({ hurryAfterMs, killAfterMs }: StopTimes): Promise<void> {
    const terminate = (): void => {
      // One that is stopped is woken to hear it.
      for (const signal of ["SIGTERM", "SIGCONT"] as const) this.#child.kill(signal);
    };
    this.#isStopping = true;
    this.release();
    terminate();
    const timers = [
      hurryAfterMs === undefined ? undefined : setTimeout(terminate, hurryAfterMs),
      killAfterMs === undefined ? undefined : setTimeout(() => this.kill(), killAfterMs),
    ];
    await this.ended;
    for (const timer of timers) clearTimeout(timer);
  }

  /** Has it listen on the socket, which stays the caller's. */
  give(socket: ListeningSocket): void {
    this.#child.send({ kind: "socket" } satisfies GivenSocket, socket as SendHandle, () => {});
  }

  /** Has one that retires give its addresses up. */
  release(): void {
    if (this.#child.connected) this.#child.send({ kind: "release" } satisfies Release, () => {});
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Kills it when it does not start, and when it hangs later. */
  #watch({ title, hungAfterMs }: ServiceSpec): void {
    watchPulse(this.#child, {
      hungAfterMs,
      onHung: (problem) => {
        this.#fatal = new RhoneError("INTERNAL", `${title} ${problem}. It was killed.`);
        this.kill();
      },
    });
  }

  #describeEnd(spec: ServiceSpec, how: string): RhoneError {
    const tail = lastLines(spec.logFile);
    const log = tail === "" ? "" : `\nIts log ends:\n${tail}`;
    return new RhoneError("INTERNAL", `${spec.title} ended unexpectedly (${how}).${log}`);
  }
}

/** What it has said before its end may be read after it. */
const LAST_MESSAGES_MS = 1000;

async function lastMessages(child: ChildProcess): Promise<void> {
  if (!child.connected) return;
  const signal = AbortSignal.timeout(LAST_MESSAGES_MS);
  await once(child, "disconnect", { signal }).catch(() => {});
}

function fatalError(what: string, { code, message }: Extract<Announcement, { kind: "fatal" }>): RhoneError {
  return new RhoneError(parseErrorCode(code, "INTERNAL"), `${what} ${message}`);
}

function lastLines(path: string): string {
  try {
    const lines = readFileSync(path, "utf8").slice(-4000).trimEnd().split("\n");
    return lines.slice(-5).join("\n");
  } catch {
    return "";
  }
}

export type Flags = Readonly<Record<string, string | number | undefined>>;

/** { "kv-type": "f16", context: undefined } -> ["--kv-type", "f16"] */
export function toArguments(flags: Flags): string[] {
  return Object.entries(flags).flatMap(([flag, value]) => (value === undefined ? [] : [`--${flag}`, String(value)]));
}
