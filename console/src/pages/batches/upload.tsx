import { useRef, useState } from "preact/hooks";
import { problemOf } from "../../api/ask.ts";
import { number } from "../../format.ts";
import { Icon } from "../../parts/icon.tsx";
import { Notice } from "../../parts/notice.tsx";
import { Section } from "../../parts/section.tsx";
import { submit } from "./batches.ts";
import { type CheckedFile, checkLines, endpointIn, type FileProblem } from "./check-lines.ts";

/** Larger files are checked by the gateway alone. */
const MOST_CHECKED = 20e6;

interface Chosen {
  readonly file: File;
  /** null: too large to be checked here. */
  readonly checked: CheckedFile | null;
  /** Of its lines; "" = none says it. */
  readonly endpoint: string;
}

/** Takes a file of requests, says which of its lines are wrong, and runs it. */
export function Upload() {
  const input = useRef<HTMLInputElement>(null);
  const [chosen, setChosen] = useState<Chosen | null>(null);
  const [told, setTold] = useState("");
  const [isOver, setOver] = useState(false);
  const [isBusy, setBusy] = useState(false);

  const choose = async (file: File | undefined) => {
    if (file === undefined) return;
    setTold("");
    const checked = file.size > MOST_CHECKED ? null : checkLines(await file.text());
    setChosen({ file, checked, endpoint: checked?.endpoint ?? (await endpointIn(file)) });
  };
  const send = async () => {
    if (chosen === null) return;
    setBusy(true);
    try {
      await submit(chosen.file, chosen.endpoint || "/v1/chat/completions");
      setChosen(null);
      if (input.current !== null) input.current.value = "";
    } catch (thrown) {
      setTold(problemOf(thrown));
    }
    setBusy(false);
  };
  const dropped = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void choose(event.dataTransfer?.files[0]);
  };
  const over = (event: DragEvent) => {
    event.preventDefault();
    setOver(true);
  };
  const problems = chosen?.checked?.problems ?? [];
  return (
    <Section title="New batch">
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the field in it does the same by keyboard */}
      <div
        class={`drop ${isOver ? "drop-over" : ""}`}
        onDrop={dropped}
        onDragOver={over}
        onDragLeave={() => setOver(false)}
      >
        <label class="drop-label">
          <Icon name="upload" />
          <span>
            <b>Choose a file</b> or drop it here: one request on each line, as JSON
          </span>
          <input
            ref={input}
            type="file"
            class="unseen"
            accept=".jsonl,.ndjson,.json,.txt"
            aria-label="File of requests"
            onChange={({ currentTarget }) => void choose(currentTarget.files?.[0])}
          />
        </label>
        {chosen !== null && (
          <div class="drop-chosen">
            <span>
              <b>{chosen.file.name}</b> {summaryOf(chosen)}
            </span>
            <button type="button" class="primary" disabled={isBusy || problems.length > 0} onClick={() => void send()}>
              {isBusy ? "Sending" : "Run"}
            </button>
          </div>
        )}
      </div>
      {problems.length > 0 && <Problems problems={problems} />}
      {told !== "" && <Notice tone="bad">{told}</Notice>}
    </Section>
  );
}

function summaryOf({ file, checked, endpoint }: Chosen): string {
  const size =
    checked === null
      ? `${number(file.size / 1e6)} MB`
      : `${number(checked.lines)} ${checked.lines === 1 ? "line" : "lines"}`;
  return endpoint === "" ? size : `${size} for ${endpoint}`;
}

/** What is wrong with lines of a file, at most a hundred of them. */
export const Problems = ({ problems }: { readonly problems: readonly FileProblem[] }) => (
  <div role="alert">
    {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it */}
    <ul class="problems" tabIndex={0} aria-label="Problems by line">
      {problems.map(({ line, message }) => (
        <li key={`${line} ${message}`}>
          <span>{line === null ? "File" : `Line ${number(line)}`}</span>
          <span>{message}</span>
        </li>
      ))}
    </ul>
  </div>
);
