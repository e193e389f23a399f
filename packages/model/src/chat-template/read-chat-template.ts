import { readFileSync, statSync } from "node:fs";
import { CHAT_TEMPLATE_NAMES, type ChatTemplateChoice, type ChatTemplateName } from "./chat-template.js";
import { templateProblem } from "./jinja-template.js";

/** What is wrong with a setting, as the end of a sentence that begins with it. */
interface Problem {
  readonly problem: string;
}

const MOST_BYTES = 1 << 20;

const isName = (text: string): text is ChatTemplateName => (CHAT_TEMPLATE_NAMES as readonly string[]).includes(text);

/** Whether a template's setting is the path of a file, not a name. */
export const isTemplateFile = (text: string): boolean => !isName(text);

/** The template of a setting: one of the names, or the path of a file with Jinja, which is read and parsed. */
export function readChatTemplate(text: string): ChatTemplateChoice | Problem {
  if (isName(text)) return text;
  try {
    const file = statSync(text);
    if (!file.isFile()) return { problem: "is no file" };
    if (file.size > MOST_BYTES) return { problem: `has ${file.size} bytes; a template has at most ${MOST_BYTES}` };
    const source = readFileSync(text, "utf8");
    const problem = templateProblem(source);
    if (problem !== undefined) return { problem: `can't be parsed as a Jinja template (${problem})` };
    if (/\bmessages\b/.test(source)) return { source };
    return { problem: "never uses messages, so every chat would have the same prompt" };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      return { problem: `can't be read (${(error as Error).message})` };
    return { problem: `is neither a file nor one of ${CHAT_TEMPLATE_NAMES.join(", ")}` };
  }
}
