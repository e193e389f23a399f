import { type ChildProcess, fork } from "node:child_process";
import { loadavg } from "node:os";
import {
  type Announcement,
  type CalibrationAnswer,
  type CalibrationOrder,
  isErrorCode,
  type KernelChoice,
  RhoneError,
  type StepTimeStatus,
  watchPulse,
} from "@rhone/common";
import { CALIBRATED_ROWS, type Calibration, mergeCalibrations } from "@rhone/planner";
import { childEnvironment } from "../config.js";
import { toArguments } from "../processes/service-process.js";
import { notable } from "./disturbance.js";

/** What a calibration process has measured. */
interface Measured {
  readonly stepTimes: readonly StepTimeStatus[];
  readonly waited: number | null;
}

export interface CalibrationRequest {
  /** The JavaScript file of the process. */
  readonly entry: string;
  readonly modelPath: string;
  /** Number of the model's layers to load. */
  readonly layers: number;
  readonly threads: number;
  readonly kvType: string;
  readonly slidingWindow: number;
  readonly device: string | undefined;
  readonly kernels: KernelChoice | undefined;
  /** Called as layers are loaded. */
  readonly onLoading?: (bytes: number, totalBytes: number) => void;
}

/** It computes in threads; its event loop is never busy for long. */
const HUNG_AFTER_MS = 30_000;

/** A child process that holds a few layers of a model and times them when asked. */
export class CalibrationProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<never>;
  #kernels = "";
  #answered: (answer: CalibrationAnswer) => void = () => {};

  private constructor(child: ChildProcess, onLoading: CalibrationRequest["onLoading"]) {
    this.#child = child;
    let fatal: RhoneError | undefined;
    child.on("message", (message: Announcement | CalibrationAnswer) => {
      if (message.kind === "fatal") fatal = asError(message);
      else if (message.kind === "loading") onLoading?.(message.bytes, message.totalBytes);
      else if (message.kind === "loaded" || message.kind === "measured") this.#answered(message);
    });
    this.#ended = new Promise((_, reject) => {
      const early = (how: string) =>
        fatal ?? new RhoneError("INTERNAL", `The process that times the model's layers ended unexpectedly (${how}).`);
      child.once("error", (error) => reject(early(error.message)));
      child.once("exit", (code, signal) => reject(early(signal ?? `exit code ${code}`)));
    });
    this.#ended.catch(() => {}); // `#answer` rejects with it
  }

  /** What it computes with; "" until it has loaded its layers. */
  get kernels(): string {
    return this.#kernels;
  }

  /** Resolves when the layers are loaded. Throws the errors of loading. `signal` kills the process. */
  static async start(request: CalibrationRequest, signal: AbortSignal): Promise<CalibrationProcess> {
    const { entry, modelPath, layers, threads, kvType, slidingWindow, device, kernels } = request;
    const flags = {
      "model-path": modelPath,
      layers,
      threads,
      "kv-type": kvType,
      "sliding-window": slidingWindow,
      device,
      kernels,
    };
    const child = fork(entry, toArguments(flags), {
      env: childEnvironment(),
      execArgv: [],
      signal,
      killSignal: "SIGKILL",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const started = new CalibrationProcess(child, request.onLoading);
    watchPulse(child, { hungAfterMs: HUNG_AFTER_MS, onHung: () => child.kill("SIGKILL") });
    const answer = await started.#answer();
    if (answer.kind === "loaded") started.#kernels = answer.kernels;
    return started;
  }

  /** Times steps with these numbers of decode rows. */
  async measure(rows: readonly number[]): Promise<Measured> {
    const answered = this.#answer();
    this.#child.send({ rows } satisfies CalibrationOrder);
    const answer = await answered;
    return answer.kind === "measured" ? answer : { stepTimes: [], waited: null };
  }

  #answer(): Promise<CalibrationAnswer> {
    const answered = new Promise<CalibrationAnswer>((resolve) => {
      this.#answered = resolve;
    });
    return Promise.race([answered, this.#ended]);
  }
}

function asError({ code, message }: Extract<Announcement, { kind: "fatal" }>): RhoneError {
  return new RhoneError(isErrorCode(code) ? code : "INTERNAL", message);
}

export interface MachineCalibration extends Calibration {
  /** What was timed: "ggml", or Rhone's own kernels by name. */
  readonly kernels: string;
  /** Share of the time in which other processes had the cores, 0 to 1. */
  readonly disturbed: number;
}

export interface MachineRequest extends CalibrationRequest {
  readonly workers: number;
  /** Cores of this machine. */
  readonly cores: number;
  /** Called when the layers are loaded. */
  readonly onTiming?: () => void;
}

const ONE_ROW = [1];

/**
 * Times a model's layers with some workers on this machine: all at once, because they share its memory bandwidth, then
 * one alone; twice, if other processes disturb it. No process is left when it returns or throws. Throws the errors of
 * loading the layers.
 */
export async function calibrateMachine(request: MachineRequest, signal: AbortSignal): Promise<MachineCalibration> {
  const ending = new AbortController();
  const either = AbortSignal.any([signal, ending.signal]);
  try {
    const processes = await startAll(request, either);
    request.onTiming?.();
    const kernels = processes[0]?.kernels ?? "";
    const first = await timeAll(processes, request);
    if (notable(first.disturbed) === null) return { ...first, kernels };
    const second = await timeAll(processes, request);
    return { ...mergeCalibrations([first, second]), disturbed: Math.min(first.disturbed, second.disturbed), kernels };
  } finally {
    ending.abort();
  }
}

/** Tells of the bytes that all of them have loaded together. */
async function startAll(request: MachineRequest, signal: AbortSignal): Promise<readonly CalibrationProcess[]> {
  const loaded = new Array<number>(request.workers).fill(0);
  const starts = loaded.map((_, index) => {
    const onLoading = (bytes: number, totalBytes: number) => {
      loaded[index] = bytes;
      request.onLoading?.(
        loaded.reduce((sum, each) => sum + each, 0),
        request.workers * totalBytes,
      );
    };
    return CalibrationProcess.start({ ...request, onLoading }, signal);
  });
  return Promise.all(starts);
}

async function timeAll(
  processes: readonly CalibrationProcess[],
  { cores, threads }: MachineRequest,
): Promise<Omit<MachineCalibration, "kernels">> {
  const [all, together] = [await Promise.all(processes.map((each) => each.measure(CALIBRATED_ROWS))), processes.length];
  const alone = together === 1 ? all[0] : await processes[0]?.measure(ONE_ROW);
  const single = alone?.stepTimes.slice(0, 1) ?? [];
  const calibration = mergeCalibrations(all.map(({ stepTimes }) => ({ curve: stepTimes, alone: single, head: true })));
  const disturbances = [
    ...all.map(({ waited }) => waitedForOthers(waited, { cores, threads: together * threads })),
    waitedForOthers(alone?.waited ?? null, { cores, threads }),
  ];
  return { ...calibration, disturbed: Math.max(...disturbances) };
}

/**
 * More threads than cores wait for each other, which they will do when they serve, too. Where a process can't tell how
 * long it waited, the machine's load of the last minute counts.
 */
function waitedForOthers(
  waited: number | null,
  { cores, threads }: { readonly cores: number; readonly threads: number },
): number {
  const withoutCore = (ready: number): number => Math.max(0, 1 - cores / ready);
  return Math.max(0, (waited ?? withoutCore(threads + (loadavg()[0] ?? 0))) - withoutCore(threads));
}
