import { useState } from "preact/hooks";
import { duration, number } from "../../format.ts";
import { CopyButton } from "../../parts/copy.tsx";
import { Icon } from "../../parts/icon.tsx";
import { Markdown } from "../../parts/markdown.tsx";
import { Notice } from "../../parts/notice.tsx";
import { type Answer, type Question, tokensPerSecond } from "./answer.ts";
import { Call } from "./calls.tsx";
import { edit, regenerate } from "./conversation.ts";
import { Heat } from "./heat.tsx";

export function QuestionTurn({ question: { id, text } }: { readonly question: Question }) {
  const [draft, setDraft] = useState<string | null>(null);
  if (draft !== null) {
    const submit = (event: Event) => {
      event.preventDefault();
      setDraft(null);
      edit(id, draft);
    };
    return (
      <form class="turn turn-user" onSubmit={submit}>
        <label>
          <span class="unseen">Edited question</span>
          <textarea rows={3} value={draft} onInput={({ currentTarget }) => setDraft(currentTarget.value)} />
        </label>
        <div class="actions">
          <button type="button" onClick={() => setDraft(null)}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={draft.trim() === ""}>
            Ask this instead
          </button>
        </div>
      </form>
    );
  }
  return (
    <article class="turn turn-user" aria-label="You">
      <p class="asked">{text}</p>
      <div class="turn-foot">
        <button type="button" class="quiet" aria-label="Edit" title="Edit" onClick={() => setDraft(text)}>
          <Icon name="edit" />
        </button>
        <CopyButton text={text} what="the question" />
      </div>
    </article>
  );
}

export function AnswerTurn({ answer }: { readonly answer: Answer }) {
  const { id, text, scored, calls, state, problem } = answer;
  const [isHot, setHot] = useState(true);
  const hasScores = scored.length > 0;
  return (
    <article class="turn turn-assistant" aria-label="Answer" aria-busy={state === "streaming"}>
      {hasScores && isHot ? <Heat scored={scored} /> : text !== "" && <Markdown text={text} />}
      {state === "streaming" && text === "" && calls.length === 0 && <p class="waiting">Waiting for the first token</p>}
      {calls.map((call) => (
        <Call key={call.index} call={call} />
      ))}
      {state === "failed" && <Notice tone="bad">{problem}</Notice>}
      {state !== "streaming" && (
        <div class="turn-foot">
          <button type="button" class="quiet" aria-label="Regenerate" title="Regenerate" onClick={() => regenerate(id)}>
            <Icon name="again" />
          </button>
          {text !== "" && <CopyButton text={text} what="the answer" />}
          {hasScores && (
            <button type="button" class="quiet" aria-pressed={isHot} onClick={() => setHot(!isHot)}>
              Probabilities
            </button>
          )}
          <AnswerFigures answer={answer} />
        </div>
      )}
    </article>
  );
}

const ENDS: Readonly<Record<string, string>> = {
  stop: "ended by itself",
  length: "reached its most tokens",
  tool_calls: "calls a tool",
};

function AnswerFigures({ answer }: { readonly answer: Answer }) {
  const { usage, firstMs, state, finish } = answer;
  const speed = tokensPerSecond(answer);
  const cached = usage?.prompt_tokens_details?.cached_tokens ?? 0;
  const facts = [
    firstMs === null ? "" : `first token ${duration(firstMs)}`,
    speed === null ? "" : `${number(Math.round(10 * speed) / 10)} tokens/s`,
    usage === null ? "" : `${number(usage.prompt_tokens)} + ${number(usage.completion_tokens)} tokens`,
    cached > 0 ? `${number(cached)} cached` : "",
    state === "stopped" ? "stopped" : (ENDS[finish] ?? finish),
  ];
  return <p class="turn-figures">{facts.filter((fact) => fact !== "").join(" · ")}</p>;
}
