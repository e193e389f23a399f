import type { GenerationJob } from "@rhone/common";
import { jobBytes } from "../queue/job-bytes.js";
import { RequestError } from "../request-error.js";
import { timeLeft } from "../turns.js";

/**
 * Most bytes of one request's jobs in the queue: each job repeats what the request says once. 2,048 inputs of 500 ids
 * of a large vocabulary are 9 MB, and 8 samples with a bias for each of 131,072 tokens 11 MB.
 */
const MOST_BYTES = 12 * 1024 * 1024;

/**
 * Most scores of prompt tokens in one request, alternatives included: writing them takes 0.4 s. A context of 32,768
 * tokens has as many with one alternative each.
 */
const MOST_SCORES = 65_536;

/** Counts in turns. Throws INVALID_REQUEST for jobs that are too large together, or whose prompts' scores would be. */
export async function checkSize(jobs: readonly GenerationJob[]): Promise<void> {
  await checkBytes(jobs);
  checkScores(jobs);
}

function checkScores(jobs: readonly GenerationJob[]): void {
  const scores = jobs.reduce((sum, { promptIds, promptLogprobs }) => {
    return sum + (promptLogprobs === null ? 0 : promptIds.length * (1 + promptLogprobs));
  }, 0);
  if (scores <= MOST_SCORES) return;
  const message =
    `The request asks for ${scores} log-probabilities of prompt tokens, alternatives included, ${MOST_SCORES} at ` +
    "most. Send shorter or fewer prompts, or ask for fewer alternatives.";
  throw new RequestError("INVALID_REQUEST", message, { param: "prompt_logprobs" });
}

async function checkBytes(jobs: readonly GenerationJob[]): Promise<void> {
  let bytes = 0;
  for (const job of jobs) {
    await timeLeft();
    bytes += jobBytes(job);
  }
  if (bytes <= MOST_BYTES) return;
  const message =
    `The request makes ${jobs.length} jobs with ${bytes} bytes together, ${MOST_BYTES} at most: each repeats ` +
    "its prompt, logit_bias, stop and grammar. Ask for fewer prompts or samples.";
  throw new RequestError("INVALID_REQUEST", message);
}
