import type { z } from "zod";
import { clipped } from "./clipped.js";

/** Characters of a key or value that a refusal repeats. */
const LONGEST_QUOTE = 100;

const cut = (text: string): string => clipped(text, LONGEST_QUOTE);

export interface Refusal {
  /** The keys down to the bad value, joined by dots; "" for the whole. */
  readonly path: string;
  /** A sentence without a full stop: the value's name, the value or its kind, and what it must be. */
  readonly problem: string;
}

/**
 * The first thing that a schema refuses, in words: "top_k is 0.5; it must be a whole number". `whole` names the value
 * that was parsed, with `reportInput`. Texts are not repeated, as they may be prompts, but for those that choose one of
 * a list.
 */
export function explainRefusal({ issues: [first] }: Pick<z.ZodError, "issues">, whole: string): Refusal {
  const issue = first === undefined ? undefined : innermost(first);
  const path = issue?.path.map((key) => cut(String(key))).join(".") ?? "";
  const name = path === "" ? whole : path;
  return { path, problem: issue === undefined ? `${name} can't be read` : explain(name, issue) };
}

type Issue = z.core.$ZodIssue;

/**
 * What a union's issue is about: the key by which its alternatives differ, or what is wrong in the one alternative of
 * the value's kind, where there is one and the schema does not describe them all.
 */
function innermost(issue: Issue): Issue {
  if (issue.code !== "invalid_union" || isDescribed(issue)) return issue;
  const { path, input } = issue;
  if (issue.inclusive !== false && issue.discriminator !== undefined) {
    const { discriminator, options = [] } = issue;
    const { [discriminator]: chosen } = input as Readonly<Record<string, unknown>>;
    return { code: "invalid_value", values: options, input: chosen, path, message: "" };
  }
  const ofKind = issue.errors.filter((issues) => !issues.some((each) => each.path.length === 0 && isOfKind(each)));
  const [inner] = ofKind.length === 1 ? (ofKind[0] ?? []) : [];
  return inner === undefined ? issue : innermost({ ...inner, path: [...path, ...inner.path] });
}

const isOfKind = ({ code }: Issue): boolean => code === "invalid_type" || code === "invalid_value";

/** Whether the schema itself says what is wrong, as the end of a sentence that begins with the value's name. */
const isDescribed = ({ message }: Issue): boolean => /^(must|has|needs) /.test(message);

function explain(name: string, issue: Issue): string {
  const { input } = issue;
  if (input === undefined) return `${name} is missing`;
  if (issue.code === "invalid_key" && issue.issues[0] !== undefined) return explain(`the key ${name}`, issue.issues[0]);
  if (isDescribed(issue)) {
    const isOfOtherKind = typeof input !== "string" && issue.message.startsWith("must be ");
    return isOfOtherKind ? `${name} is ${shown(input)}; it ${issue.message}` : `${name} ${issue.message}`;
  }
  const bound = boundOf(issue);
  if (bound !== undefined) return `${name} ${bound}`;
  const allowed = allowedBy(issue);
  if (allowed === undefined) return `${name} has a value that it can't have`;
  if (isUnreadable(input)) return `${name} must be ${allowed}`;
  const isChoice = typeof input === "string" && issue.code === "invalid_value";
  return `${name} is ${isChoice ? `"${cut(input)}"` : shown(input)}; it must be ${allowed}`;
}

/** What a text was turned into that was to be a number or a date. */
const isUnreadable = (input: unknown): boolean =>
  Number.isNaN(input) || (input instanceof Date && Number.isNaN(input.getTime()));

const SIZED: Readonly<Record<string, string>> = { string: "character", array: "item" };

/** A number, or the size of a text or list, and the bound that it breaks. */
function boundOf(issue: Issue): string | undefined {
  if (issue.code !== "too_small" && issue.code !== "too_big") return undefined;
  const { input, origin } = issue;
  const isSmall = issue.code === "too_small";
  const bound = isSmall ? issue.minimum : issue.maximum;
  if (typeof input === "number") {
    const than = issue.inclusive === false ? (isSmall ? "more than" : "less than") : isSmall ? "at least" : "at most";
    return `is ${input}; it must be ${than} ${bound}`;
  }
  const unit = SIZED[origin];
  if (unit === undefined) return undefined;
  const { length } = input as string | readonly unknown[];
  if (length === 0) return `is empty; it must have at least ${counted(Number(bound), unit)}`;
  return `has ${counted(length, unit)}; it must have ${isSmall ? "at least" : "at most"} ${bound}`;
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

const KINDS: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
  date: "a date",
};

/** The kinds or values that the schema takes. */
function allowedBy(issue: Issue): string | undefined {
  if (issue.code === "invalid_type") return KINDS[issue.expected];
  if (issue.code === "invalid_value") return anyOf(issue.values);
  if (issue.code !== "invalid_union") return undefined;
  const kinds = issue.errors.map(([first]) => (first?.path.length === 0 ? allowedBy(first) : undefined));
  return kinds.includes(undefined) || kinds.length === 0 ? undefined : [...new Set(kinds)].join(" or ");
}

const anyOf = (values: readonly unknown[]): string =>
  values.length === 1 ? JSON.stringify(values[0]) : `one of ${values.map(String).join(", ")}`;

/** A value, or its kind where it may be long or private. */
function shown(input: unknown): string {
  if (typeof input === "string") return "a text";
  if (Array.isArray(input)) return "a list";
  return typeof input === "object" && input !== null ? "an object" : String(input);
}
