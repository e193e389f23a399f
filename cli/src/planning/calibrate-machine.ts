import { type Calibration, mergeCalibrations } from "@rhone/planner";
import { CalibrationProcess, type CalibrationRequest } from "./calibration-process.js";

const ROWS = [1, 2, 4, 8, 16, 32];
const ONE_ROW = [1];

/**
 * How fast a model's layers run with so many workers on this machine: all timed at once, because they share its memory
 * bandwidth, then one alone. No process is left when it returns or throws. Throws what loading the layers throws.
 */
export async function calibrateMachine(
  workers: number,
  request: CalibrationRequest,
  signal: AbortSignal,
): Promise<Calibration> {
  const ending = new AbortController();
  const either = AbortSignal.any([signal, ending.signal]);
  try {
    const starts = Array.from({ length: workers }, () => CalibrationProcess.start(request, either));
    const processes = await Promise.all(starts);
    const curves = await Promise.all(processes.map((process) => process.measure(ROWS)));
    const alone = workers === 1 ? curves[0]?.slice(0, 1) : await processes[0]?.measure(ONE_ROW);
    return mergeCalibrations(curves.map((curve) => ({ curve, alone: alone ?? [], head: true })));
  } finally {
    ending.abort();
  }
}
