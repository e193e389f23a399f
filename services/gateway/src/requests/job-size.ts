import type { GenerationJob } from "@rhone/common";
import { RequestError } from "../request-error.js";

/** Most bytes of one request's jobs in the queue, about: each job repeats what the request says once. */
const MOST_BYTES = 32 * 1024 * 1024;

/**
 * Most scores of prompt tokens in one request, alternatives included: writing them takes 0.4 s. A context of 32,768
 * tokens has as many with one alternative each.
 */
const MOST_SCORES = 65_536;

/** Of a token id, and of an id with its bias, as JSON. */
const ID_BYTES = 6;
const BIAS_BYTES = 10;

/** Throws INVALID_REQUEST for jobs that are too large together, or whose prompts' scores would be. */
export function checkSize(jobs: readonly GenerationJob[]): void {
  checkBytes(jobs);
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

function checkBytes(jobs: readonly GenerationJob[]): void {
  const bytes = jobs.reduce((sum, job) => sum + bytesOf(job), 0);
  if (bytes <= MOST_BYTES) return;
  const message =
    `The request makes ${jobs.length} jobs with ${bytes} bytes together, about, ${MOST_BYTES} at most: each repeats ` +
    "its prompt, logit_bias, stop and grammar. Ask for fewer prompts or samples.";
  throw new RequestError("INVALID_REQUEST", message);
}

function bytesOf({ promptIds, sampling, stop, constraint }: GenerationJob): number {
  const texts = [...stop, constraint?.grammar, constraint?.otherwise];
  const characters = texts.reduce((sum, text) => sum + (text?.length ?? 0), 0);
  return promptIds.length * ID_BYTES + sampling.logitBias.length * BIAS_BYTES + characters;
}
