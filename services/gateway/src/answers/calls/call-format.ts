import { z } from "zod";

/** How calls are told from text in an answer. */
export const callFormatSchema = z.object({
  /** The token that announces calls; null: an answer that begins like a call may be one. */
  marker: z.number().nullable(),
  /** The answer must be calls. The marker, if there is one, is the prompt's last token. */
  forced: z.boolean(),
  /** The functions that may be called. */
  names: z.array(z.string()).readonly(),
  /** The answer may make several calls. */
  parallel: z.boolean(),
});
export type CallFormat = Readonly<z.infer<typeof callFormatSchema>>;

/** Tokens that end the prompt so that the answer is calls: no grammar lets a control token in. */
export const announcement = ({ forced, marker }: CallFormat): readonly number[] =>
  forced && marker !== null ? [marker] : [];
