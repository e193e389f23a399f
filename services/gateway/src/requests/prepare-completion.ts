import { timed } from "@rhone/common";
import { z } from "zod";
import { answerBytes } from "../answers/answer-bytes.js";
import { BestOfWriter } from "../answers/best-of-writer.js";
import { type CompletionPrompt, CompletionWriter } from "../answers/completion-writer.js";
import { piecesOf, WRITER_VERSION, type WriterRecord } from "../answers/writer-record.js";
import { refuseParam } from "../request-error.js";
import type { TextModel } from "../text/text-model.js";
import { textOf } from "../text/text-of.js";
import { timeLeft } from "../turns.js";
import { texts, tokenIdLists, tokenIds } from "./long-fields.js";
import { deliveryOf, frameOf, jobsOf, openRequest, type Prepare, truncatePrompt } from "./prepare.js";
import { fillInMiddleOf } from "./prepare-fim.js";
import { answerTokens, generationFields, optional, parseRequest } from "./request-fields.js";
import { readConstraint } from "./structured/read-constraint.js";
import { structuredFields } from "./structured/structured-fields.js";
import { MOST_JOBS } from "./to-jobs.js";

const DEFAULT_MAX_TOKENS = 16;
/** Most samples per prompt from which the best are chosen. */
const MOST_CANDIDATES = 20;

const prompt = z.union(
  [z.string(), texts(MOST_JOBS), tokenIds, tokenIdLists(MOST_JOBS)],
  "must be a text, a list of texts, a list of token ids or a list of such lists",
);

/** POST /v1/completions. */
export const completionRequestSchema = z.object({
  ...generationFields,
  max_tokens: answerTokens("send as many as the context holds beside the prompt"),
  prompt,
  echo: optional(z.boolean()),
  logprobs: optional(z.number().int().min(0).max(20)),
  best_of: optional(z.number().int().min(1).max(MOST_CANDIDATES)),
  suffix: optional(z.string()),
  add_special_tokens: optional(z.boolean()),
  ...structuredFields,
});
type CompletionRequest = Readonly<z.infer<typeof completionRequestSchema>>;

/** Prepares a completion. */
export const prepareCompletion: Prepare = async (preparation, body, arrival) => {
  const fields = parseRequest(completionRequestSchema, body);
  const { n, samples } = checkLimits(fields);
  const request = await openRequest({ preparation, arrival, prefix: "cmpl-", fields });
  const { model, grammars } = request;
  const { owner, span } = arrival;
  const { constraint, warnings } = await readConstraint(grammars, fields, { leadingSpace: false, owner, span });
  const prompts = await timed(span, "tokenize", () => readPrompts(model, fields, owner));
  const echo = fields.echo === true;
  const logprobs = fields.logprobs ?? null;
  const promptLogprobs = fields.prompt_logprobs ?? null;
  const jobs = await jobsOf(request, {
    prompts: prompts.map(({ ids }) => ids),
    samples,
    maxTokens: fields.max_tokens ?? DEFAULT_MAX_TOKENS,
    logprobs: samples > n ? (logprobs ?? 0) : logprobs,
    promptLogprobs: mostOf(echo ? logprobs : null, promptLogprobs),
    constraint,
  });
  const shown = echo ? prompts : prompts.map((each) => ({ ...each, text: "" }));
  const perChoice = shown.flatMap((each) => Array.from({ length: samples }, () => each));
  const options = { ...frameOf(request, warnings), samples, prompts: perChoice, echo, logprobs, promptLogprobs };
  const record: WriterRecord = { version: WRITER_VERSION, kind: "completion", options };
  await timeLeft();
  const writer = new CompletionWriter(options, piecesOf(model, options));
  await timeLeft();
  const delivery = deliveryOf(fields);
  const echoed = shown.reduce((sum, { text }) => sum + 2 * text.length, 0) * (delivery.stream ? 1 : samples);
  const bytes = echoed + answerBytes(jobs, { ...delivery, ids: options.wantsTokenIds });
  const prepared = { jobs, statesLimit: true, answerBytes: bytes, ...delivery };
  if (samples === n) return { ...prepared, writer, record };
  return { ...prepared, writer: new BestOfWriter(writer, { n, samples }) };
};

/** Throws INVALID_REQUEST for fields that exclude each other. */
function checkLimits(fields: CompletionRequest): { readonly n: number; readonly samples: number } {
  const n = fields.n ?? 1;
  const samples = fields.best_of ?? n;
  if (fields.max_tokens === 0 && fields.echo !== true) refuseParam("max_tokens", ": 0 needs echo: true.");
  if (samples < n) refuseParam("best_of", `: must be at least n, ${n}.`);
  if (samples > n && fields.stream === true) refuseParam("best_of", " above n cannot be streamed.");
  if (fields.prompt_logprobs !== undefined && fields.stream === true)
    refuseParam("prompt_logprobs", " cannot be streamed; leave stream out.");
  if (fields.suffix && fields.echo === true) refuseParam("echo", " and suffix exclude each other.");
  return { n, samples };
}

const mostOf = (a: number | null, b: number | null): number | null => (a === null ? b : Math.max(a, b ?? 0));

type GivenPrompt = string | readonly number[];

/** The prompts of a request, one by one: each a text or token ids. */
function promptsOf({ prompt }: CompletionRequest): readonly GivenPrompt[] {
  if (typeof prompt === "string") return [prompt];
  return typeof prompt[0] === "number" ? [prompt as number[]] : (prompt as string[] | number[][]);
}

/** Token ids are taken as they are; toJobs refuses ids outside the vocabulary. */
async function readPrompts(
  model: TextModel,
  fields: CompletionRequest,
  owner: string,
): Promise<readonly CompletionPrompt[]> {
  const { suffix, add_special_tokens: addSpecial = true, truncate_prompt_tokens: most } = fields;
  const given = promptsOf(fields);
  const texts = given.filter((prompt) => typeof prompt === "string");
  if (suffix) {
    if (texts.length < given.length) return refuseParam("suffix", " needs a prompt that is text.");
    const fill = fillInMiddleOf(model, "suffix");
    checkRepeated(suffix, texts);
    const filled = await fill(texts, suffix, { last: most, owner });
    return texts.map((text, i) => ({ ids: filled[i] ?? [], text, hiddenSpace: false }));
  }
  // One more than is used shows whether the text was cut.
  const last = most === undefined ? undefined : most + 1;
  const encoded = await model.encodeTexts(texts, { addSpecial, last, owner });
  // A request's prompts are all texts, or all lists of ids.
  const prompts: CompletionPrompt[] = [];
  for (const [i, prompt] of given.entries()) {
    await timeLeft();
    prompts.push(await readPrompt(model, { given: prompt, all: encoded[i] ?? [] }, fields));
  }
  return prompts;
}

/** Most characters of a request's prompts with its suffix, which each of them repeats: as many as a body holds. */
const MOST_REPEATED = 2 ** 23;

/** Throws INVALID_REQUEST. */
function checkRepeated(suffix: string, texts: readonly string[]): void {
  const characters = texts.reduce((sum, text) => sum + text.length + suffix.length, 0);
  if (characters <= MOST_REPEATED) return;
  const count = `${texts.length} prompts have ${characters} characters with it`;
  refuseParam("suffix", `: the ${count}, and a request's have at most ${MOST_REPEATED}; split the request.`);
}

/** `all`: the ids of a prompt that is text. Only an echo needs the text of the others, and only of what fits. */
async function readPrompt(
  model: TextModel,
  { given, all: ofText }: { readonly given: GivenPrompt; readonly all: readonly number[] },
  fields: CompletionRequest,
): Promise<CompletionPrompt> {
  const { truncate_prompt_tokens: most } = fields;
  const isText = typeof given === "string";
  const all = isText ? ofText : given;
  const ids = truncatePrompt(all, most);
  if (isText && ids.length === all.length) return { ids, text: given, hiddenSpace: model.addsLeadingSpace };
  const isShown = fields.echo === true && ids.length <= model.contextLength;
  const known = isShown ? ids.filter((id) => id < model.vocabSize) : [];
  return { ids, text: await textOf(model, known, { special: false }), hiddenSpace: false };
}
