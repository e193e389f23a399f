import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { CopyButton } from "../../parts/copy.tsx";
import { Icon } from "../../parts/icon.tsx";
import type { Results, ToolResult } from "./answer.ts";
import type { ToolCall } from "./answer-stream.ts";
import { editResults } from "./conversation.ts";

/** A function that the model wants to be called. */
export const Call = ({ call: { name, arguments: text, id } }: { readonly call: ToolCall }) => (
  <Passage what="Call" of={name} id={id} text={text} />
);

/** The results of an answer's calls, as they were typed. */
export function ResultsTurn({ results: { id, results } }: { readonly results: Results }) {
  const [isOpen, setOpen] = useState(false);
  if (isOpen) {
    return (
      <ResultsForm
        asked={results}
        onGiven={(given) => {
          setOpen(false);
          editResults(id, given);
        }}
        beside={
          <button type="button" onClick={() => setOpen(false)}>
            Cancel
          </button>
        }
      />
    );
  }
  return (
    <article class="turn turn-results" aria-label="Results">
      {results.map(({ callId, name, text }) => (
        <Passage key={callId} what="Result" of={name} id={callId} text={text} />
      ))}
      <div class="turn-foot">
        <button type="button" class="quiet" aria-label="Edit the results" title="Edit" onClick={() => setOpen(true)}>
          <Icon name="edit" />
        </button>
      </div>
    </article>
  );
}

interface ResultsFormProps {
  /** A result for each call, with the text that it begins with. */
  readonly asked: readonly ToolResult[];
  readonly onGiven: (results: readonly ToolResult[]) => void;
  /** Another way out, in front of the button that sends. */
  readonly beside: ComponentChildren;
}

/** Takes the result of each call, and sends them together. */
export function ResultsForm({ asked, onGiven, beside }: ResultsFormProps) {
  const [typed, setTyped] = useState(asked);
  const set = (at: number, text: string) =>
    setTyped(typed.map((result, index) => (index === at ? { ...result, text } : result)));
  const submit = (event: Event) => {
    event.preventDefault();
    onGiven(typed);
  };
  return (
    <form class="turn turn-results" aria-label="Results of the calls" onSubmit={submit}>
      {typed.map(({ callId, name, text }, at) => (
        <label key={callId}>
          {typed.length === 1 ? `Result of ${name}` : `Result of call ${at + 1}, ${name}`}
          <textarea
            class="mono"
            rows={2}
            spellcheck={false}
            placeholder="What it returned, as text or JSON"
            value={text}
            onInput={({ currentTarget }) => set(at, currentTarget.value)}
          />
        </label>
      ))}
      <div class="actions">
        {beside}
        <button type="submit" class="primary" disabled={typed.some(({ text }) => text.trim() === "")}>
          {typed.length === 1 ? "Send the result" : "Send the results"}
        </button>
      </div>
    </form>
  );
}

interface PassageProps {
  readonly what: "Call" | "Result";
  /** The function's name. */
  readonly of: string;
  readonly id: string;
  readonly text: string;
}

const Passage = ({ what, of, id, text }: PassageProps) => (
  <figure class="code" aria-label={`${what} of ${of}`}>
    <figcaption>
      <span>
        {what} of <b>{of}</b> <small>{id}</small>
      </span>
      <CopyButton text={text} what={what === "Call" ? "the arguments" : "the result"} />
    </figcaption>
    {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it */}
    <pre tabIndex={0}>
      <code>{indented(text)}</code>
    </pre>
  </figure>
);

/** JSON on several lines; text that is not, or not yet, as it is. */
function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
