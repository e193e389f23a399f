import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../../parts/icon.tsx";
import { ask, clear, isAnswering, stop, turns } from "./conversation.ts";
import { openCalls } from "./messages.ts";
import { SettingsPanel } from "./settings-panel.tsx";
import { AnswerTurn, QuestionTurn } from "./turns.tsx";

/** Nearer than this to its end, a conversation follows what is added to it. */
const NEAR_PX = 80;

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
          {said.map((turn) =>
            turn.role === "user" ? (
              <QuestionTurn key={turn.id} question={turn} />
            ) : (
              <AnswerTurn key={turn.id} answer={turn} />
            ),
          )}
        </div>
        <Composer />
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

function Composer() {
  const [text, setText] = useState("");
  const isBusy = isAnswering();
  const called = [...new Set(openCalls(turns.value).map(({ name }) => name))].join(" and ");
  const send = (event: Event) => {
    event.preventDefault();
    if (text.trim() === "" || isBusy) return;
    ask(text);
    setText("");
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
          placeholder={`${called === "" ? "Message" : `What ${called} returns`}; Enter sends, Shift+Enter begins a line`}
          value={text}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
          onKeyDown={typed}
        />
      </label>
      <div class="composer-foot">
        <button type="button" class="quiet" disabled={turns.value.length === 0} onClick={clear}>
          <Icon name="plus" /> New conversation
        </button>
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
