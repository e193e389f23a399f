import type { Style } from "./style.js";

/** A line of a log file. */
export interface LogLine {
  /** The log's name: gateway, worker-1 … */
  readonly name: string;
  readonly text: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** What every line says, or its log's name does. */
const LEFT_OUT: ReadonlySet<string> = new Set(["level", "time", "service", "pid", "msg"]);

/**
 * "19:36:51.123  gateway  warn  message  key=value other="two words"", and the stack of an error below it. A line that
 * is no JSON is shown as it is. `width`: of the longest name.
 */
export function formatLogLine(
  { name, text }: LogLine,
  { width, style }: { readonly width: number; readonly style: Style },
): string {
  const fields = parseFields(text);
  const label = style.dim(name.padEnd(width));
  if (fields === null) return `${" ".repeat(TIME_WIDTH)}  ${label}  ${text}`;
  const { level, time, msg, err } = fields;
  const stack = stackOf(err);
  const values = Object.entries(fields).flatMap(([key, value]) => {
    if (LEFT_OUT.has(key)) return [];
    return [`${style.dim(`${key}=`)}${shown(key === "err" && stack !== null ? messageOf(err) : value)}`];
  });
  const line = [style.dim(timeOf(time)), label, levelOf(String(level ?? ""), style), String(msg ?? ""), ...values];
  return [line.join("  "), ...(stack === null ? [] : [style.dim(indented(stack))])].join("\n");
}

/** Lines of several logs in the order of their times. A line without one follows the line before it in its log. */
export function inOrder(logs: readonly (readonly LogLine[])[]): readonly LogLine[] {
  const timed = logs.flatMap((lines) => {
    let last = "";
    return lines.map((line) => {
      const time = parseFields(line.text)?.time;
      if (typeof time === "string") last = time;
      return { line, time: last };
    });
  });
  return timed.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0)).map(({ line }) => line);
}

/** "2026-11-26T19:36:51.123Z" -> "19:36:51.123", in UTC. */
const timeOf = (time: unknown): string =>
  /T(\d\d:\d\d:\d\d\.\d{3})Z$/.exec(String(time))?.[1] ?? String(time ?? "").padEnd(TIME_WIDTH);
const TIME_WIDTH = "19:36:51.123".length;

function levelOf(level: string, style: Style): string {
  const padded = level.padEnd("error".length);
  if (level === "error" || level === "fatal") return style.red(padded);
  return level === "warn" ? style.yellow(padded) : padded;
}

/** Plain where it is one word, JSON otherwise. */
const shown = (value: unknown): string =>
  typeof value === "string" && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const stackOf = (err: unknown): string | null => (isObject(err) && typeof err.stack === "string" ? err.stack : null);
const messageOf = (err: unknown): unknown => (isObject(err) ? err.message : err);
const indented = (text: string): string => text.replace(/^/gm, "    ");

function parseFields(text: string): Fields | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}
