import { createHash } from "node:crypto";
import type { FileStore } from "../files/file-store.js";
import { readLines, type TextLine } from "../files/read-lines.js";
import { cut } from "../request-error.js";
import { type BatchLine, isProblem, type LineFormat, parseBatchLine } from "./batch-line.js";
import type { BatchLineProblem, BatchRecord } from "./batch-record.js";

/** The lines of a batch's files, numbered consecutively over all files. Throws NOT_FOUND. */
export async function* readInput(
  files: FileStore,
  { inputFileIds }: Pick<BatchRecord, "inputFileIds">,
  mostLineBytes: number,
): AsyncGenerator<TextLine> {
  let before = 0;
  for (const id of inputFileIds) {
    let last = 0;
    for await (const line of readLines(await files.read(id), mostLineBytes)) {
      last = line.number;
      yield { ...line, number: before + last };
    }
    before += last;
  }
}

/** Most problems that are reported; a file in the wrong format has one per line. */
const MOST_TOLD = 100;
/** Characters of a model's name that a problem repeats: every list of batches reads the problems. */
const LONGEST_QUOTE = 100;

export interface InputCheck {
  readonly problems: readonly BatchLineProblem[];
  /** Lines with a request. */
  readonly total: number;
  /** The model that the lines name; null when none names one. */
  readonly model: string | null;
}

export interface InputRules extends LineFormat {
  readonly mostLines: number;
  readonly isServed: (model: string) => boolean;
}

/** Checks a whole input. Memory grows by 22 characters per line, a digest of its custom_id. */
export async function validateInput(lines: AsyncIterable<TextLine>, rules: InputRules): Promise<InputCheck> {
  const check = new LineCheck(rules);
  const problems: BatchLineProblem[] = [];
  let total = 0;
  for await (const read of lines) {
    total++;
    if (total > rules.mostLines) return { problems: [tooManyLines(rules.mostLines)], total, model: check.model };
    const line = await parseBatchLine(read, rules);
    const problem = isProblem(line) ? line : check.problemOf(line, read.number);
    if (problem !== null && problems.length < MOST_TOLD) problems.push(problem);
  }
  if (total === 0) problems.push(about("empty_file", "The input has no lines."));
  return { problems, total, model: check.model };
}

/** Checks lines against each other: distinct custom_ids, one model. */
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
      return about("duplicate_custom_id", `Line ${line} has the custom_id ${customId} of an earlier line.`, {
        param: "custom_id",
        line,
      });
    }
    this.#ids.add(digest);
    const { model } = body;
    if (typeof model !== "string") return null;
    const asks = `Line ${line} asks for ${cut(model, LONGEST_QUOTE)}`;
    if (this.#model !== null && model !== this.#model) {
      const message = `${asks}, other lines for ${this.#model}; split the batch by model.`;
      return about("mismatched_model", message, { param: "body.model", line });
    }
    if (!this.#rules.isServed(model)) {
      return about("model_not_found", `${asks}, a model that does not exist.`, { param: "body.model", line });
    }
    this.#model = model;
    return null;
  }
}

/** A problem of the whole file, or of one line. */
const about = (code: string, message: string, at: Partial<BatchLineProblem> = {}): BatchLineProblem => ({
  code,
  message,
  param: null,
  line: null,
  ...at,
});

const tooManyLines = (most: number): BatchLineProblem =>
  about("too_many_lines", `The input has more than ${most} lines; split it.`);
