import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { Announcement } from "../lifecycle/launcher.js";
import type { Pulse } from "../lifecycle/pulse.js";
import { importBuilt, SERVICE_FILES } from "./import-built.js";

export interface ChildOptions {
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Built files that it needs besides those of a service. */
  readonly files?: readonly string[];
}

/** A Node process with an IPC channel to this one. Killed when the test ends. */
export class TestChild {
  readonly process: ChildProcess;
  readonly announcements: Announcement[] = [];
  stdout = "";
  stderr = "";
  readonly #exited: Promise<readonly unknown[][]>;

  /** Runs `body` as an ES module in which what a service needs of the built @rhone/common is in scope as `common`. */
  constructor(body: string, { flags = [], env = {}, files = [] }: ChildOptions = {}) {
    const code = `${importBuilt([...SERVICE_FILES, ...files])}\n${body}`;
    this.process = spawn(process.execPath, ["--input-type=module", "-e", code, "--", "main.js", ...flags], {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      env: { PATH: process.env.PATH, ...env },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.process.stdout?.on("data", (text) => (this.stdout += text));
    this.process.stderr?.on("data", (text) => (this.stderr += text));
    this.process.on("message", (message: Announcement | Pulse) => {
      if (message.kind !== "pulse") this.announcements.push(message);
    });
    const streams = [this.process.stdout, this.process.stderr].map((stream) => once(stream as Readable, "end"));
    this.#exited = Promise.all([once(this.process, "exit"), ...streams]);
    onTestFinished(() => void this.process.kill("SIGKILL"));
  }

  /** Resolves with the next message from the child. */
  async message(): Promise<unknown> {
    return (await once(this.process, "message"))[0];
  }

  /** Resolves with the next message of that kind. */
  answer<T>(kind: string): Promise<T> {
    // One listener for all of the wait: messages that are read together are emitted in one turn.
    return new Promise((resolve) => {
      const listener = (message: { readonly kind?: string }): void => {
        if (message.kind !== kind) return;
        this.process.off("message", listener);
        resolve(message as T);
      };
      this.process.on("message", listener);
    });
  }

  /** Resolves with the exit code, or the signal that killed it, after all output was read. */
  async exit(): Promise<unknown> {
    const [[code, signal] = []] = await this.#exited;
    return code ?? signal;
  }

  /** The JSON lines of standard output; other lines are left out. */
  get log(): readonly Readonly<Record<string, unknown>>[] {
    return this.stdout.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
  }
}
