import { randomUUID } from "node:crypto";
import type { Client, ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import {
  type CoordinatorMessage,
  controlService,
  fromGrpcError,
  type Heartbeats,
  type Logger,
  openChannel,
  RhoneError,
  type Security,
  type WorkerMessage,
} from "@rhone/common";
import type { rhone } from "@rhone/proto";

const RETRY_MS = 500;
/** The kernel would send its next SYN packet only seconds after the way is open again. */
const CONNECT_WITHIN_MS = 2000;
/** A coordinator connects back before it welcomes a worker, for 8 s at most. */
const WELCOME_WITHIN_MS = 15_000;
/** When the coordinator does not say how often. */
const DEFAULT_HEARTBEAT_MS = 1000;

export interface ControlLinkOptions {
  /** host:port of the coordinator. */
  readonly coordinator: string;
  readonly security: Security;
  readonly hello: rhone.v1.Hello.$Properties;
  /** Begin when the coordinator welcomes this worker, and pause when it is gone. Borrowed. */
  readonly heartbeats: Pick<Heartbeats, "begin" | "pause">;
  /** Called with each order. `answer` does nothing once the connection that brought the order is gone. */
  readonly onMessage: (message: CoordinatorMessage, answer: (message: WorkerMessage) => void) => void;
  readonly onWelcome?: () => void;
  /** Called each time that the coordinator did not take this worker. The link tries again by itself. */
  readonly onRefused?: (error: RhoneError) => void;
  /** Called when a coordinator that had welcomed this worker is gone. The link tries again by itself. */
  readonly onLost: (error: RhoneError) => void;
  readonly logger: Logger;
  /** Pause before it tries again; 500 ms when absent. */
  readonly retryMs?: number;
  /** For the coordinator to welcome this worker or refuse it; 15 s when absent. */
  readonly welcomeWithinMs?: number;
}

type JoinStream = ClientDuplexStream<WorkerMessage, CoordinatorMessage>;

/** The worker's connection to its coordinator: joins, and joins again for as long as the worker lives. */
export class ControlLink {
  readonly #options: ControlLinkOptions;
  #client: Client | null = null;
  /** Known to this process and the coordinator alone: a worker's id can't be taken over without it. */
  readonly #session = randomUUID();
  #stream: JoinStream | null = null;
  #joined = false;
  #retry: NodeJS.Timeout | undefined;
  #welcome: NodeJS.Timeout | undefined;
  #closed = false;
  /** Logged once, however often the link tries again. */
  #lastComplaint = "";
  /** Resolves a call of `leave`: `null` when the coordinator is gone without a word. */
  #left: ((left: rhone.v1.Left.$Properties | null) => void) | undefined;
  #farewell: rhone.v1.Left.$Properties | null = null;
  #isDrained = false;

  constructor(options: ControlLinkOptions) {
    this.#options = options;
    this.#join();
  }

  /** Whether the coordinator has welcomed this worker. */
  get joined(): boolean {
    return this.#joined;
  }

  /** The coordinator answers no heartbeats: it is joined again, over another connection. */
  silent(): void {
    const stream = this.#stream;
    if (!this.#joined || stream === null) return;
    this.#lost(stream, this.#failed("it does not answer heartbeats"));
  }

  /**
   * Asks the coordinator to let this worker go, and resolves when it has, when it is gone, after `withinMs`, or when
   * `hurry` aborts. The worker serves on until then, and does not join again.
   */
  async leave(withinMs: number, hurry?: AbortSignal): Promise<void> {
    const stream = this.#stream;
    if (!this.#joined || stream === null || hurry?.aborted) return;
    const { logger } = this.#options;
    logger.info("leaving");
    const startedAt = performance.now();
    const left = await new Promise<rhone.v1.Left.$Properties | null>((resolve) => {
      const giveUp = (): void => resolve({ problem: "it did not let this worker go in time" });
      const timer = setTimeout(giveUp, withinMs);
      hurry?.addEventListener("abort", giveUp, { once: true });
      this.#left = (answer) => {
        clearTimeout(timer);
        resolve(answer);
      };
      stream.write({ leave: {} });
    });
    this.#closed = true;
    const ms = Math.round(performance.now() - startedAt);
    const problem = left === null ? "the coordinator is gone" : left.problem;
    if (problem) logger.warn({ ms, problem }, "left, and nobody holds this worker's layers");
    else logger.info({ ms }, "left: others hold this worker's layers");
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearTimeout(this.#welcome);
    this.#unjoin();
    this.#stream?.end();
    this.#client?.close();
  }

  #join(): void {
    const { path, requestSerialize, responseDeserialize } = controlService.join;
    const { coordinator, security, hello, onMessage, welcomeWithinMs = WELCOME_WITHIN_MS } = this.#options;
    const client = openChannel(coordinator, { security, expect: { role: "coordinator" }, ownConnection: true });
    this.#client = client;
    const stream: JoinStream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    this.#stream = stream;
    const answer = (message: WorkerMessage): void => {
      if (this.#stream === stream && !stream.writableEnded) stream.write(message);
    };
    stream.on("data", (message: CoordinatorMessage) => {
      if (message.welcome != null) this.#welcomed(message.welcome);
      else if (message.left != null) this.#farewell = message.left;
      else if (message.drain != null) this.#drained();
      else onMessage(message, answer);
    });
    const peer = `the coordinator at ${coordinator}`;
    clearTimeout(this.#welcome);
    this.#welcome = setTimeout(() => {
      const within = `${welcomeWithinMs / 1000} s`;
      this.#lost(stream, new RhoneError("WORKER_LOST", `Nothing came from ${peer} within ${within}.`));
    }, welcomeWithinMs);
    client.waitForReady(Date.now() + CONNECT_WITHIN_MS, (error) => {
      if (error != null) this.#lost(stream, this.#failed(`nobody answered within ${CONNECT_WITHIN_MS / 1000} s`));
    });
    stream.on("error", (error: ServiceError) => this.#lost(stream, fromGrpcError(error, peer)));
    // Without an error: the coordinator gave this worker up while it was silent, or is shutting down.
    stream.on("end", () => {
      stream.end();
      this.#lost(stream, this.#failed("it ended the stream"));
    });
    stream.write({ hello: { ...hello, session: this.#session, drained: this.#isDrained } });
  }

  /** Told to every coordinator from now on. */
  #drained(): void {
    this.#isDrained = true;
    this.#options.logger.info("drained: this worker gets no layers until its process is started again");
  }

  #welcomed({ heartbeatMs }: rhone.v1.Welcome.$Properties): void {
    const { coordinator, heartbeats, logger } = this.#options;
    clearTimeout(this.#welcome);
    this.#joined = true;
    this.#lastComplaint = "";
    logger.info({ coordinator }, "joined");
    this.#options.onWelcome?.();
    heartbeats.begin(heartbeatMs || DEFAULT_HEARTBEAT_MS);
  }

  #lost(stream: JoinStream, error: RhoneError): void {
    if (this.#closed || this.#stream !== stream) return;
    clearTimeout(this.#welcome);
    this.#stream = null;
    stream.cancel();
    this.#client?.close();
    if (this.#left !== undefined) {
      this.#closed = true;
      this.#left(this.#farewell);
      return;
    }
    const wasJoined = this.#joined;
    this.#unjoin();
    const reason = error.message;
    if (wasJoined) this.#options.onLost(error);
    else this.#options.onRefused?.(error);
    const isNew = !wasJoined && reason !== this.#lastComplaint;
    if (isNew) this.#options.logger.warn({ reason }, "not joined; trying again");
    this.#lastComplaint = reason;
    this.#retry = setTimeout(() => this.#join(), this.#options.retryMs ?? RETRY_MS);
  }

  #failed(why: string): RhoneError {
    const peer = `the coordinator at ${this.#options.coordinator}`;
    return new RhoneError("WORKER_LOST", `The connection to ${peer} failed: ${why}.`);
  }

  #unjoin(): void {
    this.#joined = false;
    this.#options.heartbeats.pause();
  }
}
