import { cut, refuseParam } from "../../request-error.js";
import type { AnthropicMessage } from "./message-fields.js";

/** Characters of ids that a refusal repeats. */
const LONGEST_IDS = 256;

/** The calls of the assistant's turn before. */
interface Calls {
  /** The last message that made one. */
  readonly path: string;
  readonly ids: Set<string>;
  readonly answered: Set<string>;
}

/**
 * Throws INVALID_REQUEST unless each tool_use is answered by one tool_result in the next turn, before its texts, and
 * each tool_result answers one. Messages of one role that follow one another are a turn; system messages end none.
 * Calls at the end have no next turn. The refusals contain the words of Anthropic's, by which clients know them.
 */
export function checkToolResults(messages: readonly AnthropicMessage[]): void {
  let calls: Calls = { path: "", ids: new Set(), answered: new Set() };
  let turn = "";
  let hasText = false;
  for (const [index, { role, content }] of messages.entries()) {
    if (role === "system") continue;
    const path = `messages.${index}`;
    if (role !== turn && role === "assistant") {
      checkAnswered(calls);
      calls = { path, ids: new Set(), answered: new Set() };
    }
    if (role !== turn) hasText = false;
    turn = role;
    if (typeof content === "string") {
      hasText = true;
      continue;
    }
    for (const [at, block] of content.entries()) {
      if (block.type === "text") hasText = true;
      else if (block.type === "tool_use") calls = withCall(calls, { path, at, id: block.id });
      else if (block.type === "tool_result")
        answer(calls, { place: `${path}.content.${at}`, hasText, id: block.tool_use_id });
    }
  }
  if (turn === "user") checkAnswered(calls);
}

function withCall({ ids, answered }: Calls, { path, at, id }: { path: string; at: number; id: string }): Calls {
  if (ids.has(id)) refuseParam(`${path}.content.${at}.id`, `: \`tool_use\` ids must be unique: ${shown([id])}.`);
  return { path, ids: ids.add(id), answered };
}

function answer({ ids, answered }: Calls, result: { place: string; hasText: boolean; id: string }): void {
  const { place, hasText, id } = result;
  const found = `found in \`tool_result\` blocks: ${shown([id])}`;
  if (!ids.has(id)) {
    const rule = "Each `tool_result` block must have a corresponding `tool_use` block in the previous message";
    refuseParam(place, `: unexpected \`tool_use_id\` ${found}. ${rule}.`);
  }
  if (answered.has(id)) refuseParam(place, `: each \`tool_use\` must have a single result; ${shown([id])} has two.`);
  if (hasText) refuseParam(place, ": `tool_result` blocks must come first in the message, before any text.");
  answered.add(id);
}

function checkAnswered({ path, ids, answered }: Calls): void {
  const open = [...ids].filter((id) => !answered.has(id));
  if (open.length === 0) return;
  const rule = "Each `tool_use` block must have a corresponding `tool_result` block in the next message";
  const problem = "`tool_use` ids were found without `tool_result` blocks immediately after";
  refuseParam(path, `: ${problem}: ${shown(open)}. ${rule}.`);
}

const shown = (ids: readonly string[]): string => cut(ids.join(", "), LONGEST_IDS);
