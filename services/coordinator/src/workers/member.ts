import type { ServerDuplexStream } from "@grpc/grpc-js";
import {
  type CoordinatorMessage,
  type Heartbeat,
  type Preparing,
  preparingOf,
  type WorkerMessage,
  type WorkerStatus,
} from "@rhone/common";
import { type Calibration, heldBytes, type ModelWeights, type RawSpeed, type StagePlan } from "@rhone/planner";
import type { rhone } from "@rhone/proto";

/** How often a worker must send a heartbeat, and the silence after which it counts as lost. */
export const HEARTBEAT_MS = 1000;
export const LOST_AFTER_MS = 3500;
/** How busy it is, it is on average of this time: a step of a large model alone may take a second. */
const BUSY_OVER_MS = 5000;

/** One joined worker: its Hello, the shard that it holds, and the control stream to it. */
export class Member {
  readonly worker: string;
  readonly address: string;
  readonly memoryTotal: number;
  /** Measured when it started; null when it does not say. */
  readonly raw: RawSpeed | null;
  /** The shard that it was told to hold, or null for a spare. Written by the pipeline. */
  shard: StagePlan | null = null;
  /** Of a spare: the shard that it loads for the next epoch. Written by the pipeline. */
  coming: StagePlan | null = null;
  /** Identifies the load that it finished last, so that an equal one is not sent again. Written by ShardLoads. */
  loaded: string | null = null;
  /** The same of the one that it holds beside that. Written by ShardLoads. */
  beside: string | null = null;
  /** Stages whose weights it holds whatever it serves, its own first; empty: none. Written by ShardLoads. */
  spares: readonly StagePlan[] = [];
  /** The next stage that it should hold and has no memory for; null: none. Written by SpareStages. */
  lackingSpare: { readonly stage: number; readonly needed: number } | null = null;
  /** On the performance clock: when its last load failed; null after a load that did not. Written by ShardLoads. */
  loadFailedAt: number | null = null;
  /** Times of the model's layers on it; null until it has measured them. Written by Calibrations. */
  calibration: Calibration | null = null;
  /** It has asked to leave, and gets no shard any more. Written by the registry. */
  isLeaving = false;
  /** It gets no shard any more, by an operator's wish. Written by the pipeline. */
  drain: "draining" | "drained" | null;
  /** On the performance clock: when its step counter last moved. */
  steppedAt = performance.now();
  readonly #hello: rhone.v1.Hello.$Properties;
  readonly #stream: ServerDuplexStream<WorkerMessage, CoordinatorMessage>;
  readonly #silence: NodeJS.Timeout;
  #heartbeat: Heartbeat = {};
  /** What it had computed at the heartbeats of the last 5 s, and at the one before. */
  #computed: readonly { readonly at: number; readonly busyUs: number }[] = [];
  #loadedBytes = 0;
  #totalBytes = 0;
  #pageBytes = 0;
  #varies = "";
  #preparing: Preparing | null = null;

  constructor(options: {
    readonly hello: rhone.v1.Hello.$Properties;
    readonly stream: ServerDuplexStream<WorkerMessage, CoordinatorMessage>;
    readonly onSilent: () => void;
  }) {
    this.#hello = options.hello;
    this.#stream = options.stream;
    this.worker = options.hello.worker ?? "";
    this.address = options.hello.address ?? "";
    this.memoryTotal = options.hello.memoryTotal ?? 0;
    const { gflops, bandwidth, drained } = options.hello;
    this.drain = drained === true ? "drained" : null;
    this.raw = gflops && bandwidth ? { gflops, bandwidth } : null;
    this.#silence = setTimeout(options.onSilent, LOST_AFTER_MS);
  }

  get hostname(): string {
    return this.#hello.hostname ?? "";
  }

  /** Rows that its kernels compute at once; 1 when it does not say. */
  get rowBlock(): number {
    return this.#hello.rowBlock || 1;
  }

  /** Whether a plan may have it. */
  get isCandidate(): boolean {
    return !this.isLeaving && this.drain === null;
  }

  /**
   * Whether it has memory for a shard beside the one that it serves with; layers of both are held once. On a CPU, pages
   * take none until they are used, and the next shard's are used once the present one's are freed.
   */
  hasRoomBeside(next: StagePlan, weights: ModelWeights): boolean {
    if (this.shard === null) return true;
    const { first, last } = next;
    const layerPages = this.#pageBytes / (this.shard.last - this.shard.first);
    const reserved = this.#hello.device === "CPU" ? 0 : layerPages * (last - first);
    const held = heldBytes(weights, [this.shard, next, ...this.spares]);
    return held + this.#pageBytes + reserved <= this.memoryTotal;
  }

  /** Equal for workers of one machine that compute with the same device, kernels and threads. */
  get kind(): string {
    const { hostname, device, kernels, threads } = this.#hello;
    return JSON.stringify([hostname, device, kernels, threads]);
  }

  /** Whether a Hello with this session is of the same process. */
  isOfSession(session: string | null | undefined): boolean {
    const own = this.#hello.session ?? "";
    return own !== "" && session === own;
  }

  send(message: CoordinatorMessage): void {
    this.#stream.write(message);
  }

  /** Takes any message of the worker: it is alive. */
  receive(message: WorkerMessage): void {
    this.#silence.refresh();
    if (message.progress != null) {
      const { bytes, totalBytes } = message.progress;
      this.#preparing = preparingOf(message.progress);
      this.#loadedBytes = this.#preparing === null ? (bytes ?? 0) : 0;
      this.#totalBytes = this.#preparing === null ? (totalBytes ?? 0) : 0;
    }
    if (message.failed != null) this.#preparing = null;
    if (message.ready != null && message.ready.spare !== true) {
      this.#preparing = null;
      this.#loadedBytes = message.ready.weightBytes ?? 0;
      this.#totalBytes = this.#loadedBytes;
      if (message.ready.beside === true) return;
      this.#pageBytes = message.ready.pageBytes ?? 0;
      this.#varies = message.ready.varies ?? "";
    }
  }

  /** Takes a heartbeat of the worker: it is alive, though its main thread may be busy. */
  beat(heartbeat: Heartbeat): void {
    this.#silence.refresh();
    const now = performance.now();
    const computed = [...this.#computed, { at: now, busyUs: heartbeat.busyUs ?? 0 }];
    const recent = computed.findIndex(({ at }) => at > now - BUSY_OVER_MS);
    this.#computed = computed.slice(Math.max(0, recent - 1));
    if (heartbeat.steps !== this.#heartbeat.steps) this.steppedAt = now;
    this.#heartbeat = heartbeat;
  }

  status(): WorkerStatus {
    const { operations, hostname, pid, device, kernels, threads, memoryFrom } = this.#hello;
    const going = this.isLeaving ? "leaving" : this.drain;
    return {
      worker: this.worker,
      address: this.address,
      operations: operations ?? "",
      hostname: hostname ?? "",
      pid: pid ?? 0,
      device: device ?? "",
      kernels: kernels || "ggml",
      threads: threads ?? 0,
      memoryTotal: this.memoryTotal,
      ...(memoryFrom && { memoryFrom }),
      resident: this.#heartbeat.resident ?? 0,
      layers: this.shard === null ? null : [this.shard.first, this.shard.last],
      ...(going !== null && { going }),
      ...this.#spareStatus(),
      loadedBytes: this.#loadedBytes,
      totalBytes: this.#totalBytes,
      preparing: this.#preparing,
      pageBytes: this.shard === null ? 0 : this.#pageBytes,
      varies: this.shard === null ? "" : this.#varies,
      stepTimes: this.calibration,
      busy: this.#busy(),
    };
  }

  #spareStatus(): Pick<WorkerStatus, "spare"> {
    const { shard, lackingSpare } = this;
    const isServed = ({ first, last }: StagePlan): boolean =>
      shard !== null && shard.first <= first && last <= shard.last;
    const stages = this.spares.filter((stage) => !isServed(stage));
    if (stages.length === 0 && lackingSpare === null) return {};
    return {
      spare: {
        layers: stages.map(({ first, last }) => [first, last]),
        bytes: stages.reduce((sum, { weightBytes }) => sum + weightBytes, 0),
        needed: lackingSpare?.needed ?? null,
      },
    };
  }

  close(): void {
    clearTimeout(this.#silence);
    this.#stream.end();
  }

  /** Its share of the time, from 0 to 1. */
  #busy(): number {
    const [first, last] = [this.#computed[0], this.#computed.at(-1)];
    if (first === undefined || last === undefined || first === last) return 0;
    return Math.min(1, (last.busyUs - first.busyUs) / (1000 * (last.at - first.at)));
  }
}
