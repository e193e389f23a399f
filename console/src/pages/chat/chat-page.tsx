import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "../../parts/icon.tsx";
import type { Turn } from "./answer.ts";
import { ResultsForm, ResultsTurn } from "./calls.tsx";
import { ask, clear, giveResults, isAnswering, stop, turns } from "./conversation.ts";
import { openCalls } from "./messages.ts";
import { SettingsPanel } from "./settings-panel.tsx";
import { AnswerTurn, QuestionTurn } from "./turns.tsx";

/** Nearer than this to its end, a conversation follows what is added to it. */
const NEAR_PX = 80;

/** The message that is being written; it stays while another page, or a form for results, is in its place. */
const draft = signal("");

export function ChatPage() {
  const said = turns.value;
  const scroller = useRef<HTMLDivElement>(null);
  const isNear = useRef(true);
  useEffect(() => {
    const { current } = scroller;
    if (current !== null && isNear.current) current.scrollTop = current.scrollHeight;
  }, [said]);
  const scrolled = () => {
    const { current } = scroller;
    if (current === null) return;
    isNear.current = current.scrollHeight - current.scrollTop - current.clientHeight < NEAR_PX;
  };
  return (
    <div class="chat">
      <section class="chat-talk" aria-label="Conversation">
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it */}
        <div class="chat-turns" ref={scroller} onScroll={scrolled} tabIndex={0} role="log" aria-label="Messages">
          {said.length === 0 && (
            <p class="empty">
              Ask something. Answers run on through the loss of a worker, or a restart of the gateway.
            </p>
          )}
          {said.map((turn) => (
            <Said key={turn.id} turn={turn} />
          ))}
        </div>
        <Next said={said} />
      </section>
      <details class="chat-settings" open={matchMedia("(min-width: 900px)").matches}>
        <summary>
          <Icon name="sliders" /> Parameters
        </summary>
        <SettingsPanel />
      </details>
    </div>
  );
}

function Said({ turn }: { readonly turn: Turn }) {
  if (turn.role === "user") return <QuestionTurn question={turn} />;
  return turn.role === "tool" ? <ResultsTurn results={turn} /> : <AnswerTurn answer={turn} />;
}

/** Where the conversation goes on: with the results of its calls, where it ends with some, or with a message. */
function Next({ said }: { readonly said: readonly Turn[] }) {
  const calls = openCalls(said).map(({ id, name }) => ({ callId: id, name, text: "" }));
  if (calls.length === 0) return <Composer />;
  return (
    <div class="composer">
      <ResultsForm key={said.at(-1)?.id} asked={calls} onGiven={giveResults} beside={<NewConversation />} />
    </div>
  );
}

const NewConversation = () => (
  <button type="button" class="quiet" disabled={turns.value.length === 0} onClick={clear}>
    <Icon name="plus" /> New conversation
  </button>
);

function Composer() {
  const text = draft.value;
  const isBusy = isAnswering();
  const send = (event: Event) => {
    event.preventDefault();
    if (text.trim() === "" || isBusy) return;
    ask(text);
    draft.value = "";
  };
  const typed = (event: KeyboardEvent) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
  };
  return (
    <form class="composer" onSubmit={send}>
      <label>
        <span class="unseen">Message</span>
        <textarea
          rows={2}
          placeholder="Message; Enter sends, Shift+Enter begins a line"
          value={text}
          onInput={({ currentTarget }) => {
            draft.value = currentTarget.value;
          }}
          onKeyDown={typed}
        />
      </label>
      <div class="composer-foot">
        <NewConversation />
        {isBusy ? (
          <button type="button" class="primary" onClick={stop}>
            <Icon name="stop" /> Stop
          </button>
        ) : (
          <button type="submit" class="primary" disabled={text.trim() === ""}>
            <Icon name="send" /> Send
          </button>
        )}
      </div>
    </form>
  );
}
