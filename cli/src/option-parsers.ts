import { accessSync, constants, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import {
  hostSchema,
  parseSimulation,
  redisUrlSchema,
  SIMULATION_SYNTAX,
  WINDOW_SYNTAX,
  windowSeconds,
} from "@rhone/common";
import { isTemplateFile } from "@rhone/model";
import { InvalidArgumentError } from "commander";

export interface NumberRange {
  readonly least: number;
  readonly most?: number;
}

/** A parser for commander: a whole number within a range. */
export function wholeNumber({ least, most = Number.MAX_SAFE_INTEGER }: NumberRange): (text: string) => number {
  return (text) => {
    const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
    throw new InvalidArgumentError(`Give a whole number ${range}.`);
  };
}

/** A parser for commander: a seed, as gateways take it. */
export function seed(text: string): bigint {
  const value = /^-?\d{1,19}$/.test(text) ? BigInt(text) : undefined;
  if (value !== undefined && BigInt.asIntN(64, value) === value) return value;
  throw new InvalidArgumentError("Give a whole number from -2^63 to 2^63 - 1.");
}

/** A parser for commander: a decimal number within a range. */
export function decimalNumber({ least, most = Number.MAX_VALUE }: NumberRange): (text: string) => number {
  return (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (value >= least && value <= most) return value;
    const range = most === Number.MAX_VALUE ? `of at least ${least}` : `from ${least} to ${most}`;
    throw new InvalidArgumentError(`Give a number ${range}.`);
  };
}

export const port = wholeNumber({ least: 0, most: 65535 });
export const positive = wholeNumber({ least: 1 });

/** "1,4,16" -> [1, 4, 16]. */
export const positiveList = (text: string): readonly number[] => text.split(",").map((part) => positive(part.trim()));

/** "5..60" -> [5, 60]; "5" -> [5, 5]. */
export function numberRange(text: string): readonly [least: number, most: number] {
  const [, first = "", second = first] = /^(\d+)(?:\.\.(\d+))?$/.exec(text.trim()) ?? [];
  const [least, most] = [Number(first), Number(second)];
  if (first !== "" && least <= most && Number.isSafeInteger(most)) return [least, most];
  throw new InvalidArgumentError("Give two whole numbers, the lesser first, such as 500..8000.");
}

/** A parser for commander: "a,b" -> ["a", "b"], each one of `choices`. */
export function someOf(choices: readonly string[]): (text: string) => readonly string[] {
  return (text) => {
    const names = text.split(",").map((part) => part.trim());
    const unknown = names.find((name) => !choices.includes(name));
    if (unknown === undefined) return [...new Set(names)];
    throw new InvalidArgumentError(`${JSON.stringify(unknown)} is none of: ${choices.join(", ")}.`);
  };
}

const UNITS: Readonly<Record<string, number>> = { "": 1, k: 1e3, m: 1e6, g: 1e9 };

/** "6G" -> 6e9, "700M" -> 7e8, "1000" -> 1000. */
export function byteCount(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)([kmg]?)b?$/i.exec(text.trim()) ?? [];
  const bytes = Math.round(Number(digits) * (UNITS[unit?.toLowerCase() ?? ""] ?? Number.NaN));
  if (bytes > 0 && Number.isSafeInteger(bytes)) return bytes;
  throw new InvalidArgumentError("Give a number of bytes, such as 6G or 700M.");
}

const DURATIONS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** "30m" -> 1_800_000 milliseconds; s, m, h or d, at most 365 days. */
export function duration(text: string): number {
  const [, digits, unit = ""] = /^(\d+)([smhd])$/.exec(text.trim()) ?? [];
  const ms = Number(digits) * (DURATIONS[unit] ?? Number.NaN);
  if (ms > 0 && ms <= 365 * 86_400_000) return ms;
  throw new InvalidArgumentError("Give a time such as 90s, 30m, 12h or 7d, at most 365d.");
}

/** Bits per second to bytes per second: "1G" or "1Gbit" -> 125e6, "100M" -> 12.5e6. */
export function linkSpeed(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)([kmg]?)(?:bit)?(?:\/s)?$/i.exec(text.trim()) ?? [];
  const bits = Number(digits) * (UNITS[unit?.toLowerCase() ?? ""] ?? Number.NaN);
  if (bits > 0) return bits / 8;
  throw new InvalidArgumentError("Give bits per second, such as 1G or 100M.");
}

/** "auto", "off" or a positive number of milliseconds, as the coordinator reads it. */
export function targetItl(text: string): string {
  if (text === "auto" || text === "off" || Number(text) > 0) return text;
  throw new InvalidArgumentError("Give auto, off or a number of milliseconds.");
}

/**
 * The name of a chat template, or the absolute path of a file, because the gateway runs in another folder. An empty
 * variable counts as unset.
 */
export function chatTemplate(text: string): string | undefined {
  if (text === "") return undefined;
  return isTemplateFile(text) ? resolve(text) : text;
}

/** A simulation that shard-workers understand, unchanged. */
export function simulation(text: string): string {
  if (parseSimulation(text) !== null) return text;
  throw new InvalidArgumentError(`Give ${SIMULATION_SYNTAX}.`);
}

/** The window of a batch, as the gateway reads it. */
export function completionWindow(text: string): string {
  if (windowSeconds(text) !== null) return text;
  throw new InvalidArgumentError(`Give ${WINDOW_SYNTAX}.`);
}

/** An address to listen on. */
export function host(text: string): string {
  const { data, error } = hostSchema.safeParse(text);
  if (data !== undefined) return data;
  const problem = error?.issues[0]?.message ?? "";
  throw new InvalidArgumentError(
    `Give an address of this machine, such as 127.0.0.1, ::1, 0.0.0.0 or ::. It ${problem}.`,
  );
}

/** The URL of a gateway, without slashes at its end. */
export function gatewayUrl(text: string): string {
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return text.replace(/\/+$/, "");
  throw new InvalidArgumentError("Give an http:// or https:// URL, such as http://127.0.0.1:8080.");
}

export function redisAddress(text: string): string {
  if (redisUrlSchema.safeParse(text).success) return text;
  throw new InvalidArgumentError("Give a redis://, rediss:// or unix:// URL.");
}

/** The path of a file that can be written, which is known before the work whose result it gets. */
export function outputFile(text: string): string {
  const path = resolve(text);
  if (isFolder(path)) throw new InvalidArgumentError("It is a folder.");
  if (!isFolder(dirname(path)) || !isWritable(dirname(path)))
    throw new InvalidArgumentError(`${dirname(path)} is no folder that you may write to.`);
  return text;
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
