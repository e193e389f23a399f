import { type GenerationJob, requestOfChoice } from "@rhone/common";

/**
 * waiting: holds no pages. prefilling: its known tokens are being computed. decoding: every known token is computed or
 * in flight, or only the last one is missing, which waits for the sequence's grammar. ended: the scheduler has
 * forgotten it.
 */
export type Phase = "waiting" | "prefilling" | "decoding" | "ended";

/** Every batch sequence ranks behind every interactive one. */
const BATCH_RANK = 2 ** 40;
/** Room for generated tokens at first; the buffer doubles when they need more. */
const FIRST_ROOM = 256;

/**
 * One sequence: its token ids, and how far the pipeline has come with them. The scheduler alone calls the methods that
 * change it. The pages, the group and the wire id of a running sequence belong to KvPages, Groups and WireIds.
 */
export class Sequence {
  readonly job: GenerationJob;
  /** The request whose choice it is. */
  readonly request: string;
  readonly promptLength: number;
  /** How many sequences had arrived before it. */
  readonly arrival: number;
  /** The smaller rank goes first: by lane, then by arrival. */
  readonly rank: number;
  #tokens: Int32Array;
  #length: number;
  #phase: Phase = "waiting";
  #sentEnd = 0;
  #lacks = 0;
  #prefillStart = 0;
  #spansInFlight = 0;
  #hasRun = false;
  #gaveWay = false;
  #cachedTokens = 0;
  #arrivalsAtFirstToken: number | null = null;
  #isPrepared = false;
  #hasDrawn = false;
  #isInterrupted: boolean;
  #losses = 0;

  constructor(options: {
    readonly job: GenerationJob;
    /** Tokens that another coordinator has generated for the job. */
    readonly generated: readonly number[];
    readonly arrival: number;
  }) {
    const { job, generated, arrival } = options;
    this.job = job;
    this.request = requestOfChoice(job.requestId);
    this.promptLength = job.promptIds.length;
    this.arrival = arrival;
    this.rank = arrival + (job.lane === "batch" ? BATCH_RANK : 0);
    this.#length = this.promptLength + generated.length;
    this.#tokens = new Int32Array(this.#length + Math.min(job.maxTokens, FIRST_ROOM));
    this.#tokens.set(job.promptIds);
    this.#tokens.set(generated, this.promptLength);
    this.#isInterrupted = generated.length > 0;
  }

  /** Known tokens: the prompt and everything generated. */
  get length(): number {
    return this.#length;
  }

  get generated(): number {
    return this.#length - this.promptLength;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /**
   * Positions [0, prefillEnd) must be computed before the next token can be drawn. Scoring a prompt does not need its
   * last row; pooling does.
   */
  get prefillEnd(): number {
    if (this.job.pooling !== null) return this.promptLength;
    return this.job.maxTokens === 0 ? this.promptLength - 1 : this.#length;
  }

  /** Spans of it may draw: the last stage has its grammar. */
  get mayDraw(): boolean {
    return this.job.constraint === null || this.#isPrepared;
  }

  /** Positions up to here may be sent as a prompt: the row that draws is held back until the grammar is prepared. */
  get sendableEnd(): number {
    return this.mayDraw || this.job.maxTokens === 0 ? this.prefillEnd : this.prefillEnd - 1;
  }

  /** It has drawn a token since it was last admitted. */
  get hasDrawn(): boolean {
    return this.#hasDrawn;
  }

  /** It ran when its pipeline was lost, here or in another coordinator, and has had no token since. */
  get isInterrupted(): boolean {
    return this.#isInterrupted;
  }

  /** Pipelines that were lost in a row between its opening and the first token after that. */
  get losses(): number {
    return this.#losses;
  }

  /** Where this run's computation began: behind the positions that the prefix cache had. */
  get prefillStart(): number {
    return this.#prefillStart;
  }

  /**
   * Positions [0, sentEnd) were sent to the stages or came from the prefix cache. One more than `length` when the last
   * row was sent ahead of its token.
   */
  get sentEnd(): number {
    return this.#sentEnd;
  }

  /** While it waits: rows that it will have to compute, by what the prefix cache had when it began to wait. */
  get lacks(): number {
    return this.#lacks;
  }

  /** The token of its next row is known. */
  get knowsNext(): boolean {
    return this.#sentEnd < this.#length;
  }

  /**
   * A row in flight draws its next token, and after that token at least one more is to be drawn, as far as lengths
   * tell. `contextLength`: the most tokens that it may have.
   */
  drawsAfterNext(contextLength: number): boolean {
    if (this.#sentEnd !== this.#length) return false;
    return this.generated + 1 < this.job.maxTokens && this.#length + 1 < contextLength;
  }

  /** Spans that were sent and whose results have not returned. */
  get spansInFlight(): number {
    return this.#spansInFlight;
  }

  /** It was admitted before; if it waits, it was evicted or its pipeline was lost. */
  get hasRun(): boolean {
    return this.#hasRun;
  }

  /** It waits before all that have not run yet; one that gave way to another API key waits for its key's turn. */
  get goesFirst(): boolean {
    return this.#hasRun && !this.#gaveWay;
  }

  /** Prompt tokens that the prefix cache had when it was first admitted. */
  get cachedTokens(): number {
    return this.#cachedTokens;
  }

  /** How many sequences had arrived when it got its first token; null before that. */
  get arrivalsAtFirstToken(): number | null {
    return this.#arrivalsAtFirstToken;
  }

  /** A view of the tokens at positions [start, end), valid until the next append. */
  tokens(start: number, end: number): Int32Array {
    return this.#tokens.subarray(start, Math.min(end, this.#length));
  }

  /** It is admitted; the prefix cache has positions [0, cached). */
  start(cached: number): void {
    if (!this.#hasRun) this.#cachedTokens = Math.min(cached, this.promptLength);
    this.#hasRun = true;
    this.#gaveWay = false;
    this.#prefillStart = cached;
    this.#sentEnd = cached;
    this.#isPrepared = false;
    this.#hasDrawn = false;
    this.#phase = cached < this.sendableEnd ? "prefilling" : "decoding";
  }

  /** It waits, and will have to compute this many rows. */
  expect(rows: number): void {
    this.#lacks = rows;
  }

  /** The last stage has its grammar. */
  prepare(): void {
    this.#isPrepared = true;
  }

  /**
   * A span of its next `count` positions, drafts not counted, joins a micro-batch. With the last one that may be sent
   * it decodes.
   */
  send(count: number): void {
    this.#sentEnd += count;
    this.#spansInFlight++;
    if (this.#sentEnd >= this.sendableEnd) this.#phase = "decoding";
  }

  /** The result of a span is back. */
  receive(): void {
    this.#spansInFlight--;
  }

  /** Appends drawn tokens; `arrivals`: how many sequences have arrived. An evicted sequence keeps its tokens too. */
  append(tokens: readonly number[], arrivals: number): void {
    for (const token of tokens) this.#append(token);
    this.#arrivalsAtFirstToken ??= arrivals;
    this.#hasDrawn = true;
    this.#isInterrupted = false;
    this.#losses = 0;
    // The rows of right drafts are computed; the rows of wrong ones are overwritten by the next span. A row that was
    // sent ahead is the row of the token that is known now.
    if (this.#phase === "decoding") this.#sentEnd = Math.max(this.#sentEnd, this.#length - 1);
  }

  /** It waits again with the tokens it has: its pages are gone. */
  evict(): void {
    this.#phase = "waiting";
    this.#sentEnd = 0;
  }

  /** It was evicted because its API key had more than its share. */
  giveWay(): void {
    this.#gaveWay = true;
  }

  /** The pipeline is lost while it runs. */
  interrupt(): void {
    this.#isInterrupted = true;
  }

  /** The pipeline is lost, and this sequence may be what it was lost by. */
  blame(): void {
    this.#losses++;
  }

  /** The pipeline is lost: no span returns any more. */
  loseSpans(): void {
    this.#spansInFlight = 0;
  }

  end(): void {
    this.#phase = "ended";
  }

  #append(token: number): void {
    if (this.#length === this.#tokens.length) {
      const larger = new Int32Array(this.#tokens.length * 2);
      larger.set(this.#tokens);
      this.#tokens = larger;
    }
    this.#tokens[this.#length++] = token;
  }
}
