import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const read = (page: string): string =>
  readFileSync(fileURLToPath(new URL(`../../docs/${page}.md`, import.meta.url)), "utf8");

const cellsOf = (line: string): string[] => line.split("|").map((cell) => cell.trim());

interface Setting {
  readonly flag: string;
  readonly value: string;
}

/** The settings of docs/settings.md, which the code wrote. */
const settings: readonly Setting[] = [...read("settings").matchAll(/^\| `--.*$/gm)].map(([line]) => {
  const [, flag = "", , value = ""] = cellsOf(line);
  return { flag: flag.slice(1, -1), value };
});

const bounds: readonly Setting[] = [...read("limits").matchAll(/^\|.*\|$/gm)].map(([line]) => {
  const [, , , setting = "", value = ""] = cellsOf(line);
  return { flag: /`(--[\w-]+)`/.exec(setting)?.[1] ?? setting, value };
});
const FLAG = /^--[a-z]/;
const set = bounds.filter(({ flag }) => FLAG.test(flag));

const UNITS: Readonly<Record<string, number>> = {
  ...{ KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 },
  ...{ ms: 0.001, s: 1, min: 60, h: 3600, d: 86_400 },
};

/** "8 MiB" -> 8388608, "5 min" -> 300 in seconds, or 300000 for a setting in milliseconds; other text unchanged. */
function amount(flag: string, text: string): number | string {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(?: (KiB|MiB|GiB|ms|s|min|h|d))?$/.exec(text) ?? [];
  if (digits === undefined) return text;
  const isTime = unit !== undefined && !unit.endsWith("iB");
  return Math.round(Number(digits) * (UNITS[unit ?? ""] ?? 1) * (isTime && flag.endsWith("-ms") ? 1000 : 1));
}

test("docs/limits.md names settings that exist, with their defaults", () => {
  expect(set.length).toBeGreaterThan(20);
  for (const { flag, value } of set) {
    const defaults = settings.filter((setting) => setting.flag === flag).map((each) => amount(flag, each.value));
    expect(defaults, `${flag} is ${value}`).toContain(amount(flag, value));
  }
});

test("every other bound of docs/limits.md is fixed, or a variable of the C library", () => {
  const others = new Set(bounds.filter(({ flag }) => !FLAG.test(flag)).map(({ flag }) => flag));
  expect([...others].filter((flag) => !/^-+$|^`MALLOC_\w+`$/.test(flag)).toSorted()).toEqual(["fixed", "setting"]);
});

/** Numbers that bound no input of clients. */
const NO_BOUNDS =
  /^--(port|ops-port|workers|spares|page-size|speculate|redis-.*|beat.*|grammar-cache.*|.*-threads|hung-after|traces-.*)$/;

test("docs/limits.md names every setting whose default is a number", () => {
  const named = new Set(set.map(({ flag }) => flag));
  const numbers = settings.filter(({ flag, value }) => /^\d+$/.test(value) && !NO_BOUNDS.test(flag));
  expect(numbers.map(({ flag }) => flag).filter((flag) => !named.has(flag))).toEqual([]);
});
