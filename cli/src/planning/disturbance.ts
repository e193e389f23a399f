import type { WorkerStatus } from "@rhone/common";

/** Share of the time without a core above which timings are not trusted; a quiet machine shows 1 to 3 %. */
const NOTABLE = 0.15;

/** The share if it matters, else null. */
export const notable = (share: number): number | null => (share > NOTABLE ? share : null);

/** How much other processes disturbed workers that timed their layers alone; null if little, or not known. */
export const disturbanceOf = (workers: readonly Pick<WorkerStatus, "stepTimes">[]): number | null =>
  notable(Math.max(0, ...workers.map(({ stepTimes }) => stepTimes?.waited ?? 0)));
