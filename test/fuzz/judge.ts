import { ERROR_TABLE } from "@rhone/common";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import type { JsonSchema } from "./operations.js";

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** The client left, so the body may be cut short. */
  readonly cut: boolean;
}

/** Codes of refusals besides the lower-case names of the error table. */
const API_CODES = [
  ...["invalid_value", "unsupported_parameter", "unsupported_content", "unsupported_item", "unsupported_tool"],
  ...["previous_response_not_found", "item_not_found"],
];
const CODES: ReadonlySet<string> = new Set([
  ...Object.keys(ERROR_TABLE).map((code) => code.toLowerCase()),
  ...API_CODES,
]);

const ajv = new Ajv2020({ strict: false, formats: { byte: true } });
const compiled = new Map<JsonSchema, ValidateFunction>();

/** A complaint about the answer, or undefined. `schema` describes a 200 that is JSON. */
export function complaintAbout(answer: Answer, schema?: JsonSchema): string | undefined {
  const { status, contentType, body, cut } = answer;
  if (status >= 500) return `status ${status}: ${body.slice(0, 500)}`;
  if (cut) return undefined;
  if (status >= 400) return complaintAboutRefusal(answer);
  if (contentType.startsWith("text/event-stream")) return complaintAboutStream(body);
  if (status !== 200 || schema === undefined || !contentType.startsWith("application/json")) return undefined;
  return complaintAboutJson(body, schema);
}

function complaintAboutJson(body: string, schema: JsonSchema): string | undefined {
  const validate = compiled.get(schema) ?? ajv.compile(schema);
  compiled.set(schema, validate);
  if (validate(JSON.parse(body))) return undefined;
  return `not as documented: ${ajv.errorsText(validate.errors)}: ${body.slice(0, 300)}`;
}

function complaintAboutRefusal({ status, contentType, body }: Answer): string | undefined {
  if (!contentType.startsWith("application/json"))
    return `${status} is ${contentType || "nothing"}: ${body.slice(0, 200)}`;
  const { object, error, ...top } = JSON.parse(body) as Record<string, unknown>;
  const named = error as Record<string, unknown> | undefined;
  if (top.type === "error") return complaintAboutMessagesRefusal(named, top);
  if (object !== "error" || JSON.stringify(top) !== JSON.stringify(named))
    return `no error envelope: ${body.slice(0, 300)}`;
  if (typeof named?.message !== "string" || named.message === "" || typeof named.type !== "string")
    return "no message or type";
  if (!("param" in named) || (named.param !== null && typeof named.param !== "string")) return "param is no text";
  return CODES.has(String(named.code)) ? undefined : `unknown code ${String(named.code)}`;
}

type Fields = Readonly<Record<string, unknown>>;

/** Of /v1/messages, whose refusals have Anthropic's shape. */
function complaintAboutMessagesRefusal(error: Fields | undefined, { request_id: id }: Fields): string | undefined {
  if (typeof error?.message !== "string" || error.message === "" || typeof error.type !== "string")
    return "no message or type";
  return typeof id === "string" ? undefined : "no request_id";
}

function complaintAboutStream(body: string): string | undefined {
  const events = body.split("\n\n").slice(0, -1);
  if (/^event: message_start$/m.test(events[0] ?? ""))
    return /^event: message_stop$/m.test(events.at(-1) ?? "") ? undefined : `no message_stop: ${body.slice(-300)}`;
  // Of a response that has ended, nothing may be behind the last event that its reader has.
  if (events.length === 0 || /^event: (response\.|error)/m.test(events[0] ?? "")) {
    const isOver = /^event: (response\.(completed|incomplete)|error)$/m.test(events.at(-1) ?? "event: error");
    return isOver ? undefined : `no end of the response: ${body.slice(-300)}`;
  }
  if (events.at(-1)?.endsWith("data: [DONE]") !== true) return `a stream without [DONE]: ${body.slice(-300)}`;
  for (const event of events.slice(0, -1)) {
    if (event.startsWith(":")) continue; // a ping
    const json = event.split("\n").find((line) => line.startsWith("data: "));
    if (json === undefined) return `no event: ${event}`;
    if ("error" in (JSON.parse(json.slice("data: ".length)) as object)) return `a stream failed: ${event}`;
  }
  return undefined;
}
