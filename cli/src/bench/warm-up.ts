import type { BenchTarget } from "./bench-target.js";
import type { Prompts } from "./load/random-prompts.js";

/** Short streams, as many at once as will be measured: connections are open and memory is touched afterwards. */
export async function warmUp(target: BenchTarget, prompts: Prompts, streams = 1): Promise<void> {
  await target.run({ prompts: prompts.prompts(streams, 8), maxTokens: 4, cache: false });
}
