import { unsupported } from "../request-error.js";

type Fields = Readonly<Record<string, unknown>>;

const isSet = (value: unknown): boolean => value !== undefined && value !== null && value !== false;
const isFilled = (value: unknown): boolean => isSet(value) && !(Array.isArray(value) && value.length === 0);
const differsFrom = (neutral: unknown) => (value: unknown) => isSet(value) && value !== neutral;

/** Fields that would change the answer if they were obeyed: silence about them would be a lie. */
const REFUSED: Readonly<Record<string, (value: unknown) => boolean>> = {
  tools: isFilled,
  functions: isFilled,
  tool_choice: (value) => isSet(value) && value !== "none" && value !== "auto",
  function_call: (value) => isSet(value) && value !== "none" && value !== "auto",
  use_beam_search: isSet,
  bad_words: isFilled,
  allowed_token_ids: isFilled,
  chat_template: isFilled,
  samplers: isFilled,
  dry_multiplier: differsFrom(0),
  xtc_probability: differsFrom(0),
  typical_p: differsFrom(1),
  mirostat: differsFrom(0),
  audio: isSet,
};

/** Throws INVALID_REQUEST (`unsupported_parameter`) for the first such field that is not `known`. */
export function refuseUnsupported(body: unknown, known: Fields): void {
  if (typeof body !== "object" || body === null) return;
  const fields = body as Fields;
  for (const [name, refuses] of Object.entries(REFUSED)) {
    if (!Object.hasOwn(known, name) && refuses(fields[name])) {
      throw unsupported(name, `${name} is not supported with this value; leave it out.`);
    }
  }
}
