import { timed } from "@rhone/common";
import { z } from "zod";
import { answerBytes } from "../answers/answer-bytes.js";
import { openWriter, WRITER_VERSION, type WriterRecord } from "../answers/writer-record.js";
import { refuseParam, unsupported } from "../request-error.js";
import type { FillInMiddle, TextModel } from "../text/text-model.js";
import { deliveryOf, frameOf, jobsOf, openRequest, type Prepare } from "./prepare.js";
import { generationFields, optional, parseRequest } from "./request-fields.js";

/** POST /v1/fim/completions. */
export const fimRequestSchema = z.object({
  ...generationFields,
  prompt: z.string(),
  suffix: optional(z.string()),
});

/** Prepares Mistral's fill-in-the-middle: the text between `prompt` and `suffix`, in the shape of a chat completion. */
export const prepareFim: Prepare = async (preparation, body, arrival) => {
  const fields = parseRequest(fimRequestSchema, body);
  const { prompt, suffix = "" } = fields;
  if (fields.max_tokens === 0) refuseParam("max_tokens", ": must be 1 or more.");
  const request = await openRequest({ preparation, arrival, prefix: "cmpl-", fields });
  const fill = fillInMiddleOf(request.model, "model");
  const last = fields.truncate_prompt_tokens;
  const { owner, span } = arrival;
  const [promptIds = []] = await timed(span, "tokenize", () => fill([prompt], suffix, { last, owner }));
  const samples = fields.n ?? 1;
  const jobs = await jobsOf(request, { prompts: [promptIds], samples, maxTokens: fields.max_tokens });
  const options = { ...frameOf(request), ...PLAIN, choices: samples, promptIds };
  const record: WriterRecord = { version: WRITER_VERSION, kind: "chat", options };
  const writer = openWriter(record, request.model);
  const delivery = deliveryOf(fields);
  const bytes = answerBytes(jobs, { ...delivery, ids: options.wantsTokenIds });
  return { jobs, statesLimit: fields.max_tokens !== undefined, writer, record, answerBytes: bytes, ...delivery };
};

/** An answer that is text and nothing else. */
const PLAIN = {
  stripsSpace: false,
  opening: "",
  wantsLogprobs: false,
  wantsPromptLogprobs: false,
  calls: null,
} as const;

/** Throws INVALID_REQUEST (`unsupported_parameter`) that names `param` for a model without the tokens for it. */
export function fillInMiddleOf({ fillInMiddle, name }: TextModel, param: string): FillInMiddle {
  if (fillInMiddle !== undefined) return fillInMiddle;
  throw unsupported(param, `${name} cannot fill in the middle: its vocabulary has no [PREFIX] and [SUFFIX] tokens.`);
}
