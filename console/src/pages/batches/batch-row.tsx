import { useState } from "preact/hooks";
import { problemOf } from "../../api/ask.ts";
import { tick } from "../../api/live.ts";
import { moment, number, span } from "../../format.ts";
import { Icon } from "../../parts/icon.tsx";
import { Meter } from "../../parts/meter.tsx";
import { Notice } from "../../parts/notice.tsx";
import { Pill, type Tone } from "../../parts/pill.tsx";
import { type Batch, download, isOver, tell } from "./batches.ts";
import { Problems } from "./upload.tsx";

const TONES: Readonly<Record<string, Tone>> = { completed: "good", failed: "bad", expired: "bad", cancelled: "plain" };

/** One batch, with its progress and its buttons. */
export function BatchRow({ batch }: { readonly batch: Batch }) {
  const { id, endpoint, model, status, errors, request_counts: counts, paused_at, metadata } = batch;
  const [told, setTold] = useState("");
  const attempt = (work: () => Promise<void>) => () =>
    void work().then(
      () => setTold(""),
      (thrown: unknown) => setTold(problemOf(thrown)),
    );
  const share = (lines: number) => (counts.total > 0 ? lines / counts.total : 0);
  const state = paused_at === undefined ? status.replaceAll("_", " ") : "paused";
  return (
    <li class="batch">
      <div class="batch-head">
        <span class="batch-name">{metadata?.file ?? id}</span>
        <Pill tone={paused_at === undefined ? (TONES[status] ?? "active") : "plain"}>{state}</Pill>
        <span class="hint">
          {[model ?? "", endpoint, `made ${moment(batch.created_at * 1000)}`].filter(Boolean).join(" · ")}
        </span>
        <div class="batch-actions">
          {!isOver(batch) && status !== "cancelling" && (
            <>
              {paused_at === undefined ? (
                <button type="button" class="quiet" onClick={attempt(() => tell(id, "pause"))}>
                  <Icon name="pause" /> Pause
                </button>
              ) : (
                <button type="button" class="quiet" onClick={attempt(() => tell(id, "resume"))}>
                  <Icon name="play" /> Resume
                </button>
              )}
              <button type="button" class="quiet" onClick={attempt(() => tell(id, "cancel"))}>
                <Icon name="close" /> Cancel
              </button>
            </>
          )}
          {batch.output_file_id !== null && (
            <Download fileId={batch.output_file_id} name={`${id}-answers.jsonl`} text="Answers" attempt={attempt} />
          )}
          {batch.error_file_id !== null && (
            <Download fileId={batch.error_file_id} name={`${id}-failures.jsonl`} text="Failures" attempt={attempt} />
          )}
        </div>
      </div>
      {counts.total > 0 && (
        <Meter
          label={paceOf(batch)}
          text={`${number(counts.completed)} of ${number(counts.total)}${counts.failed > 0 ? `, ${number(counts.failed)} failed` : ""}`}
          parts={[
            { share: share(counts.completed), kind: "main" },
            { share: share(counts.failed), kind: "bad" },
          ]}
        />
      )}
      {errors !== null && <Problems problems={errors.data} />}
      {told !== "" && <Notice tone="bad">{told}</Notice>}
    </li>
  );
}

/** "2 min left"; "took 5 min"; "closes in 20 h". */
function paceOf(batch: Batch): string {
  const { request_counts: counts, in_progress_at: began, completed_at: ended, expires_at, paused_at } = batch;
  if (began !== null && ended !== null) return `took ${span((ended - began) * 1000)}`;
  // By the gateway's clock, which the batch's times are of.
  const now = (tick.peek()?.atMs ?? Date.now()) / 1000;
  const done = counts.completed + counts.failed;
  if (isOver(batch)) return "";
  if (paused_at === undefined && began !== null && done > 0 && now > began)
    return `about ${span((((now - began) * (counts.total - done)) / done) * 1000)} left`;
  return `its window closes in ${span((expires_at - now) * 1000)}`;
}

interface DownloadProps {
  readonly fileId: string;
  readonly name: string;
  readonly text: string;
  readonly attempt: (work: () => Promise<void>) => () => void;
}

const Download = ({ fileId, name, text, attempt }: DownloadProps) => (
  <button type="button" class="quiet" onClick={attempt(() => download(fileId, name))}>
    <Icon name="download" /> {text}
  </button>
);
