import type { Piece, Scored, ToolCall, Usage } from "./answer-stream.ts";

export interface Question {
  readonly role: "user";
  readonly id: number;
  readonly text: string;
}

export interface Answer {
  readonly role: "assistant";
  readonly id: number;
  readonly text: string;
  readonly scored: readonly Scored[];
  readonly calls: readonly ToolCall[];
  readonly state: "streaming" | "ended" | "stopped" | "failed";
  /** Why it failed. */
  readonly problem: string;
  readonly finish: string;
  readonly usage: Usage | null;
  /** From sending the question to the first piece, and to the last one; null: none has come. */
  readonly firstMs: number | null;
  readonly lastMs: number | null;
}

export interface ToolResult {
  /** Of the call that it answers. */
  readonly callId: string;
  readonly name: string;
  readonly text: string;
}

/** What the calls of the answer before returned, in their order. */
export interface Results {
  readonly role: "tool";
  readonly id: number;
  readonly results: readonly ToolResult[];
}

export type Turn = Question | Answer | Results;

/** The answer with one more piece, which came `ms` after it was asked for. */
export function extended(answer: Answer, { text, scored, calls, finish, usage }: Piece, ms: number): Answer {
  const isContent = text !== "" || scored.length > 0 || calls.length > 0;
  return {
    ...answer,
    text: answer.text + text,
    scored: scored.length === 0 ? answer.scored : [...answer.scored, ...scored],
    calls: calls.reduce(withCall, answer.calls),
    finish: finish ?? answer.finish,
    usage: usage ?? answer.usage,
    firstMs: answer.firstMs ?? (isContent ? ms : null),
    lastMs: isContent ? ms : answer.lastMs,
  };
}

function withCall(calls: readonly ToolCall[], part: ToolCall): readonly ToolCall[] {
  const known = calls.find(({ index }) => index === part.index);
  if (known === undefined) return [...calls, part];
  const whole = {
    ...known,
    id: known.id || part.id,
    name: known.name + part.name,
    arguments: known.arguments + part.arguments,
  };
  return calls.map((call) => (call === known ? whole : call));
}

/** Pieces that came within less were read together: how fast they were made can't be told. */
const LEAST_MS = 50;

/** Tokens per second behind the first one; null: they can't be told. */
export function tokensPerSecond({ usage, firstMs, lastMs }: Answer): number | null {
  const tokens = (usage?.completion_tokens ?? 0) - 1;
  if (tokens < 1 || firstMs === null || lastMs === null || lastMs - firstMs < LEAST_MS) return null;
  return (1000 * tokens) / (lastMs - firstMs);
}
