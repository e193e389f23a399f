import type { MicroBatchBuilder } from "./micro-batch.js";
import type { WaitingQueue } from "./queues.js";
import type { RunningSet } from "./running-set.js";
import type { Sequence } from "./sequence.js";
import type { Claim } from "./shares.js";

/** Who waits, who runs, and how many may. */
export interface Places {
  readonly waiting: WaitingQueue;
  readonly running: RunningSet;
  readonly maxSequences: number;
}

/**
 * Starts waiting sequences while there are pages for all that they must prefill, and some to spare. Constrained ones
 * are opened at once, so that their grammars are prepared while their prompts are computed. Each starts at most once:
 * one that another has pushed out meanwhile waits for the next micro-batch, so this ends whatever pushes what out.
 * Returns whether any has started.
 */
export function admit(places: Places, builder: MicroBatchBuilder): boolean {
  const { waiting, running } = places;
  const admitted = new Set<Sequence>();
  for (let head = waiting.head(); head !== undefined; head = waiting.head()) {
    if (admitted.has(head) || !running.mayBegin(head)) break;
    if (!head.mayDraw && !builder.mayOpen(head)) break;
    // Its old spans must be back, or a token could arrive while it is computed a second time.
    const cached = head.spansInFlight > 0 ? null : makeRoom(places, head);
    if (cached === null) break;
    waiting.start(head, head.prefillEnd - cached);
    running.start(head, cached);
    if (!head.mayDraw) builder.open(head);
    admitted.add(head);
  }
  return admitted.size > 0;
}

/**
 * Opens the page lease of a sequence that can start now and returns how many positions the prefix cache had; null when
 * it must wait. Interactive sequences push out batch sequences, and sequences of API keys beyond their share.
 */
function makeRoom({ running, maxSequences }: Places, head: Sequence): number | null {
  const { pages } = running;
  while (running.size > 0) {
    let claim: Claim = { head, needed: 1, held: () => 1 };
    if (running.size < maxSequences) {
      const cached = pages.acquire(head);
      if (running.hasRoomFor(head)) return cached;
      claim = { head, needed: pages.held(head) + pages.needed(head), held: (other) => pages.held(other) };
      pages.release(head);
    }
    if (head.job.lane === "batch" || !running.pushOut(claim)) return null;
  }
  return pages.acquire(head);
}
