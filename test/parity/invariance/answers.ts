import { setTimeout as sleep } from "node:timers/promises";
import type { RunningCluster } from "../../cluster/start-cluster.js";
import type { Request } from "./requests.js";

interface Completion {
  readonly choices: readonly { readonly token_ids: readonly number[]; readonly logprobs: unknown }[];
  readonly usage: { readonly prompt_tokens_details: { readonly cached_tokens: number } };
}

/** What must be equal to the bit: JSON writes a number with as many digits as tell it from every other one. */
export interface Answer {
  readonly ids: readonly number[];
  readonly logprobs: unknown;
}

export interface Answers {
  readonly answers: readonly Answer[];
  /** Prompt tokens that came from the prefix cache. */
  readonly cached: number;
}

interface Asking {
  /** Requests that wait for their answers at one time. */
  readonly atOnce: number;
  /** Called after each answer, with the number of answers so far. */
  readonly onAnswer?: (count: number) => void;
}

const RETRY_MS = 100;

/** Asks as a client does: again while the answer is 503, as it is until another worker has taken a lost one's place. */
export async function askUntilReady<T>(cluster: RunningCluster, path: string, body: object): Promise<T> {
  for (;;) {
    const response = await cluster.post(path, body);
    if (response.ok) return (await response.json()) as T;
    if (response.status !== 503) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    await sleep(RETRY_MS);
  }
}

/** Asks all of them, `atOnce` side by side; the answers in the order of the requests. */
export async function askAll(
  cluster: RunningCluster,
  requests: readonly Request[],
  { atOnce, onAnswer }: Asking,
): Promise<Answers> {
  const answers: Answer[] = [];
  const waiting = requests.entries();
  let [cached, count] = [0, 0];
  const askNext = async (): Promise<void> => {
    for (const [index, request] of waiting) {
      const body = { ...request, ignore_eos: true, return_token_ids: true, return_tokens_as_token_ids: true };
      const { choices, usage } = await askUntilReady<Completion>(cluster, "/v1/completions", body);
      const [choice] = choices;
      answers[index] = { ids: choice?.token_ids ?? [], logprobs: choice?.logprobs };
      cached += usage.prompt_tokens_details.cached_tokens;
      onAnswer?.(++count);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, askNext));
  return { answers, cached };
}
