import type { BatchLineProblem, BatchRecord } from "./batch-record.js";

export interface BatchLine {
  readonly customId: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export type LineFormat = Pick<BatchRecord, "format" | "endpoint" | "model">;

const LONGEST_ID = 512;

/** One line of an input file, or what is wrong with it. What its body asks for is checked when it is run. */
export function parseBatchLine(text: string | null, line: number, format: LineFormat): BatchLine | BatchLineProblem {
  const problem = (code: string, param: string | null, message: string): BatchLineProblem => ({
    code,
    message: `Line ${line}: ${message}`,
    param,
    line,
  });
  if (text === null) return problem("line_too_long", null, "is longer than a request may be.");
  const fields = parseObject(text);
  if (fields === null) return problem("invalid_json_line", null, "is not a JSON object.");
  const { custom_id, method, url, body } = fields;
  const customId = custom_id ?? (format.format === "mistral" ? String(line - 1) : undefined);
  if (customId === undefined) return problem("missing_required_parameter", "custom_id", "has no custom_id.");
  if (typeof customId !== "string" || customId === "" || customId.length > LONGEST_ID) {
    return problem("invalid_value", "custom_id", `custom_id must be a text of 1 to ${LONGEST_ID} characters.`);
  }
  if (format.format === "openai" || method !== undefined || url !== undefined) {
    if (method !== "POST") return problem("invalid_method", "method", 'method must be "POST".');
    if (url !== format.endpoint) return problem("invalid_url", "url", `url must be the batch's, ${format.endpoint}.`);
  }
  if (!isObject(body)) return problem("missing_required_parameter", "body", "body must be an object.");
  if (body.stream === true) return problem("invalid_value", "body.stream", "a batch answers whole, it can't stream.");
  return { customId, body: body.model == null && format.model !== null ? { ...body, model: format.model } : body };
}

export const isProblem = (line: BatchLine | BatchLineProblem): line is BatchLineProblem => "code" in line;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}
