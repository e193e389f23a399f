import { events, tick } from "../../api/live.ts";
import { moment, time } from "../../format.ts";
import { Section } from "../../parts/section.tsx";

const LEVELS = { info: "", warn: "Warning: ", error: "Error: " } as const;

/** What happened to the cluster, the newest first. */
export function EventLog() {
  const newest = events.value.toReversed();
  const several = new Set((tick.value?.pipelines ?? []).map(({ model }) => model.name)).size > 1;
  return (
    <Section title="Events">
      {newest.length === 0 ? (
        <p class="empty">Nothing has happened since the gateway began.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it
        <ol class="log" tabIndex={0} aria-label="Events, the newest first">
          {newest.map(({ id, atMs, level, text, model }) => (
            <li key={id} class={`log-${level}`}>
              <time dateTime={new Date(atMs).toISOString()} title={moment(atMs)}>
                {time(atMs)}
              </time>
              <span>
                <span class="unseen">{LEVELS[level]}</span>
                {several && <b>{model} </b>}
                {text}
              </span>
            </li>
          ))}
        </ol>
      )}
    </Section>
  );
}
