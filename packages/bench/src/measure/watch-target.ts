import { RandomPrompts } from "../load/prompts.js";
import { Watcher } from "../watch/watcher.js";
import type { BenchTarget } from "./bench-target.js";

const PROMPT_TOKENS = 8;

/** A watcher of the cluster, with streams as long as the context, once `pages` are filled. The caller closes it. */
export async function watchTarget(target: BenchTarget, pages = 0): Promise<Watcher> {
  const { vocabSize, contextLength } = target.status.model;
  const prompts = new RandomPrompts({ vocabSize, seed: 1 });
  await target.warmUp(prompts);
  await target.fillPages(prompts, pages);
  return new Watcher({
    url: target.url,
    apiKey: target.connection.apiKey,
    prompt: prompts.prompt(PROMPT_TOKENS),
    maxTokens: contextLength - PROMPT_TOKENS,
    pids: target.processes().map(({ pid }) => pid),
  });
}
