import type { RecentRequest } from "@rhone/common";
import { useState } from "preact/hooks";
import { ask } from "../../api/ask.ts";
import { hello, requests, tick } from "../../api/live.ts";
import { duration, number, time } from "../../format.ts";
import { Pill, type Tone } from "../../parts/pill.tsx";
import { Section } from "../../parts/section.tsx";
import { PhaseBar, phasesOf } from "./phases.tsx";
import { ReadAgain } from "./read-again.tsx";

const COLUMNS = 8;

export function RequestsPage() {
  const all = requests.value;
  const [open, setOpen] = useState("");
  const now = tick.value?.atMs ?? Date.now();
  const { name = "", isAdmin = false } = hello.value?.caller ?? {};
  const totalOf = (request: RecentRequest) => phasesOf(request, now).reduce((sum, { ms }) => sum + ms, 0);
  const mostMs = Math.max(1, ...all.map(totalOf));
  return (
    <Section
      title="Recent requests"
      aside={
        <ul class="key">
          <li>
            <i class="bar-third" /> prepared
          </li>
          <li>
            <i class="bar-wait" /> queue
          </li>
          <li>
            <i class="bar-second" /> prompt
          </li>
          <li>
            <i class="bar-main" /> answer
          </li>
        </ul>
      }
    >
      {all.length === 0 ? (
        <p class="empty">
          None lately.{" "}
          {isAdmin
            ? "This gateway's last 200 requests appear here."
            : "Your last requests at this gateway appear here."}
        </p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it
        <div class="table-scroll" tabIndex={0}>
          <table class="table requests">
            <thead>
              <tr>
                <th scope="col" class="wide-only">
                  Time
                </th>
                <th scope="col">Request</th>
                <th scope="col" class="wide-only">
                  State
                </th>
                <th scope="col">Phases</th>
                <th scope="col" class="right wide-only">
                  First token
                </th>
                <th scope="col" class="right wide-only">
                  Tokens
                </th>
                <th scope="col" class="right wide-only">
                  Tokens/s
                </th>
                <th scope="col">
                  <span class="unseen">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {all.map((request) => (
                <Row
                  key={request.id}
                  request={request}
                  nowMs={now}
                  mostMs={mostMs}
                  isOwn={request.owner === name}
                  isOpen={open === request.id}
                  onOpen={(isOpen) => setOpen(isOpen ? request.id : "")}
                />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  );
}

interface RowProps {
  readonly request: RecentRequest;
  readonly nowMs: number;
  readonly mostMs: number;
  readonly isOwn: boolean;
  readonly isOpen: boolean;
  readonly onOpen: (isOpen: boolean) => void;
}

function Row({ request, nowMs, mostMs, isOwn, isOpen, onOpen }: RowProps) {
  const { id, route, model, owner, state, arrivedAtMs, promptTokens, cachedTokens, completionTokens } = request;
  const { firstTokenMs, decodeMs, prepareMs, choices, resumable } = request;
  const speed =
    decodeMs !== null && decodeMs > 0 && completionTokens > 1 ? (1000 * (completionTokens - 1)) / decodeMs : null;
  const first = firstTokenMs === null ? "–" : duration(prepareMs + firstTokenMs);
  const tokens = `${number(promptTokens)} + ${number(completionTokens)}`;
  const rate = speed === null ? "–" : number(Math.round(10 * speed) / 10);
  const pill = <Pill tone={toneOf(state)}>{state.replaceAll("_", " ")}</Pill>;
  const cached = cachedTokens !== null && cachedTokens > 0 ? `, ${number(cachedTokens)} cached` : "";
  return (
    <>
      <tr>
        <td class="nowrap wide-only">{time(arrivedAtMs)}</td>
        <td>
          <span class="request-route">{route.replaceAll("_", " ")}</span>
          <span class="hint">
            {[model, owner, choices > 1 ? `${choices} choices` : ""].filter((part) => part !== "").join(" · ")}
          </span>
          <span class="narrow-only">
            {pill} <small>{time(arrivedAtMs)}</small>
          </span>
        </td>
        <td class="wide-only">{pill}</td>
        <td class="phases-cell">
          <PhaseBar phases={phasesOf(request, nowMs)} mostMs={mostMs} />
          <span class="hint narrow-only">
            first {first} · {tokens} tokens · {rate}/s
          </span>
        </td>
        <td class="right nowrap wide-only">{first}</td>
        <td
          class="right nowrap wide-only"
          title={`${number(promptTokens)} of the prompt${cached}, ${number(completionTokens)} of the answer`}
        >
          {tokens}
        </td>
        <td class="right wide-only">{rate}</td>
        <td class="right requests-actions">
          {/* The gateway knows a stream from its first token on. */}
          {resumable && isOwn && firstTokenMs !== null && (
            <>
              {state === "running" && (
                <button
                  type="button"
                  class="quiet"
                  onClick={() => void ask(`/v1/streams/${id}`, { method: "DELETE" }).catch(() => {})}
                >
                  Stop
                </button>
              )}
              <button type="button" class="quiet" aria-expanded={isOpen} onClick={() => onOpen(!isOpen)}>
                {isOpen ? "Close" : "Read"}
              </button>
            </>
          )}
        </td>
      </tr>
      {isOpen && (
        <tr>
          <td colSpan={COLUMNS}>
            <ReadAgain id={id} />
          </td>
        </tr>
      )}
    </>
  );
}

function toneOf(state: string): Tone {
  if (state === "ok") return "good";
  if (state === "running") return "active";
  return state === "cancelled" ? "plain" : "bad";
}
