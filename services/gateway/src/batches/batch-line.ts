import type { TextLine } from "../files/read-lines.js";
import { jsonProblem, parseInTurns } from "../parse-in-turns.js";
import { exactIntegers } from "../requests/exact-integers.js";
import { JsonShape } from "../requests/json-shape.js";
import { timeLeft } from "../turns.js";
import type { BatchLineProblem, BatchRecord } from "./batch-record.js";

export interface BatchLine {
  readonly customId: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export type LineFormat = Pick<BatchRecord, "format" | "endpoint" | "model">;

const LONGEST_ID = 512;

/** Parses one line of an input file, in turns. The request in its body is checked when the line runs. */
export async function parseBatchLine(
  { text, isUtf8, number: line }: TextLine,
  format: LineFormat,
): Promise<BatchLine | BatchLineProblem> {
  const problem = (code: string, param: string | null, message: string): BatchLineProblem => ({
    code,
    message: `Line ${line} ${message}`,
    param,
    line,
  });
  if (isUtf8 === false) return problem("invalid_json_line", null, "is not UTF-8, as JSON must be; save it as that.");
  if (text === null) return problem("line_too_long", null, "is longer than the limit of a request body.");
  const cost = await costOf(text);
  if (cost !== null) return problem("invalid_value", null, cost);
  const fields = await parseObject(text);
  if (typeof fields === "string") return problem("invalid_json_line", null, fields);
  const { custom_id, method, url, body } = fields;
  const customId = custom_id ?? (format.format === "mistral" ? String(line - 1) : undefined);
  if (customId === undefined) return problem("missing_required_parameter", "custom_id", "has no custom_id.");
  if (typeof customId !== "string" || customId === "" || customId.length > LONGEST_ID) {
    return problem(
      "invalid_value",
      "custom_id",
      `has a custom_id that is not a text of 1 to ${LONGEST_ID} characters.`,
    );
  }
  if (format.format === "openai" || method !== undefined || url !== undefined) {
    if (method !== "POST") return problem("invalid_method", "method", 'must have "method": "POST".');
    if (url !== format.endpoint)
      return problem("invalid_url", "url", `must have "url": "${format.endpoint}", the batch's endpoint.`);
  }
  if (!isObject(body))
    return problem("missing_required_parameter", "body", "has no body, or one that is not an object.");
  if (body.stream === true)
    return problem("invalid_value", "body.stream", "asks for a stream; a batch cannot stream, so leave stream out.");
  return { customId, body: body.model == null && format.model !== null ? { ...body, model: format.model } : body };
}

export const isProblem = (line: BatchLine | BatchLineProblem): line is BatchLineProblem => "code" in line;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Characters of a line that are looked at before the event loop may turn. */
const PIECE = 256 * 1024;

async function costOf(text: string): Promise<string | null> {
  const shape = new JsonShape();
  for (let at = 0; at < text.length; at += PIECE) {
    const cost = shape.push(Buffer.from(text.slice(at, at + PIECE)));
    if (cost !== null) return cost;
    if (text.length > PIECE) await timeLeft();
  }
  return null;
}

/** The object, or why there is none. */
async function parseObject(text: string): Promise<Record<string, unknown> | string> {
  try {
    const value = await parseInTurns(text);
    await exactIntegers(text, value);
    return isObject(value) ? value : "is not a JSON object.";
  } catch (error) {
    return `${jsonProblem(error)}.`;
  }
}
