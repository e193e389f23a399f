import { createHash } from "node:crypto";
import type { FileStore } from "../files/file-store.js";
import { readLines, type TextLine } from "../files/read-lines.js";
import { type BatchLine, isProblem, type LineFormat, parseBatchLine } from "./batch-line.js";
import type { BatchLineProblem, BatchRecord } from "./batch-record.js";

/** The lines of a batch's files one after the other, numbered through. Throws NOT_FOUND. */
export async function* readInput(
  files: FileStore,
  { inputFileIds }: Pick<BatchRecord, "inputFileIds">,
  mostLineBytes: number,
): AsyncGenerator<TextLine> {
  let before = 0;
  for (const id of inputFileIds) {
    let last = 0;
    for await (const { number, text } of readLines(await files.read(id), mostLineBytes)) {
      last = number;
      yield { number: before + number, text };
    }
    before += last;
  }
}

/** Problems that are told; a file that is wrong throughout would tell one per line. */
const MOST_TOLD = 100;

export interface InputCheck {
  readonly problems: readonly BatchLineProblem[];
  /** Lines with a request. */
  readonly total: number;
  /** What the lines ask for; null when none names a model. */
  readonly model: string | null;
}

export interface InputRules extends LineFormat {
  readonly mostLines: number;
  readonly isServed: (model: string) => boolean;
}

/** Reads an input to its end. Holds a short digest of each custom_id. */
export async function validateInput(lines: AsyncIterable<TextLine>, rules: InputRules): Promise<InputCheck> {
  const check = new LineCheck(rules);
  const problems: BatchLineProblem[] = [];
  let total = 0;
  for await (const { number, text } of lines) {
    total++;
    if (total > rules.mostLines) return { problems: [tooManyLines(rules.mostLines)], total, model: check.model };
    const line = parseBatchLine(text, number, rules);
    const problem = isProblem(line) ? line : check.problemOf(line, number);
    if (problem !== null && problems.length < MOST_TOLD) problems.push(problem);
  }
  if (total === 0) problems.push(about("empty_file", "The input has no lines."));
  return { problems, total, model: check.model };
}

/** What lines must have in common, and what no two may. */
class LineCheck {
  readonly #rules: InputRules;
  readonly #ids = new Set<string>();
  #model: string | null;

  constructor(rules: InputRules) {
    this.#rules = rules;
    this.#model = rules.model;
  }

  get model(): string | null {
    return this.#model;
  }

  problemOf({ customId, body }: BatchLine, line: number): BatchLineProblem | null {
    const digest = createHash("sha256").update(customId).digest("base64").slice(0, 22);
    if (this.#ids.has(digest)) {
      return about("duplicate_custom_id", `Line ${line}: custom_id ${customId} was there before.`, "custom_id", line);
    }
    this.#ids.add(digest);
    const { model } = body;
    if (typeof model !== "string") return null;
    if (this.#model !== null && model !== this.#model) {
      const message = `Line ${line}: asks for ${model}, others for ${this.#model}; a batch is for one model.`;
      return about("mismatched_model", message, "body.model", line);
    }
    if (!this.#rules.isServed(model)) {
      return about("model_not_found", `Line ${line}: the model ${model} does not exist.`, "body.model", line);
    }
    this.#model = model;
    return null;
  }
}

const about = (code: string, message: string, param: string | null = null, line: number | null = null) => ({
  code,
  message,
  param,
  line,
});

const tooManyLines = (most: number): BatchLineProblem =>
  about("too_many_lines", `The input has more than ${most} lines; divide it.`);
