import type { GenerationEvent } from "@rhone/common";

export interface ChoiceEvent {
  readonly choice: number;
  readonly event: GenerationEvent;
}

type Events = AsyncGenerator<GenerationEvent, void, undefined>;

/** The events of several sequences as they arrive, of `atOnce` at a time. The first failure ends it; leaving early ends every source. */
export async function* mergeEvents(
  sources: readonly Events[],
  atOnce = sources.length,
): AsyncGenerator<ChoiceEvent, void, undefined> {
  const [only] = sources;
  if (sources.length === 1 && only !== undefined) {
    for await (const event of only) yield { choice: 0, event };
    return;
  }
  const pull = async (choice: number) => ({ choice, result: await (sources[choice] as Events).next() });
  let begun = Math.min(atOnce, sources.length);
  const pending = new Map(Array.from({ length: begun }, (_, choice) => [choice, pull(choice)]));
  try {
    while (pending.size > 0) {
      const { choice, result } = await Promise.race(pending.values());
      if (result.done === true) {
        pending.delete(choice);
        if (begun < sources.length) pending.set(begun, pull(begun++));
        continue;
      }
      pending.set(choice, pull(choice));
      yield { choice, event: result.value };
    }
  } finally {
    for (const waiting of pending.values()) waiting.catch(() => {});
    for (const source of sources) source.return().catch(() => {});
  }
}
