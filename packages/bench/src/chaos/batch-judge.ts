import { type Answer, answerOf, type Chunk } from "./answer.js";
import { type Difference, differenceOf } from "./judge.js";

/** What was wrong with the lines of a batch, by their custom_ids. */
export interface BatchJudgement {
  readonly lines: number;
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly failed: readonly { readonly id: string; readonly why: string }[];
  readonly wrong: readonly { readonly id: string; readonly difference: Difference }[];
}

interface Entry {
  readonly custom_id: string;
  readonly response: { readonly status_code: number; readonly body: Chunk } | null;
  readonly error: unknown;
}

/** `known`: the answer of each line; `results`: the lines of its output file and of its error file. */
export function judgeBatch(known: ReadonlyMap<string, Answer>, results: readonly string[]): BatchJudgement {
  const entries = results.map((line) => JSON.parse(line) as Entry);
  const times = new Map<string, number>();
  for (const { custom_id: id } of entries) times.set(id, (times.get(id) ?? 0) + 1);
  const judged = entries.map((entry) => ({ id: entry.custom_id, ...judge(entry, known.get(entry.custom_id)) }));
  return {
    lines: known.size,
    lost: [...known.keys()].filter((id) => !times.has(id)),
    doubled: [...times].flatMap(([id, count]) => (count > 1 ? [id] : [])),
    failed: judged.flatMap(({ id, why }) => (why === undefined ? [] : [{ id, why }])),
    wrong: judged.flatMap(({ id, difference }) => (difference == null ? [] : [{ id, difference }])),
  };
}

function judge(
  entry: Entry,
  known: Answer | undefined,
): { readonly why?: string; readonly difference?: Difference | null } {
  const { response, error } = entry;
  if (known === undefined) return { why: "it was not asked for" };
  if (response?.status_code !== 200) return { why: JSON.stringify(error ?? response?.body ?? null).slice(0, 500) };
  return { difference: differenceOf(known, answerOf(response.body)) };
}
