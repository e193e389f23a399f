import type { ComponentChildren } from "preact";

export type Tone = "good" | "active" | "warn" | "bad" | "plain";

/** A state in a word. */
export const Pill = ({ tone, children }: { readonly tone: Tone; readonly children: ComponentChildren }) => (
  <span class={`pill pill-${tone}`}>{children}</span>
);
