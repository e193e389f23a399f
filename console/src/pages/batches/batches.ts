import { signal } from "@preact/signals";
import { ask, askJson, problemOf } from "../../api/ask.ts";

export interface LineProblem {
  readonly code: string;
  readonly message: string;
  readonly line: number | null;
}

/** As GET /v1/batches has it. Times are Unix seconds. */
export interface Batch {
  readonly id: string;
  readonly endpoint: string;
  readonly model: string | null;
  readonly status: string;
  readonly errors: { readonly data: readonly LineProblem[] } | null;
  readonly output_file_id: string | null;
  readonly error_file_id: string | null;
  readonly created_at: number;
  readonly in_progress_at: number | null;
  readonly completed_at: number | null;
  readonly expires_at: number;
  readonly paused_at?: number;
  readonly request_counts: { readonly total: number; readonly completed: number; readonly failed: number };
  readonly usage: { readonly input_tokens: number; readonly output_tokens: number };
  readonly metadata: Readonly<Record<string, string>> | null;
}

const LOOK_MS = 1000;
const REST_MS = 5000;
const MOST = 50;

/** The newest first; null: not known yet. */
export const batches = signal<readonly Batch[] | null>(null);
/** Why they are not known; "" = they are. */
export const problem = signal("");

const OVER = new Set(["completed", "failed", "expired", "cancelled"]);

export const isOver = ({ status }: Pick<Batch, "status">): boolean => OVER.has(status);

/** Looks at the batches each second while one runs, until the returned function is called. */
export function watch(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isWatching = true;
  const look = async () => {
    await refresh();
    if (!isWatching) return;
    const isRunning = (batches.value ?? []).some((batch) => !isOver(batch) && batch.paused_at === undefined);
    timer = setTimeout(() => void look(), isRunning ? LOOK_MS : REST_MS);
  };
  void look();
  return () => {
    isWatching = false;
    clearTimeout(timer);
  };
}

export async function refresh(): Promise<void> {
  try {
    const { data } = await askJson<{ readonly data: readonly Batch[] }>(`/v1/batches?limit=${MOST}`);
    batches.value = data;
    problem.value = "";
  } catch (thrown) {
    problem.value = problemOf(thrown);
  }
}

/** Uploads a file and runs it. Throws what the gateway refuses. */
export async function submit(file: File, endpoint: string): Promise<Batch> {
  const form = new FormData();
  form.append("purpose", "batch");
  form.append("file", file);
  const { id } = await askJson<{ readonly id: string }>("/v1/files", { body: form });
  const order = { input_file_id: id, endpoint, completion_window: "24h", metadata: { file: file.name.slice(0, 500) } };
  const batch = await askJson<Batch>("/v1/batches", { body: order });
  await refresh();
  return batch;
}

/** Throws what the gateway refuses. */
export async function tell(id: string, what: "pause" | "resume" | "cancel"): Promise<void> {
  await ask(`/v1/batches/${id}/${what}`, { method: "POST" });
  await refresh();
}

/** Saves a file of the gateway under a name. Throws what the gateway refuses. */
export async function download(fileId: string, name: string): Promise<void> {
  const blob = await (await ask(`/v1/files/${fileId}/content`)).blob();
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), REST_MS);
}
