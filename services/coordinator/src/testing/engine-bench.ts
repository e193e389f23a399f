import { createLogger, RhoneError } from "@rhone/common";
import { livePages } from "@rhone/planner";
import type { rhone } from "@rhone/proto";
import { Engine } from "../engine/engine.js";
import { createMetrics } from "../metrics.js";
import { PieceTable } from "../text/piece-table.js";
import { FakePipe } from "./fake-pipe.js";
import { MemoryLog } from "./memory-log.js";
import { type NextToken, nextToken, VOCABULARY } from "./next-token.js";

/** Positions of a sequence, at most. */
export const CONTEXT = 64;
export const MAX_ROWS = 8;
const PAGE_SIZE = 4;

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const logger = createLogger({ service: "test", level: "silent" });
/** The text of a token. */
export const pieceOf = (token: number): string => `<${token}>`;
const pieces = new PieceTable({ pieceBytes: (token) => Buffer.from(pieceOf(token)) });

interface EngineBenchOptions {
  readonly slidingWindow?: number;
  readonly extraPages?: number;
  readonly maxSequences?: number;
  readonly maxDrafts?: number;
  readonly endTokens?: readonly number[];
  readonly next?: NextToken;
  /** The draw of a token from this one on fails. */
  readonly failsFrom?: number;
  readonly stepMs?: ((rows: number) => number) | undefined;
}

/** An engine with a pipe of fake stages that the test drives frame by frame. */
export class EngineBench {
  readonly log = new MemoryLog();
  readonly metrics = createMetrics();
  readonly engine: Engine;
  pipe!: FakePipe;
  /** Drafts that were right so far. */
  accepted = 0;
  readonly #slidingWindow: number;
  readonly #pages: number;
  readonly #next: NextToken;
  readonly #failsFrom: number;
  readonly #stepMs: ((rows: number) => number) | undefined;

  constructor({
    slidingWindow = 0,
    extraPages = 8,
    maxSequences = 16,
    maxDrafts = 0,
    endTokens = [],
    next = nextToken,
    failsFrom = VOCABULARY,
    stepMs,
  }: EngineBenchOptions) {
    const shape = { pageSize: PAGE_SIZE, slidingWindow, contextLength: CONTEXT, maxRows: MAX_ROWS };
    this.#slidingWindow = slidingWindow;
    this.#next = next;
    this.#failsFrom = failsFrom;
    this.#stepMs = stepMs;
    this.#pages = livePages(CONTEXT, shape) + extraPages;
    const rules = { contextLength: CONTEXT, vocabSize: VOCABULARY, endTokens: new Set(endTokens), pieces };
    const { log, metrics } = this;
    const limits = { maxSequences, maxDrafts, targetItl: "auto", recoveryTimeoutMs: 60_000 } as const;
    this.engine = new Engine({ shape, ...limits, rules, log, metrics, logger });
  }

  connect(stages: number): void {
    const rule = { next: this.#next, failsFrom: this.#failsFrom };
    const shape = { pages: this.#pages, pageSize: PAGE_SIZE, slidingWindow: this.#slidingWindow, ...rule };
    const onResult = (step: number, result: rhone.v1.StepResult.$Properties): void => {
      this.accepted += sum((result.spans ?? []).map(({ tokens }) => Math.max(0, (tokens?.length ?? 0) - 1)));
      this.engine.record(step, result);
    };
    const pipe = new FakePipe({ stages, shape, stepMs: this.#stepMs, onResult });
    this.pipe = pipe;
    this.engine.attach(pipe);
  }

  lose(): void {
    this.engine.detach(new RhoneError("WORKER_LOST", "Worker w was lost."));
  }

  /** The last stage has prepared a grammar, or refuses it. */
  prepare(sequence: number, error: RhoneError | null = null): void {
    this.pipe.prepare(sequence);
    this.engine.prepared(sequence, error);
  }

  /** Runs until nothing is left to do. */
  async drain(): Promise<void> {
    for (let idle = 0; idle < 3; ) {
      const [stage] = this.pipe.busy;
      for (const sequence of this.pipe.preparing) this.prepare(sequence);
      if (stage === undefined) idle++;
      else {
        idle = 0;
        this.pipe.advance(stage);
      }
      await turn();
    }
  }

  tokens(requestId: string): readonly number[] {
    return this.log.of(requestId).flatMap((event) => event.tokens);
  }

  text(requestId: string): string {
    return this.log
      .of(requestId)
      .map((event) => event.text)
      .join("");
  }
}

export const prompt = (length: number, seed = 1): number[] =>
  Array.from({ length }, (_, index) => (index * 31 + seed * 17) % 997);

export const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

export const CONSTRAINT = { grammar: 'root ::= "a"', trigger: null, otherwise: null };

export const base64 = ({ buffer }: Float32Array): string => Buffer.from(buffer).toString("base64");
