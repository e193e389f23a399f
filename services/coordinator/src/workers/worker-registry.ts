import type { ServerDuplexStream, StatusObject } from "@grpc/grpc-js";
import {
  type CoordinatorMessage,
  type Logger,
  PROTOCOL_VERSION,
  RhoneError,
  toGrpcStatus,
  type WorkerMessage,
} from "@rhone/common";
import { HEARTBEAT_MS, LOST_AFTER_MS } from "./heartbeat.js";
import { Member } from "./member.js";

type JoinStream = ServerDuplexStream<WorkerMessage, CoordinatorMessage>;

/** How long a worker may take from opening its stream to saying who it is. */
const HELLO_WITHIN_MS = 5000;

/** What the pipeline wants to hear of its workers. */
export interface RegistryListener {
  joined(member: Member): void;
  left(member: Member, reason: string): void;
  message(member: Member, message: WorkerMessage): void;
}

/** The workers that are joined now. A worker is lost when its stream ends or it is silent for LOST_AFTER_MS. */
export class WorkerRegistry {
  readonly #logger: Logger;
  readonly #simulated: boolean;
  /** In order of joining. */
  readonly #members = new Map<string, Member>();
  readonly #streams = new Set<JoinStream>();
  #listener: RegistryListener | null = null;

  /** `simulated`: it takes simulated workers, and no others; else none of them. */
  constructor(logger: Logger, { simulated = false }: { readonly simulated?: boolean } = {}) {
    this.#logger = logger;
    this.#simulated = simulated;
  }

  listen(listener: RegistryListener): void {
    this.#listener = listener;
  }

  get members(): readonly Member[] {
    return [...this.#members.values()];
  }

  get(worker: string): Member | undefined {
    return this.#members.get(worker);
  }

  /** Serves rhone.v1.Control/Join. */
  join(stream: JoinStream): void {
    let member: Member | null = null;
    this.#streams.add(stream);
    const silence = setTimeout(() => {
      if (member === null) refuse(stream, new RhoneError("INVALID_REQUEST", "No Hello came; send it first."));
      else this.#lose(member, `silent for ${LOST_AFTER_MS} ms`);
    }, HELLO_WITHIN_MS);
    const ended = (reason: string): void => {
      clearTimeout(silence);
      this.#streams.delete(stream);
      if (member !== null) this.#lose(member, reason);
    };
    stream.on("data", (message: WorkerMessage) => {
      if (member === null) member = this.#welcome(stream, message, silence);
      else this.#hear(member, message);
    });
    stream.on("end", () => ended("its stream ended"));
    stream.on("cancelled", () => ended("its connection was lost"));
    stream.on("error", (error: Partial<StatusObject>) => ended(`its stream failed: ${error.details}`));
  }

  close(): void {
    const members = this.members;
    this.#members.clear();
    const error = new RhoneError("SHUTTING_DOWN", "The coordinator is shutting down.");
    for (const stream of this.#streams) refuse(stream, error);
    for (const member of members) member.close();
  }

  #welcome(stream: JoinStream, { hello }: WorkerMessage, silence: NodeJS.Timeout): Member | null {
    const problem = checkHello(hello) ?? this.#checkKind(hello);
    if (problem !== null || hello == null) {
      clearTimeout(silence);
      this.#logger.warn({ worker: hello?.worker, problem: problem?.message }, "worker refused");
      refuse(stream, problem ?? new RhoneError("INVALID_REQUEST", "The first message must be Hello."));
      return null;
    }
    clearTimeout(silence);
    const old = this.#members.get(hello.worker ?? "");
    if (old !== undefined) this.#lose(old, "it joined anew");
    const member = new Member({ hello, stream, onSilent: () => this.#lose(member, `silent for ${LOST_AFTER_MS} ms`) });
    this.#members.set(member.worker, member);
    member.send({ welcome: { heartbeatMs: HEARTBEAT_MS } });
    this.#logger.info(
      { worker: member.worker, address: member.address, memoryTotal: member.memoryTotal },
      "worker joined",
    );
    this.#listener?.joined(member);
    return member;
  }

  /** Answers of a cluster are computed or simulated, never a mixture that nobody asked for. */
  #checkKind(hello: WorkerMessage["hello"]): RhoneError | null {
    const simulated = hello?.simulated ?? false;
    if (simulated === this.#simulated) return null;
    const kind = simulated
      ? "is simulated; start the coordinator with --simulated true"
      : "is not simulated, but this coordinator is";
    return new RhoneError("INVALID_CONFIG", `Worker ${hello?.worker} ${kind}.`);
  }

  #hear(member: Member, message: WorkerMessage): void {
    if (this.#members.get(member.worker) !== member) return;
    member.hear(message);
    this.#listener?.message(member, message);
  }

  #lose(member: Member, reason: string): void {
    if (this.#members.get(member.worker) !== member) return;
    this.#members.delete(member.worker);
    member.close();
    this.#logger.warn({ worker: member.worker, reason }, "worker lost");
    this.#listener?.left(member, reason);
  }
}

function checkHello(hello: WorkerMessage["hello"]): RhoneError | null {
  if (hello == null || !hello.worker || !hello.address) {
    return new RhoneError("INVALID_REQUEST", "The first message must be Hello with the worker's id and address.");
  }
  if (hello.protocol === PROTOCOL_VERSION) return null;
  return new RhoneError(
    "INVALID_REQUEST",
    `Worker ${hello.worker} speaks wire protocol ${hello.protocol ?? 0}, this coordinator ${PROTOCOL_VERSION}; run the same release of both.`,
  );
}

function refuse(stream: JoinStream, error: RhoneError): void {
  stream.emit("error", toGrpcStatus(error));
}
