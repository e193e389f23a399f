import { type GenerationEvent, type GenerationJob, scoreBytes, type TokenLogprob } from "@rhone/common";

/** Bytes that are reserved for the text of a token: 8 UTF-16 units. Most have 3 to 5; more is counted as it comes. */
const TEXT_BYTES = 16;
/** Text is reserved for this many tokens: without `max_tokens` an answer may have 32,768, and few have a thousand. */
const TEXT_TOKENS = 4096;
/** Bytes of a token's id in a list that grows. */
export const ID_BYTES = 12;

type Limits = Pick<GenerationJob, "promptIds" | "maxTokens" | "logprobs" | "promptLogprobs" | "pooling">;

export interface KeptParts {
  /** Keeps nothing but the text of calls, which are sent when they are complete. */
  readonly stream: boolean;
  readonly calls?: boolean;
  /** The ids of the tokens. */
  readonly ids?: boolean;
  /** The length of an embedding. */
  readonly dim?: number;
}

/** The most bytes that the answer to these jobs may take in memory, packed, until it is sent. */
export function answerBytes(jobs: readonly Limits[], parts: KeptParts): number {
  const { stream, calls = false } = parts;
  if (stream && !calls) return 0;
  return jobs.reduce((sum, job) => sum + (stream ? textBytes(job) : choiceBytes(job, parts)), 0);
}

const textBytes = ({ maxTokens }: Limits): number => TEXT_BYTES * Math.min(maxTokens, TEXT_TOKENS);

function choiceBytes(job: Limits, { ids = false, dim = 0 }: KeptParts): number {
  const { promptIds, maxTokens, logprobs, promptLogprobs, pooling } = job;
  const perToken = (ids ? ID_BYTES : 0) + bytesEach(logprobs);
  // As base64, which has a character for 6 bits of f32.
  const vector = pooling === null ? 0 : Math.ceil((dim * 32) / 6);
  return textBytes(job) + maxTokens * perToken + promptIds.length * bytesEach(promptLogprobs) + vector;
}

/** What a whole answer keeps of an event, without the ids. */
export const eventBytes = ({ text, logprobs = [], promptLogprobs = [], embedding = "" }: GenerationEvent): number =>
  2 * text.length + scoresBytes(logprobs) + scoresBytes(promptLogprobs) + embedding.length;

const bytesEach = (alternatives: number | null): number => (alternatives === null ? 0 : scoreBytes(alternatives));

const scoresBytes = (scores: readonly TokenLogprob[]): number =>
  scores.reduce((sum, { top }) => sum + scoreBytes(top.length), 0);
