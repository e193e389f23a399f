import type { ServerDuplexStream, StatusObject } from "@grpc/grpc-js";
import {
  type CoordinatorMessage,
  clipped,
  type Heartbeat,
  hostPortSchema,
  type Logger,
  type Peer,
  PROTOCOL_VERSION,
  RhoneError,
  toGrpcStatus,
  type WorkerMessage,
} from "@rhone/common";
import { HEARTBEAT_MS, LOST_AFTER_MS, Member } from "./member.js";

type JoinStream = ServerDuplexStream<WorkerMessage, CoordinatorMessage>;

/** How long a worker may take from opening its stream to its Hello. */
const HELLO_WITHIN_MS = 5000;
/** Each holds a stream, and is in every plan and status; a model has fewer layers than that. */
const MOST_WORKERS = 1024;
/** "worker refused" is logged this often in this time; a worker tries again every second. */
const [REFUSALS_LOGGED, REFUSALS_MS] = [20, 10_000];
const [MOST_NAME, MOST_TOLD] = [200, 1000];

/** Told of every change of the membership and every message of a member. */
export interface RegistryListener {
  joined(member: Member): void;
  left(member: Member, reason: string): void;
  /**
   * It wants to leave. Resolves, and never rejects, when it may, with the reason why nobody holds its layers, or with
   * "" when others do or it has none.
   */
  leaving(member: Member): Promise<string>;
  message(member: Member, message: WorkerMessage): void;
}

interface RegistryOptions {
  /** It takes simulated workers only; otherwise it takes none of them. */
  readonly simulated?: boolean;
  /** Seconds without a turn of its main thread after which a worker is lost, although its heartbeats come; 10. */
  readonly hungAfter?: number;
  /** Why a worker's neighbours would not reach it at its address; null: they would. Never rejects. */
  readonly reach?: (worker: string, address: string) => Promise<RhoneError | null>;
}

/**
 * The joined workers. A worker is lost when its stream ends, when it is silent for LOST_AFTER_MS, or when its
 * heartbeats say that it hangs.
 */
export class WorkerRegistry {
  readonly #logger: Logger;
  readonly #simulated: boolean;
  readonly #hungAfterMs: number;
  readonly #reach: RegistryOptions["reach"];
  /** In order of joining. */
  readonly #members = new Map<string, Member>();
  readonly #streams = new Set<JoinStream>();
  #listener: RegistryListener | null = null;
  readonly #refusals = { sinceMs: Number.NEGATIVE_INFINITY, count: 0 };

  constructor(logger: Logger, { simulated = false, hungAfter = 4, reach }: RegistryOptions = {}) {
    this.#logger = logger;
    this.#simulated = simulated;
    this.#hungAfterMs = hungAfter * 1000;
    this.#reach = reach;
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

  /** Serves rhone.v1.Control/Join. `peer`: of the worker's certificate, null where certificates don't tell. */
  join(stream: JoinStream, peer: Peer | null): void {
    let member: Member | null = null;
    let hasSpoken = false;
    this.#streams.add(stream);
    const noHello = new RhoneError("INVALID_REQUEST", `No Hello came within ${HELLO_WITHIN_MS / 1000} s.`);
    const helloTimer = setTimeout(() => refuse(stream, noHello), HELLO_WITHIN_MS);
    const ended = (reason: string): void => {
      clearTimeout(helloTimer);
      this.#streams.delete(stream);
      if (member !== null) this.#lose(member, reason);
    };
    stream.on("data", (message: WorkerMessage) => {
      if (member !== null) return this.#receive(member, message);
      if (hasSpoken) return; // it is not welcome yet
      hasSpoken = true;
      clearTimeout(helloTimer);
      const welcome = (): void => {
        member = this.#welcome(stream, message, peer);
      };
      if (this.#reach === undefined) welcome();
      else {
        void this.#reached(message, peer).then((problem) => {
          if (!this.#streams.has(stream)) return;
          if (problem === null) welcome();
          else this.#refuse(stream, message, problem);
        });
      }
    });
    stream.on("end", () => {
      ended("its stream ended");
      stream.end(); // a stream that never said Hello would stay open at this end
    });
    stream.on("cancelled", () => ended("its connection was lost"));
    stream.on("error", (error: Partial<StatusObject>) => ended(`its stream failed: ${error.details}`));
  }

  /** Serves rhone.v1.Control/Beat. Returns why it is refused, or null. */
  beat(heartbeat: Heartbeat, peer: Peer | null): RhoneError | null {
    const problem = checkName(heartbeat.worker, peer);
    const member = this.#members.get(heartbeat.worker ?? "");
    if (problem !== null || member === undefined) return problem;
    member.beat(heartbeat);
    const stillMs = heartbeat.stillMs ?? 0;
    if (stillMs >= this.#hungAfterMs) this.#lose(member, `its main thread has not turned for ${stillMs} ms`);
    return null;
  }

  close(): void {
    const members = this.members;
    this.#members.clear();
    const error = new RhoneError("SHUTTING_DOWN", "The coordinator is shutting down.");
    for (const stream of this.#streams) refuse(stream, error);
    for (const member of members) member.close();
  }

  #welcome(stream: JoinStream, { hello }: WorkerMessage, peer: Peer | null): Member | null {
    const problem = this.#problemOf(hello, peer);
    if (problem !== null || hello == null) return this.#refuse(stream, { hello: hello ?? null }, problem ?? NO_HELLO);
    const old = this.#members.get(hello.worker ?? "");
    if (old !== undefined) this.#lose(old, "it joined again");
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

  #refuse(stream: JoinStream, { hello }: WorkerMessage, problem: RhoneError): null {
    this.#tellRefusal({ worker: hello?.worker?.slice(0, MOST_NAME), problem: clipped(problem.message, MOST_TOLD) });
    refuse(stream, problem);
    return null;
  }

  #tellRefusal(fields: object): void {
    const refusals = this.#refusals;
    const now = performance.now();
    if (now - refusals.sinceMs >= REFUSALS_MS) {
      if (refusals.count > REFUSALS_LOGGED) {
        this.#logger.warn({ refusals: refusals.count }, "workers refused, of which the first ones are logged");
      }
      Object.assign(refusals, { sinceMs: now, count: 0 });
    }
    if (++refusals.count <= REFUSALS_LOGGED) this.#logger.warn(fields, "worker refused");
  }

  /** Why a worker can't join by its Hello, or can't be reached at its address. */
  async #reached({ hello }: WorkerMessage, peer: Peer | null): Promise<RhoneError | null> {
    const problem = this.#problemOf(hello, peer);
    if (problem !== null || hello == null) return problem ?? NO_HELLO;
    return this.#reach?.(hello.worker ?? "", hello.address ?? "") ?? null;
  }

  #problemOf(hello: WorkerMessage["hello"], peer: Peer | null): RhoneError | null {
    return checkHello(hello) ?? checkName(hello?.worker, peer) ?? this.#checkKind(hello) ?? this.#checkFree(hello);
  }

  /** A cluster's answers are computed or simulated, never a mixture. */
  #checkKind(hello: WorkerMessage["hello"]): RhoneError | null {
    const simulated = hello?.simulated ?? false;
    if (simulated === this.#simulated) return null;
    const kind = simulated
      ? "is simulated; start the coordinator with --simulated true"
      : "is not simulated; start it with --simulate, or the coordinator with --simulated false";
    return new RhoneError("INVALID_CONFIG", `Worker ${hello?.worker} ${kind}.`);
  }

  /** A worker that is live is replaced by itself only, when it has lost its connection before this coordinator has. */
  #checkFree(hello: WorkerMessage["hello"]): RhoneError | null {
    const live = this.#members.get(hello?.worker ?? "");
    if (live === undefined) return this.#members.size < MOST_WORKERS ? null : TOO_MANY;
    if (live.isOfSession(hello?.session)) return null;
    const wait = `It can join once the other has been silent for ${LOST_AFTER_MS / 1000} s`;
    return new RhoneError("FORBIDDEN_PEER", `Worker ${live.worker} is live in another process. ${wait}.`);
  }

  #receive(member: Member, message: WorkerMessage): void {
    if (this.#members.get(member.worker) !== member) return;
    member.receive(message);
    if (message.leave != null) void this.#letGo(member);
    else this.#listener?.message(member, message);
  }

  async #letGo(member: Member): Promise<void> {
    if (member.isLeaving) return;
    member.isLeaving = true;
    this.#logger.info({ worker: member.worker }, "worker leaves");
    const problem = (await this.#listener?.leaving(member)) ?? "";
    if (this.#members.get(member.worker) === member) member.send({ left: { problem } });
    this.#lose(member, "it has left");
  }

  #lose(member: Member, reason: string): void {
    if (this.#members.get(member.worker) !== member) return;
    this.#members.delete(member.worker);
    member.close();
    if (member.isLeaving) this.#logger.info({ worker: member.worker }, "worker left");
    else this.#logger.warn({ worker: member.worker, reason }, "worker lost");
    this.#listener?.left(member, reason);
  }
}

const TOO_MANY = new RhoneError(
  "RATE_LIMIT_EXCEEDED",
  `${MOST_WORKERS} workers have joined this coordinator, the most that it takes.`,
);
const NO_HELLO = new RhoneError("INVALID_REQUEST", "The first message must be Hello.");

function checkHello(hello: WorkerMessage["hello"]): RhoneError | null {
  if (hello == null || !hello.worker || !hello.address) {
    return new RhoneError("INVALID_REQUEST", "The first message must be Hello with the worker's id and address.");
  }
  if (!hostPortSchema.safeParse(hello.address).success || !URL.canParse(`tcp://${hello.address}`)) {
    const address = JSON.stringify(hello.address.slice(0, 200));
    return new RhoneError("INVALID_REQUEST", `Worker ${hello.worker} must be at host:port; it says ${address}.`);
  }
  const { gflops, bandwidth } = hello;
  if (![gflops ?? 0, bandwidth ?? 0].every((speed) => speed >= 0 && Number.isFinite(speed))) {
    return new RhoneError(
      "INVALID_REQUEST",
      `Worker ${hello.worker} says that its speeds are ${gflops}, ${bandwidth}.`,
    );
  }
  if (hello.protocol === PROTOCOL_VERSION) return null;
  return new RhoneError(
    "INVALID_REQUEST",
    `Worker ${hello.worker} speaks wire protocol ${hello.protocol ?? 0}, this coordinator ${PROTOCOL_VERSION}; ` +
      "run the same release of both.",
  );
}

/** A certificate is of one worker. */
function checkName(worker: string | null | undefined, peer: Peer | null): RhoneError | null {
  if (peer === null || peer.name === worker) return null;
  return new RhoneError(
    "FORBIDDEN_PEER",
    `The certificate is of worker ${peer.name}, the message of worker ${worker}.`,
  );
}

function refuse(stream: JoinStream, error: RhoneError): void {
  stream.emit("error", toGrpcStatus(error));
}
