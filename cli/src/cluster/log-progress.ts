import type { Logger } from "@rhone/common";
import type { ProgressEvent } from "./progress.js";

/** Writes what a supervisor reports as lines of its log: of a phase, its end. A failure is logged with its error. */
export function logProgress(event: ProgressEvent, logger: Logger): void {
  if (event.kind === "note") logger.info({ text: event.text }, "note");
  else if (event.kind === "warning") logger.warn({ text: event.text }, "warning");
  else if (event.kind === "ready") logger.info({ url: event.url }, "cluster ready");
  else if (event.kind === "member") logger.info({ text: event.text }, "joined");
  else if (event.kind === "invitation") logger.info({ admits: event.admits }, "token created");
  else if (event.kind === "phase" && event.done) logger.info({ phase: event.phase, text: event.text }, "phase done");
}
