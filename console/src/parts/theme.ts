import { effect, signal } from "@preact/signals";
import { keep, kept } from "../api/browser-storage.ts";

const KEPT = "rhone.theme";
const THEMES = ["auto", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const chosen = kept("localStorage", KEPT);

/** "auto": as the system has it. */
export const theme = signal<Theme>(THEMES.find((one) => one === chosen) ?? "auto");

/** Counts up when the page changes its colours. */
export const repaint = signal(0);

effect(() => {
  document.documentElement.dataset.theme = theme.value;
  keep("localStorage", KEPT, theme.value);
  repaint.value = repaint.peek() + 1;
});

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  repaint.value++;
});

export function nextTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? "auto";
}
