import { useState } from "preact/hooks";
import { percent } from "../../format.ts";
import type { Scored } from "./answer-stream.ts";

/** Probabilities below which a token is marked, from the strongest mark to the faintest. */
const STEPS = [0.1, 0.3, 0.6, 0.9] as const;

/** 0 = not marked, 4 = the least probable. */
function heatOf(logprob: number): number {
  const step = STEPS.findIndex((below) => Math.exp(logprob) < below);
  return step === -1 ? 0 : STEPS.length - step;
}

/** An answer's tokens, the less probable the stronger marked. Arrows go through them; one is told in words. */
export function Heat({ scored }: { readonly scored: readonly Scored[] }) {
  const [chosen, choose] = useState(-1);
  const token = scored[chosen];
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    choose(Math.max(0, Math.min(scored.length - 1, chosen + step)));
  };
  return (
    <div class="heat">
      {/* biome-ignore lint/a11y: a group that arrows move in; each token would be a stop of the Tab key */}
      <p tabIndex={0} role="group" aria-label="Tokens by probability; arrow keys go through them" onKeyDown={move}>
        {scored.map(({ token: text, logprob }, at) => (
          // biome-ignore lint/a11y: the keyboard has the arrows
          <span
            key={at}
            class={`heat-${heatOf(logprob)} ${at === chosen ? "heat-chosen" : ""}`}
            onClick={() => choose(at)}
          >
            {text}
          </span>
        ))}
      </p>
      <div class="heat-told" aria-live="polite">
        {token === undefined ? (
          <span class="hint">Choose a token for its probability and the alternatives.</span>
        ) : (
          [token, ...token.others].map((each, at) => (
            <span key={at} class={at === 0 ? "heat-drawn" : ""}>
              <code>{JSON.stringify(each.token).slice(1, -1)}</code> {shown(each.logprob)}
            </span>
          ))
        )}
      </div>
    </div>
  );
}

function shown(logprob: number): string {
  const share = Math.exp(logprob);
  return share > 0 && share < 0.01 ? "below 1 %" : percent(share);
}
