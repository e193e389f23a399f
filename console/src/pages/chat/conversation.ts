import { signal } from "@preact/signals";
import { problemOf } from "../../api/ask.ts";
import { type Answer, extended, type ToolResult, type Turn } from "./answer.ts";
import { AnswerStream } from "./answer-stream.ts";
import { messagesOf } from "./messages.ts";
import { requestFields, settings } from "./settings.ts";

/** Chunks that come within this time are shown together. */
const SHOW_MS = 40;

export const turns = signal<readonly Turn[]>([]);

let nextId = 1;
let running: AnswerStream | undefined;

export const isAnswering = (): boolean =>
  turns.value.at(-1)?.role === "assistant" && lastAnswer()?.state === "streaming";

const lastAnswer = (): Answer | undefined => turns.value.findLast((turn) => turn.role === "assistant");

/** Asks, behind what was said. */
export function ask(text: string): void {
  turns.value = [...turns.value, { role: "user", id: nextId++, text }];
  void answer();
}

/** Goes on with what the calls of the last answer returned. */
export function giveResults(results: readonly ToolResult[]): void {
  turns.value = [...turns.value, { role: "tool", id: nextId++, results }];
  void answer();
}

/** Asks again what an answer answers, and drops what came after it. */
export function regenerate(answerId: number): void {
  cut(answerId);
  void answer();
}

/** Asks something else in a question's place, and drops what came after it. */
export function edit(questionId: number, text: string): void {
  cut(questionId);
  ask(text);
}

/** Gives other results in the place of some, and drops what came after them. */
export function editResults(resultsId: number, results: readonly ToolResult[]): void {
  cut(resultsId);
  giveResults(results);
}

/** Drops a turn and all after it. */
function cut(turnId: number): void {
  const at = turns.value.findIndex(({ id }) => id === turnId);
  turns.value = turns.value.slice(0, at);
}

export function stop(): void {
  void running?.stop();
}

export function clear(): void {
  stop();
  turns.value = [];
}

async function answer(): Promise<void> {
  await running?.stop();
  const id = nextId++;
  const empty = { text: "", scored: [], calls: [], problem: "", finish: "", usage: null, firstMs: null, lastMs: null };
  let current: Answer = { role: "assistant", id, state: "streaming", ...empty };
  const asked = turns.value;
  turns.value = [...asked, current];
  const show = () => {
    turns.value = turns.value.map((turn) => (turn.id === id ? current : turn));
  };
  const startedAt = performance.now();
  let shownAt = startedAt;
  let stream: AnswerStream | undefined;
  try {
    const messages = messagesOf(asked, settings.system.value.trim());
    stream = new AnswerStream({ messages, ...requestFields(asked.at(-1)?.role === "user") });
    running = stream;
    for await (const piece of stream.pieces()) {
      current = extended(current, piece, performance.now() - startedAt);
      if (performance.now() - shownAt < SHOW_MS) continue;
      show();
      shownAt = performance.now();
    }
    current = { ...current, state: "ended" };
  } catch (thrown) {
    const isStopped = thrown instanceof DOMException && thrown.name === "AbortError";
    current = isStopped
      ? { ...current, state: "stopped" }
      : { ...current, state: "failed", problem: problemOf(thrown) };
  }
  show();
  if (running === stream) running = undefined;
}
