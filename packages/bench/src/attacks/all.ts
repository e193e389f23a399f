import { ANSWER_ATTACKS } from "./answer-attacks.js";
import { ARRIVAL_ATTACKS } from "./arrival-attacks.js";
import type { Attack } from "./attack.js";
import { CONNECTION_ATTACKS } from "./connection-attacks.js";
import { FIELD_ATTACKS } from "./field-attacks.js";
import { FILE_ATTACKS } from "./file-attacks.js";
import { GRAMMAR_ATTACKS } from "./grammar-attacks.js";
import { MESSAGE_ATTACKS } from "./message-attacks.js";
import { RESPONSE_ATTACKS } from "./response-attacks.js";
import { STREAM_ATTACKS } from "./stream-attacks.js";
import { TEXT_ATTACKS } from "./text-attacks.js";

/** Every attack, in the order of the table. */
export const ATTACKS: readonly Attack[] = [
  ...GRAMMAR_ATTACKS,
  ...TEXT_ATTACKS,
  ...FIELD_ATTACKS,
  ...ANSWER_ATTACKS,
  ...FILE_ATTACKS,
  ...STREAM_ATTACKS,
  ...RESPONSE_ATTACKS,
  ...MESSAGE_ATTACKS,
  ...ARRIVAL_ATTACKS,
  ...CONNECTION_ATTACKS,
];
