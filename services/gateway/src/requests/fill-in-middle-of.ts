import type { FillInMiddle } from "@rhone/model";
import { unsupported } from "../request-error.js";
import type { TextModel } from "../text/text-model.js";

/** Throws INVALID_REQUEST (`unsupported_parameter`) that names `param` for a model without the tokens for it. */
export function fillInMiddleOf({ fillInMiddle, name }: TextModel, param: string): FillInMiddle {
  if (fillInMiddle !== undefined) return fillInMiddle;
  throw unsupported(param, `${name} can't fill in the middle: its vocabulary has no [PREFIX] and [SUFFIX] tokens.`);
}
