import { type ChildProcess, fork } from "node:child_process";
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
}

/** It computes in threads; its event loop is never busy for long. */
const HUNG_AFTER_MS = 30_000;

/** A child process that holds a few layers of a model and times them when asked. */
export class CalibrationProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<never>;
  #kernels = "";
  #answered: (answer: CalibrationAnswer) => void = () => {};

  private constructor(child: ChildProcess) {
    this.#child = child;
    let fatal: RhoneError | undefined;
    child.on("message", (message: Announcement | CalibrationAnswer) => {
      if (message.kind === "fatal") fatal = asError(message);
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
    const started = new CalibrationProcess(child);
    watchPulse(child, { hungAfterMs: HUNG_AFTER_MS, onHung: () => child.kill("SIGKILL") });
    const answer = await started.#answer();
    if (answer.kind === "loaded") started.#kernels = answer.kernels;
    return started;
  }

  /** Times steps with these numbers of decode rows. */
  async measure(rows: readonly number[]): Promise<readonly StepTimeStatus[]> {
    const answered = this.#answer();
    this.#child.send({ rows } satisfies CalibrationOrder);
    const answer = await answered;
    return answer.kind === "measured" ? answer.stepTimes : [];
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
}

const ONE_ROW = [1];

/**
 * Times a model's layers with `workers` workers on this machine: all at once, because they share its memory bandwidth,
 * then one alone. No process is left when it returns or throws. Throws the errors of loading the layers.
 */
export async function calibrateMachine(
  workers: number,
  request: CalibrationRequest,
  signal: AbortSignal,
): Promise<MachineCalibration> {
  const ending = new AbortController();
  const either = AbortSignal.any([signal, ending.signal]);
  try {
    const starts = Array.from({ length: workers }, () => CalibrationProcess.start(request, either));
    const processes = await Promise.all(starts);
    const curves = await Promise.all(processes.map((process) => process.measure(CALIBRATED_ROWS)));
    const alone = workers === 1 ? curves[0]?.slice(0, 1) : await processes[0]?.measure(ONE_ROW);
    const calibration = mergeCalibrations(curves.map((curve) => ({ curve, alone: alone ?? [], head: true })));
    return { ...calibration, kernels: processes[0]?.kernels ?? "" };
  } finally {
    ending.abort();
  }
}
