import { randomUUID } from "node:crypto";
import type { Client, ClientDuplexStream } from "@grpc/grpc-js";
import {
  type CoordinatorMessage,
  controlService,
  type Frame,
  FrameLink,
  flowHandler,
  GrpcServer,
  openChannel,
  PROTOCOL_VERSION,
  pipelineService,
  type Security,
  type WorkerMessage,
} from "@rhone/common";
import type { rhone } from "@rhone/proto";
import { FakeStage } from "./fake-stage.js";
import { nextToken, VOCABULARY } from "./next-token.js";
import { PLAINTEXT } from "./plaintext.js";

export interface FakeWorkerOptions {
  readonly worker: string;
  /** host:port of the coordinator. */
  readonly coordinator: string;
  readonly security?: Security;
  readonly memoryTotal?: number;
  /** The bytes of pages that it reports with a shard; 0 when absent. */
  readonly pageBytes?: number;
  readonly protocol?: number;
  /** It says that it was drained before. */
  readonly drained?: boolean;
  /** The milliseconds per layer that it reports; 1 when absent. */
  readonly layerMs?: number;
  /** Loads fail with this. */
  readonly loadFailure?: { readonly code: string; readonly message: string };
  /** Loads are answered when this resolves. */
  readonly beforeLoaded?: Promise<void>;
  /** A load beside the shard that serves is answered when what this returns resolves. */
  readonly beforeBeside?: () => Promise<void> | undefined;
  /** Probes are passed on when this resolves. */
  readonly beforeProbe?: Promise<void>;
  /** Called before each step runs; throwing makes the stage fail. */
  readonly onStep?: (step: rhone.v1.Step.$Properties) => void;
  /** Why grammars are refused; all are ready at once when absent. */
  readonly refuses?: rhone.v1.SequenceError.$Properties;
}

/** A worker with real connections and no tensors: its stage obeys page tables and draws by the rule of nextToken. */
export class FakeWorker {
  readonly worker: string;
  readonly loads: rhone.v1.LoadShard.$Properties[] = [];
  /** The first layers of what it was told to hold beside its shard, by order. */
  readonly spares: number[][] = [];
  /** What it was told last of the pipeline. */
  standing: rhone.v1.Standing.$Properties | null = null;
  /** How often it was told to free its shard. */
  releases = 0;
  /** Why the coordinator ended the control stream, or null while it is open. */
  ended: string | null = null;
  readonly #options: FakeWorkerOptions;
  readonly #server: GrpcServer;
  readonly #client: Client;
  readonly #control: ClientDuplexStream<WorkerMessage, CoordinatorMessage>;
  readonly #heartbeat: NodeJS.Timeout;
  /** Was told to have no layers any more. */
  isDrained = false;
  /** Why nobody holds its layers, as the coordinator said when it let it go; "": others do. */
  left: string | null = null;
  #shape: rhone.v1.LoadShard.$Properties | null = null;
  #epoch: rhone.v1.OpenEpoch.$Properties | null = null;
  #stage: FakeStage | null = null;
  #next: FrameLink | null = null;
  #steps = 0;

  private constructor(options: FakeWorkerOptions, server: GrpcServer) {
    this.#options = options;
    this.#server = server;
    this.worker = options.worker;
    const { security = PLAINTEXT } = options;
    this.#client = openChannel(options.coordinator, { security, expect: { role: "coordinator" } });
    const { path, requestSerialize, responseDeserialize } = controlService.join;
    this.#control = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    this.#control.on("data", (message: CoordinatorMessage) => this.#obey(message));
    this.#control.on("error", (error) => {
      this.ended = error.message;
    });
    const { worker, memoryTotal = 1e9, protocol = PROTOCOL_VERSION, drained = false } = options;
    this.#control.write({
      hello: {
        ...{ worker, hostname: worker, address: `127.0.0.1:${server.port}`, protocol, memoryTotal },
        session: randomUUID(),
        drained,
      },
    });
    this.#heartbeat = setInterval(() => this.#beat(), 1000);
  }

  /** The type of activations that it was told to send; null before an epoch. */
  get activationType(): rhone.v1.ActivationType | null {
    return this.#epoch === null ? null : (this.#epoch.activationType ?? 0);
  }

  static async start(options: FakeWorkerOptions): Promise<FakeWorker> {
    let worker: FakeWorker | undefined;
    const { security = PLAINTEXT } = options;
    const server = await GrpcServer.open({ host: "127.0.0.1", port: 0, security }, (services) => {
      const accept = (frame: Frame): void => {
        if (worker !== undefined) worker.#accept(frame);
      };
      services.addService(pipelineService, { flow: flowHandler(() => ({ accept })) });
    });
    worker = new FakeWorker(options, server);
    return worker;
  }

  /** Asks to leave, and ends when the coordinator lets it. */
  async leave(): Promise<void> {
    const left = new Promise((resolve) => this.#control.once("end", resolve));
    this.#control.write({ leave: {} });
    await left;
    this.kill();
  }

  /** Ends it at once, as kill -9 does. */
  kill(): void {
    clearInterval(this.#heartbeat);
    this.#control.cancel();
    this.#client.close();
    this.#next?.close();
    this.#server.close();
  }

  #beat(): void {
    const { path, requestSerialize, responseDeserialize } = controlService.beat;
    const heartbeat = { worker: this.worker, steps: this.#steps };
    this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, heartbeat, () => {});
  }

  #obey({ load, release, calibrate, epoch, standing, drain, left, spares }: CoordinatorMessage): void {
    if (spares != null) {
      this.spares.push((spares.layers ?? []).map(({ firstLayer }) => firstLayer ?? 0));
      this.#control.write({ ready: { load: spares.load ?? 0, spare: true } });
    }
    if (standing != null) this.standing = standing;
    if (drain != null) this.isDrained = true;
    if (left != null) this.left = left.problem ?? "";
    if (release != null && release.beside !== true) this.releases++;
    if (calibrate != null) {
      const { layerMs = 1 } = this.#options;
      const stepTimes = (calibrate.rows ?? []).map((rows) => ({ rows, layerMs, headMs: this.#shape?.heads ? 0.1 : 0 }));
      this.#control.write({ calibrated: { calibration: calibrate.calibration ?? 0, stepTimes } });
    }
    if (load != null) void this.#load(load);
    if (epoch != null) this.#open(epoch);
  }

  async #load(load: rhone.v1.LoadShard.$Properties): Promise<void> {
    this.loads.push(load);
    const { loadFailure, beforeLoaded, beforeBeside, pageBytes = 0 } = this.#options;
    await (load.beside ? beforeBeside?.() : beforeLoaded);
    const id = load.load ?? 0;
    if (loadFailure !== undefined) {
      this.#control.write({ failed: { load: id, ...loadFailure } });
      return;
    }
    if (!load.beside) this.#shape = load;
    this.#control.write({ progress: { load: id, bytes: 50, totalBytes: 100 } });
    this.#control.write({ ready: { load: id, weightBytes: 100, pageBytes, beside: load.beside ?? false } });
  }

  #open(epoch: rhone.v1.OpenEpoch.$Properties): void {
    const { pages, pageSize, slidingWindow } = this.#shape ?? {};
    this.#epoch = epoch;
    this.#stage = new FakeStage({
      failsFrom: VOCABULARY,
      pages: pages ?? 0,
      pageSize: pageSize ?? 1,
      slidingWindow: slidingWindow ?? 0,
      next: nextToken,
    });
    this.#next?.close();
    const { security = PLAINTEXT } = this.#options;
    const worker = epoch.nextWorker || undefined;
    this.#next = new FrameLink({
      address: epoch.next ?? "",
      security,
      expect: { role: worker === undefined ? "coordinator" : "worker", name: worker },
      peer: "the next stage",
      onBroken: () => {},
    });
  }

  #accept(frame: Frame): void {
    if (frame.pipeline !== this.#epoch?.pipeline || frame.epoch !== this.#epoch?.epoch) return;
    if (frame.probe != null) {
      const workers = [...(frame.probe.workers ?? []), this.worker];
      const pass = () => this.#pass({ ...frame, probe: { ...frame.probe, workers } });
      const { beforeProbe } = this.#options;
      if (beforeProbe === undefined) pass();
      else void beforeProbe.then(pass);
    } else if (frame.stepBody == null || this.#stage === null) this.#pass(frame);
    else this.#run(frame, this.#stage, frame.stepBody);
  }

  #run(frame: Frame, stage: FakeStage, stepBody: rhone.v1.Step.$Properties): void {
    const { pipeline = "", epoch = 0, step = 0 } = frame;
    try {
      this.#options.onStep?.(stepBody);
      const result = stage.run(stepBody);
      this.#steps++;
      this.#prepareAll(frame, stage);
      this.#pass(this.#shape?.heads ? { pipeline, epoch, step, result } : frame);
    } catch (error) {
      const failure = {
        code: "STAGE_FAILED",
        message: String(error),
        worker: this.worker,
        stage: this.#epoch?.stage ?? 0,
      };
      this.#pass({ pipeline, epoch, step, failure });
    }
  }

  #prepareAll({ pipeline = "", epoch = 0 }: Frame, stage: FakeStage): void {
    const { refuses: error = null } = this.#options;
    for (const sequence of stage.preparing) {
      stage.prepare(sequence);
      if (this.#shape?.heads) this.#pass({ pipeline, epoch, ready: { sequence, error } });
    }
  }

  #pass(frame: Frame): void {
    this.#next?.send(frame);
  }
}
