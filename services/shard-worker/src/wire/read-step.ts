import type { GgmlType } from "@rhone/ggml";
import { firstVisiblePosition } from "@rhone/planner";
import type { rhone } from "@rhone/proto";
import type { DrawnToken } from "./drawn-token.js";
import { checkTokens, inRange, readTokens, refuse } from "./malformed.js";
import { readOpen } from "./read-open.js";
import type { Activations, Span, Step } from "./step.js";
import { activationTypeOf } from "./tensor-types.js";

/** What one shard can run. */
export interface StepLimits {
  /** Whether it takes token ids; else it takes activations. */
  readonly embeds: boolean;
  readonly vocabSize: number;
  readonly pages: number;
  /** Positions per page. */
  readonly pageSize: number;
  /** Positions that a token sees, itself included; 0 without a window. */
  readonly slidingWindow: number;
  /** Most rows of one step. */
  readonly maxRows: number;
  /** Bytes of one row of activations. */
  readonly rowBytes: (type: GgmlType) => number;
}

/** A stage's state, as far as a step can contradict it. */
export interface StepContext {
  readonly limits: StepLimits;
  /** Pages in the page table of an open sequence; undefined when it is not open. */
  pageCount(sequence: number): number | undefined;
  /** Whether spans of an open sequence may draw; false while its grammar is not prepared. */
  mayDraw(sequence: number): boolean;
  /** The last token that the last span of an open sequence drew; null when it drew none. */
  drawn(sequence: number): DrawnToken | null;
}

/**
 * The step that a message describes, checked whole before anything of it is done: whatever this returns, the stage can
 * run. Throws MESSAGE_MALFORMED, naming the field and what it must be.
 */
export function readStep(message: rhone.v1.Step.$Properties, stage: StepContext): Step {
  const { limits } = stage;
  const spans = (message.spans ?? []).map((span, i) => readSpan(span, i, limits));
  const rows = spans.reduce((sum, { count }) => sum + count, 0);
  if (rows > limits.maxRows) refuse("step.spans", `have ${rows} rows; this shard takes at most ${limits.maxRows}`);
  const tokens = readTokens(message.tokens, "step.tokens", limits.vocabSize);
  if (tokens.length !== rows) refuse("step.tokens", `holds ${tokens.length} tokens for ${rows} rows`);
  const step = {
    copies: (message.copies ?? []).map(({ from, to }, i) => ({
      from: page(from ?? 0, `step.copies[${i}].from`, limits),
      to: page(to ?? 0, `step.copies[${i}].to`, limits),
    })),
    opens: (message.opens ?? []).map((open, i) => readOpen(open, `step.opens[${i}]`, limits.vocabSize)),
    spans,
    closes: message.closes ?? [],
    rows,
    tokens,
    hidden: readHidden(message, rows, limits),
  };
  checkSequences(step, stage);
  fillCarried(message.spans ?? [], step, stage);
  return step;
}

/** Writes the tokens of carried rows, which the step's sender did not know, into `tokens`. */
function fillCarried(messages: readonly rhone.v1.Span.$Properties[], step: Step, stage: StepContext): void {
  let row = 0;
  for (const [i, span] of step.spans.entries()) {
    if (messages[i]?.carried) step.tokens[row] = carriedToken(span, fieldOf(i, "carried"), stage);
    row += span.count;
  }
}

function carriedToken({ sequence, position, count }: Span, field: string, stage: StepContext): number {
  if (count > 1) refuse(field, `is set for ${count} rows; only a single row can be carried`);
  const drawn = stage.drawn(sequence) ?? refuse(field, `is set; sequence ${sequence} has drawn no token here`);
  if (drawn.position === position) return drawn.token;
  return refuse(
    field,
    `is set at position ${position}; sequence ${sequence} drew its last token for position ${drawn.position}`,
  );
}

function readSpan(message: rhone.v1.Span.$Properties, i: number, limits: StepLimits): Span {
  const span = {
    sequence: message.sequence ?? 0,
    position: message.position ?? 0,
    count: message.count ?? 0,
    pages: message.pages ?? [],
    firstPage: message.firstPage ?? 0,
    sample: message.sample ?? false,
    drafts: message.drafts ?? 0,
    targets: message.targets ?? [],
    topTargets: message.topTargets ?? 0,
    pool: message.pool ?? false,
  };
  checkSpan(span, i, limits);
  return span;
}

/** Fields are named only to refuse them, so that the 32 spans of a decode step cost neither strings nor closures. */
function checkSpan(span: Span, i: number, limits: StepLimits): void {
  const { position, count, pages, drafts, targets, topTargets, firstPage } = span;
  if (count === 0) refuse(fieldOf(i, "count"), "is 0; a span has at least one row");
  if (drafts >= count) {
    refuse(fieldOf(i, "drafts"), `is ${drafts}; only ${count - 1} of ${count} rows can follow a draw`);
  }
  for (const id of pages) if (id >= limits.pages) page(id, fieldOf(i, `pages[${pages.indexOf(id)}]`), limits);
  if (targets.length > count) refuse(fieldOf(i, "targets"), `has ${targets.length} tokens for ${count} rows`);
  if (targets.length > 0) checkTokens(targets, fieldOf(i, "targets"), limits.vocabSize);
  if (topTargets > 0) inRange(topTargets, fieldOf(i, "top_targets"), { least: 0, most: limits.vocabSize });
  const visible = Math.floor(firstVisiblePosition(position, limits.slidingWindow) / limits.pageSize);
  if (firstPage > visible) {
    refuse(fieldOf(i, "first_page"), `is ${firstPage}; position ${position} sees page ${visible}`);
  }
}

const fieldOf = (span: number, name: string): string => `step.spans[${span}].${name}`;

function page(id: number, field: string, { pages }: StepLimits): number {
  return id < pages ? id : refuse(field, `is page ${id}; this shard has ${pages}, from 0 to ${pages - 1}`);
}

function readHidden(
  { hidden, hiddenType }: rhone.v1.Step.$Properties,
  rows: number,
  { embeds, rowBytes }: StepLimits,
): Activations | null {
  const bytes = hidden ?? new Uint8Array();
  const type = activationTypeOf(hiddenType ?? 0, "step.hidden_type");
  const expected = embeds ? 0 : rows * rowBytes(type);
  if (bytes.byteLength !== expected) {
    refuse("step.hidden", `holds ${bytes.byteLength} bytes; ${rows} rows take ${expected} on this stage`);
  }
  return embeds ? null : { type, bytes };
}

/**
 * A sequence is opened once and before its first span, has at most one span per step and pages for all of its rows, and
 * is open when it closes.
 */
function checkSequences({ opens, spans, closes }: Step, stage: StepContext): void {
  const opened = new Set<number>();
  opens.forEach(({ sequence }, i) => {
    const isOpen = opened.has(sequence) || stage.pageCount(sequence) !== undefined;
    if (isOpen) refuse(`step.opens[${i}].sequence`, `is ${sequence}, which is open already`);
    opened.add(sequence);
  });
  const pagesOf = (sequence: number): number | undefined =>
    stage.pageCount(sequence) ?? (opened.has(sequence) ? 0 : undefined);
  checkPages(spans, pagesOf, stage.limits);
  checkDraws({ opens, spans }, stage);
  const closed = new Set<number>();
  closes.forEach((sequence, i) => {
    if (pagesOf(sequence) === undefined) refuse(`step.closes[${i}]`, `is ${sequence}, which is not open`);
    if (closed.has(sequence)) refuse(`step.closes[${i}]`, `is ${sequence}, which this step closes already`);
    closed.add(sequence);
  });
}

/** No span draws before its sequence's grammar is prepared, which is never in the step that opens it. */
function checkDraws({ opens, spans }: Pick<Step, "opens" | "spans">, stage: StepContext): void {
  for (const [i, { sequence, sample }] of spans.entries()) {
    if (!sample) continue;
    const open = opens.find((other) => other.sequence === sequence);
    const ready = open === undefined ? stage.mayDraw(sequence) : open.constraint === null;
    if (!ready) refuse(fieldOf(i, "sample"), `is set; the grammar of sequence ${sequence} is not prepared`);
  }
}

function checkPages(
  spans: readonly Span[],
  pagesOf: (sequence: number) => number | undefined,
  { pageSize }: StepLimits,
): void {
  const seen = new Set<number>();
  for (const [i, { sequence, position, count, pages }] of spans.entries()) {
    const held = pagesOf(sequence) ?? refuse(fieldOf(i, "sequence"), `is ${sequence}, which is not open`);
    if (seen.has(sequence)) refuse(fieldOf(i, "sequence"), `is ${sequence}, which has a span in this step already`);
    seen.add(sequence);
    const total = held + pages.length;
    const needed = Math.ceil((position + count) / pageSize);
    if (total < needed) {
      refuse(fieldOf(i, "pages"), `bring sequence ${sequence} to ${total} pages; its rows need ${needed}`);
    }
  }
}
