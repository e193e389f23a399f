import { RhoneError } from "@rhone/common";
import type { ChatToolCall } from "./chat-message.js";
import { respaceJson } from "./python-json.js";

/** A call as models see it, without the brace that closes it: `{"name": "f", "arguments": {"x": 1}`. Throws CHAT_TEMPLATE_FAILED. */
export function callJson({ name, arguments: text }: ChatToolCall): string {
  const parsed = respaceJson(text === "" ? "{}" : text);
  if (parsed !== undefined) return `{"name": ${JSON.stringify(name)}, "arguments": ${parsed}`;
  throw new RhoneError(
    "CHAT_TEMPLATE_FAILED",
    `The chat template cannot encode this: the arguments of the call to ${name} are not JSON.`,
    { param: "messages" },
  );
}
