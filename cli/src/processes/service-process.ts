import { type ChildProcess, fork } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { type Announcement, isErrorCode, RhoneError } from "@rhone/common";

/** How to start a service. */
export interface ServiceSpec {
  readonly name: string;
  /** The JavaScript file to run. */
  readonly entry: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Its standard output and error are appended here. */
  readonly logFile: string;
}

export type Addresses = Readonly<Record<string, string>>;

/** One run of a service: a child process on an IPC channel, which it takes as its sign of life from us. */
export class ServiceProcess {
  readonly name: string;
  readonly pid: number;
  /** Its listeners' addresses; rejects with what it said, or how it ended, when it ends before. */
  readonly listening: Promise<Addresses>;
  /** Why it ended, in words fit for a person. Never rejects. */
  readonly ended: Promise<RhoneError>;
  readonly #child: ChildProcess;
  #fatal: RhoneError | undefined;

  private constructor(spec: ServiceSpec, child: ChildProcess) {
    this.name = spec.name;
    this.pid = child.pid ?? 0;
    this.#child = child;
    this.ended = new Promise((resolve) => {
      child.once("error", (error) => resolve(this.#describeEnd(spec, error.message)));
      child.once("exit", (code, signal) => {
        resolve(this.#fatal ?? this.#describeEnd(spec, signal === null ? `exit code ${code}` : `signal ${signal}`));
      });
    });
    this.listening = new Promise((resolve, reject) => {
      child.on("message", (message: Announcement) => {
        if (message.kind === "listening") resolve(message.addresses);
        else if (message.kind === "fatal") this.#fatal = fatalError(spec.name, message);
      });
      void this.ended.then(reject);
    });
    this.listening.catch(() => {}); // Whoever waits for it hears of it; so does whoever waits for the end.
  }

  /** In a process group of its own: Ctrl-C at the terminal reaches only us, and we end the services in order. */
  static start(spec: ServiceSpec): ServiceProcess {
    const log = openSync(spec.logFile, "a", 0o600);
    try {
      const child = fork(spec.entry, [...spec.args], {
        env: spec.env,
        execArgv: [],
        detached: true,
        stdio: ["ignore", log, log, "ipc"],
      });
      return new ServiceProcess(spec, child);
    } finally {
      closeSync(log);
    }
  }

  /** SIGTERM, and SIGKILL when it has not ended after `deadlineMs`. */
  async stop(deadlineMs: number): Promise<void> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.kill(), deadlineMs);
    await this.ended;
    clearTimeout(timer);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #describeEnd(spec: ServiceSpec, how: string): RhoneError {
    const tail = lastLines(spec.logFile);
    const log = tail === "" ? "" : ` Its log ends:\n${tail}`;
    return new RhoneError("INTERNAL", `The ${spec.name} ended unexpectedly (${how}).${log}`);
  }
}

function fatalError(name: string, { code, message }: Extract<Announcement, { kind: "fatal" }>): RhoneError {
  return new RhoneError(isErrorCode(code) ? code : "INTERNAL", `The ${name} could not go on. ${message}`);
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
